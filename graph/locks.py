"""One turn at a time in a thread: a lock for each, forgotten when nobody holds or waits for it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class ThreadLocks:
    """Locks by thread id, for one event loop. First come, first served."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, thread_id: str) -> AsyncGenerator[None]:
        """Wait for the thread's turn."""
        lock, users = self._locks.get(thread_id, (asyncio.Lock(), 0))
        self._locks[thread_id] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[thread_id]
            if users == 1:
                del self._locks[thread_id]
            else:
                self._locks[thread_id] = (lock, users - 1)

    def __len__(self) -> int:
        return len(self._locks)
