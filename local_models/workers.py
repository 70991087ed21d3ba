"""Runs blocking model work in threads, and hands what it produces to the event loops that wait for it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from shopfloor.errors import ModelError

END = object()


class Call:
    """One running request, as the event loop sees it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[object] = asyncio.Queue()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Abort the generation; the slot is free as soon as the server notices."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether nobody waits any longer."""
        return self._stopped.is_set()

    def put(self, event: object) -> bool:
        """Hand an event to the waiting task (from any thread); returns True when the generation should stop."""
        if not self.stopped:
            self._deliver(event)
        return self.stopped

    def finish(self, error: BaseException | None) -> None:
        """End the events, with an error or well (from any thread); those who still wait hear of it even when stopped."""
        self._deliver(END if error is None else error)

    def _deliver(self, event: object) -> None:
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:  # the loop was closed with the request under way: nobody waits
            self.stop()

    async def events(self) -> AsyncIterator[Any]:
        """What the work put in, until it is done.

        Raises:
            ModelError: the work failed.
        """
        while (event := await self._events.get()) is not END:
            if isinstance(event, BaseException):
                raise event
            yield event


class Workers:
    """The threads of one loaded model."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self._running: set[Call] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, work: Callable[[Call], None], finished: Callable[[], None]) -> Call:
        """Run ``work`` in a thread; ``finished`` is called there at the end, whatever happened."""
        call = Call()
        with self._lock:
            if self._closed:
                finished()
                raise ModelError("the local model is shut down")
            self._running.add(call)
            future = self._threads.submit(work, call)
        future.add_done_callback(lambda done: self._finish(call, done, finished))
        return call

    def _finish(self, call: Call, done: "Future[None]", finished: Callable[[], None]) -> None:
        with self._lock:
            self._running.discard(call)
        finished()
        call.finish(done.exception())

    def close(self) -> bool:
        """Stop running calls and wait for them (blocking); says whether this was the first time."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            for call in self._running:
                call.finish(ModelError("the local model was shut down"))
                call.stop()
        self._threads.shutdown(wait=True)
        return True
