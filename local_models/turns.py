"""One thread that runs several pieces of blocking work by turns: each is a generator that gives way after every step.

For libraries that want all their calls from one thread. Whoever waits for a place gets one in the order of coming, and
work that nobody waits for any longer has left by the next step.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from shopfloor.errors import ModelError
from shopfloor.local_models.workers import Call

T = TypeVar("T")
Steps = Generator[None]


@dataclass(frozen=True, slots=True)
class _Work:
    call: Call
    steps: Steps
    finished: Callable[[], None]

    def end(self, error: ModelError | None) -> None:
        """Leave, however it went."""
        self.steps.close()
        self.finished()
        self.call.finish(error)


class Turns:
    """Takes work from any event loop; ``places`` of it run by turns, the rest waits."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._running: deque[_Work] = deque()
        self._waiting: deque[_Work] = deque()
        self._orders: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def start(self, make: Callable[[Call], Steps], finished: Callable[[], None]) -> Call:
        """Queue work; ``finished`` is called in the thread at its end, whatever happened.

        Raises:
            ModelError: the model is shut down.
        """
        call = Call()
        work = _Work(call, make(call), finished)
        with self._changed:
            if self._closed:
                finished()
                raise ModelError("the local model is shut down")
            self._waiting.append(work)
            self._changed.notify()
        return call

    def order(self, work: Callable[[], T]) -> T:
        """Run something in the thread between two steps, and wait for it (blocking).

        Raises:
            ModelError: the model is shut down, or what the work raises.
        """
        done: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise ModelError("the local model is shut down")
            self._orders.append((work, done))
            self._changed.notify()
        return done.result()

    def close(self) -> None:
        """Stop what runs and wait for it (blocking). Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        try:
            while self._wait():
                self._admit()
                if self._running:
                    self._step(self._running.popleft())
        finally:
            self._end()

    def _wait(self) -> bool:
        with self._changed:
            while not (self._closed or self._running or self._waiting or self._orders):
                self._changed.wait()
            orders = list(self._orders)
            self._orders.clear()
        for work, done in orders:
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001 (whatever it is, whoever waits hears of it)
                done.set_exception(error)
        return not self._closed

    def _admit(self) -> None:
        with self._changed:
            while self._waiting and len(self._running) < self._places:
                self._running.append(self._waiting.popleft())

    def _step(self, work: _Work) -> None:
        if work.call.stopped:
            return work.end(None)
        try:
            next(work.steps)
        except StopIteration:
            work.end(None)
        except ModelError as error:
            work.end(error)
        except BaseException:  # a fault of ours: the thread ends with it, and everybody hears of it
            work.end(ModelError("the local model has broken down: restart the service"))
            raise
        else:
            self._running.append(work)

    def _end(self) -> None:
        with self._changed:
            self._closed = True
            left = [*self._running, *self._waiting]
            self._running.clear()
            self._waiting.clear()
            orders = list(self._orders)
        error = ModelError("the local model was shut down")
        for work in left:
            work.end(error)
        for _work, done in orders:
            done.set_exception(error)
