"""A fair pool of the model server's slots: first come, first served, and the same prefix on the same slot.

Thread-safe and bound to no event loop, because a slot is given back by the thread that ran the call, and several
loops (a host program's, Studio's, a test's) may share one runtime.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import Future


class SlotPool:
    """Hands out slot numbers 0 .. size-1."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._free = set(range(size))
        self._last_text = [""] * size
        self._last_owner: list[str | None] = [None] * size
        self._waiting: deque[tuple[Future[int], str, str]] = deque()

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return len(self._waiting)

    async def acquire(self, text: str, owner: str = "") -> int:
        """Wait for a slot; the one whose last text has the longest common start with this one is taken.

        Args:
            text: what will be evaluated.
            owner: the adapter that evaluates it. Another's text has no common start, whatever it says; where nothing
                fits, the owner with the most slots gives one of them up.
        """
        with self._lock:
            if self._free and not self._waiting:
                return self._take(text, owner)
            place: Future[int] = Future()
            self._waiting.append((place, text, owner))
        try:
            return await asyncio.wrap_future(place)
        except asyncio.CancelledError:
            # A slot may have been handed over in the very moment of the cancellation.
            if not place.cancel() and place.done() and not place.cancelled():
                self.release(place.result())
            raise

    def try_acquire(self, text: str, owner: str = "") -> int | None:
        """A free slot nobody waits for, or ``None``."""
        with self._lock:
            return self._take(text, owner) if self._free and not self._waiting else None

    def forget(self) -> None:
        """Know no longer what each slot has evaluated."""
        with self._lock:
            self._last_text = [""] * len(self._last_text)
            self._last_owner = [None] * len(self._last_owner)

    def release(self, slot: int) -> None:
        """Give a slot back; the longest waiting caller gets one."""
        with self._lock:
            self._free.add(slot)
            while self._waiting and self._free:
                place, text, owner = self._waiting.popleft()
                if place.set_running_or_notify_cancel():
                    place.set_result(self._take(text, owner))

    def _take(self, text: str, owner: str) -> int:
        def fitness(slot: int) -> tuple[int, int, int]:
            last = self._last_owner[slot]
            common = _common_start(self._last_text[slot], text) if last == owner else 0
            held = len(self._last_owner) + 1 if last is None else self._last_owner.count(last)
            return common, held, -len(self._last_text[slot])

        slot = max(self._free, key=fitness)
        self._free.remove(slot)
        self._last_text[slot], self._last_owner[slot] = text, owner
        return slot


def _common_start(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:  # bisection: comparing slices is fast, comparing characters in Python is not
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
