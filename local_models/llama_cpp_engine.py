"""One thread that evaluates all requests of a model together, in batches of several sequences.

llama.cpp's contexts are not thread-safe, so this thread alone touches one. Each step it takes the slots that use the same
adapter, gives every slot that generates its next token, shares the rest of the batch out among the slots that still read
their prompts, and evaluates that at once. Slots of different adapters take turns, step by step. Whoever waits for a slot
gets one in the order of coming; a request that nobody waits for any longer has left its slot by the next step.

A slot's key-value cache is kept for the next request that begins alike **under the same adapter**, and is emptied for
any other: an answer is never read from a cache that another adapter filled.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from shopfloor.errors import ModelError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.llama_cpp_model import LlamaModel, Row
from shopfloor.local_models.llama_cpp_tasks import Task

T = TypeVar("T")


@dataclass(slots=True)
class _Slot:
    """A sequence: what its cache holds, under which adapter, for whom it works, and when it last had its turn.

    ``stale``: the cache is to be emptied when the task has ended.
    """

    number: int
    held: list[int] = field(default_factory=list[int])
    adapter: str | None = None
    task: Task | None = None
    turn: int = 0
    stale: bool = False


@dataclass(slots=True)
class _Loaded:
    """An adapter in memory. ``pins`` counts those who may still begin requests with it."""

    handle: Any
    pins: int = 1


class LlamaEngine:
    """Runs tasks on a model. Thread-safe and bound to no event loop."""

    def __init__(self, model: LlamaModel, slots: int, batch: int) -> None:
        self._model = model
        self._batch = batch
        self._slots = [_Slot(number) for number in range(slots)]
        self._waiting: deque[Task] = deque()
        self._orders: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._adapters: dict[str, _Loaded] = {}
        self._active: str | None = None  # the adapter that is set in the context
        self._unpinned = False  # whether an adapter may have to go
        self._turn = 0
        self._closed = False
        self._changed = threading.Condition()
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="llama.cpp", daemon=True)
        self._thread.start()

    def read(self, work: Callable[[LlamaModel], T]) -> T:
        """Do what only reads the vocabulary, beside the thread (blocking, a moment).

        Raises:
            ModelError: the model is shut down.
        """
        with self._reading:
            if self._closed:
                raise ModelError("the local model is shut down")
            return work(self._model)

    def submit(self, task: Task) -> None:
        """Queue a task; its call hears of the end.

        Raises:
            ModelError: the model is shut down.
        """
        with self._changed:
            if self._closed:
                raise ModelError("the local model is shut down")
            self._waiting.append(task)
            self._changed.notify()

    def attach(self, adapter: AdapterFile) -> None:
        """Have an adapter at hand, pinned (blocking).

        Raises:
            ModelError: it can't be loaded; nothing changes.
        """
        self._order(lambda: self._load(adapter))

    def pin(self, name: str) -> None:
        """Keep an adapter that is at hand."""
        with self._changed:
            self._adapters[name].pins += 1

    def release(self, name: str) -> None:
        """Undo one pin; without any left the adapter goes when its last request has ended."""
        with self._changed:
            if name in self._adapters:
                self._adapters[name].pins -= 1
                self._unpinned = True
                self._changed.notify()

    def has(self, name: str) -> bool:
        """Whether an adapter is still at hand."""
        return not self._closed and name in self._adapters

    def forget(self) -> None:
        """Empty every slot's cache (blocking); that of a slot that is busy when its request has ended."""
        self._order(self._forget)

    def close(self) -> None:
        """Stop what runs and free the memory (blocking). Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _order(self, work: Callable[[], T]) -> T:
        done: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise ModelError("the local model is shut down")
            self._orders.append((work, done))
            self._changed.notify()
        return done.result()

    def _work(self) -> None:
        try:
            while self._wait():
                self._leave()
                self._admit()
                self._free_adapters()
                self._step()
        finally:
            self._end()

    def _wait(self) -> bool:
        """Wait for something to do and carry out orders; False when the model is shut down."""
        with self._changed:
            while not (self._closed or self._waiting or self._orders or self._unpinned or self._busy()):
                self._changed.wait()
            orders = list(self._orders)
            self._orders.clear()
        for work, done in orders:
            _obey(work, done)
        return not self._closed

    def _busy(self) -> bool:
        return any(slot.task is not None for slot in self._slots)

    def _end(self) -> None:
        with self._changed:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque[Task]()
            orders, self._orders = list(self._orders), deque[tuple[Callable[[], Any], Future[Any]]]()
        error = ModelError("the local model was shut down")
        for slot in self._slots:
            self._finish(slot, error)
        for task in waiting:
            task.call.finish(error)
        for _work, done in orders:
            done.set_exception(error)
        with self._reading:
            self._model.close()

    def _leave(self) -> None:
        """Free the slots that nobody waits for any longer."""
        for slot in self._slots:
            if slot.task is not None and slot.task.call.stopped:
                self._finish(slot, None)

    def _admit(self) -> None:
        free = [slot for slot in self._slots if slot.task is None]
        while free:
            with self._changed:
                if not self._waiting:
                    return
                task = self._waiting.popleft()
            if task.call.stopped:
                task.call.finish(None)
                continue
            # The slot that holds most of the beginning; among equals the one whose cache is worth least.
            slot = max(free, key=lambda slot: (_alike(slot, task), -len(slot.held)))
            free.remove(slot)
            slot.task, slot.turn = task, self._turn
            self._turn += 1

    def _step(self) -> None:
        group = self._next_group()
        if not group:
            return
        try:
            self._evaluate(group)
        except ModelError as error:
            for slot in group:
                self._model.keep(slot.number, 0)
                slot.held = []
                self._finish(slot, error)

    def _next_group(self) -> list[_Slot]:
        """The slot that has waited longest for its turn, and all that can be evaluated with it."""
        busy = sorted((slot for slot in self._slots if slot.task is not None), key=lambda slot: slot.turn)
        keys = [(slot.task.adapter, slot.task.states) for slot in busy if slot.task is not None]
        group = [slot for slot, key in zip(busy, keys, strict=True) if key == keys[0]]
        for slot in group:
            slot.turn = self._turn
            self._turn += 1
        return group

    def _evaluate(self, group: list[_Slot]) -> None:
        first = group[0].task
        assert first is not None
        self._set(first.adapter)
        counts = {slot.number: self._prepare(slot) for slot in group}
        shares = _share(counts, self._batch)
        rows = [row for slot in group for row in self._rows(slot, shares[slot.number])]
        results = self._model.decode(rows, states=first.states)
        place = 0
        for slot in group:
            share = shares[slot.number]
            found = results[place : place + share]
            place += share
            self._advance(slot, share, found)

    def _prepare(self, slot: _Slot) -> int:
        """Empty the cache of what does not belong to the task; returns how many tokens are still to be read."""
        task = slot.task
        assert task is not None
        reusable = _alike(slot, task)
        if reusable < len(slot.held):
            if not self._model.keep(slot.number, reusable):
                reusable = 0
            slot.held = slot.held[:reusable]
        slot.adapter = task.adapter
        return len(task.tokens) - len(slot.held)

    def _rows(self, slot: _Slot, share: int) -> list[Row]:
        task = slot.task
        assert task is not None
        start, last = len(slot.held), len(task.tokens) - 1
        return [Row(task.tokens[place], place, slot.number, place == last) for place in range(start, start + share)]

    def _advance(self, slot: _Slot, share: int, found: "list[Any]") -> None:
        task = slot.task
        assert task is not None
        start = len(slot.held)
        slot.held = slot.held + task.tokens[start : start + share]
        rows = np.array(found, dtype=np.float32) if task.states and share else found[-1] if share else None
        try:
            if rows is not None and task.advance(rows):
                self._finish(slot, None)
        except ModelError as error:
            self._finish(slot, error)

    def _forget(self) -> None:
        for slot in self._slots:
            slot.stale = True
            if slot.task is None:
                self._empty(slot)

    def _empty(self, slot: _Slot) -> None:
        self._model.keep(slot.number, 0)
        slot.held, slot.stale = [], False

    def _finish(self, slot: _Slot, error: ModelError | None) -> None:
        task, slot.task = slot.task, None
        if slot.stale and task is not None:
            self._empty(slot)
        if task is not None:
            task.end()
            task.call.finish(error)

    def _set(self, name: str | None) -> None:
        if name != self._active:
            self._model.use_adapter(None if name is None else self._adapters[name].handle)
            self._active = name

    def _load(self, adapter: AdapterFile) -> None:
        with self._changed:
            loaded = self._adapters.get(adapter.sha256)
            if loaded is not None:
                loaded.pins += 1
                return
        handle = self._model.load_adapter(adapter.path)
        with self._changed:
            self._adapters[adapter.sha256] = _Loaded(handle)

    def _free_adapters(self) -> None:
        with self._changed:
            if not self._unpinned:
                return
            tasks = [slot.task for slot in self._slots] + list(self._waiting)
            used = {task.adapter for task in tasks if task is not None}
            unpinned = [name for name, loaded in self._adapters.items() if loaded.pins <= 0]
            freed = {name: self._adapters.pop(name) for name in unpinned if name not in used}
            self._unpinned = len(freed) < len(unpinned)
        for name, loaded in freed.items():
            if self._active == name:
                self._set(None)
            self._model.free_adapter(loaded.handle)


def _alike(slot: _Slot, task: Task) -> int:
    """How many of a slot's cached tokens a task can use; at least one token is always left to read."""
    if task.states:
        return task.read if slot.task is task else 0
    if slot.adapter != task.adapter:
        return 0
    most = min(len(slot.held), len(task.tokens) - 1)
    if slot.held[:most] == task.tokens[:most]:
        return most
    return next(place for place in range(most) if slot.held[place] != task.tokens[place])


def _share(counts: dict[int, int], batch: int) -> dict[int, int]:
    """Tokens of each slot in a batch: one for all, then those that read most get equal parts of what is left."""
    shares = {number: min(1, count) for number, count in counts.items()}
    left = batch - sum(shares.values())
    open_ones: list[int] = [number for number, count in counts.items() if count > shares[number]]
    while left > 0 and open_ones:
        part = max(1, left // len(open_ones))
        for number in open_ones:
            more = min(part, counts[number] - shares[number], left)
            shares[number] += more
            left -= more
        open_ones = [number for number in open_ones if counts[number] > shares[number]]
    return shares


def _obey(work: Callable[[], Any], done: "Future[Any]") -> None:
    try:
        done.set_result(work())
    except Exception as error:  # noqa: BLE001 (whatever it is, whoever waits hears of it)
        done.set_exception(error)
