"""Adapters of runtimes that can attach them to the model that serves: which agent has which, and since when.

A change takes no second model: the new adapters are loaded beside those in use, warmed, and one table is replaced.
Requests keep the adapter they began with; an adapter whose last request has ended is let go.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextvars import ContextVar
from typing import Protocol, TypeVar

from shopfloor.errors import ModelError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.runtime import GenerateOptions, Message

T = TypeVar("T")
WAIT_STEP_S = 0.02
WARM = GenerateOptions(max_tokens=1)


class AdapterStore(Protocol):
    """Where adapters are loaded, by the hash of their file. All but ``attach`` return at once."""

    def attach(self, adapter: AdapterFile) -> None:
        """Have an adapter at hand, pinned (blocking). Raises ModelError when it can't be loaded."""
        ...

    def pin(self, name: str) -> None:
        """Keep an adapter that is at hand."""
        ...

    def release(self, name: str) -> None:
        """Undo one pin; without any left the adapter goes when its last request has ended."""
        ...

    def has(self, name: str) -> bool:
        """Whether an adapter is still at hand."""
        ...


class LiveAdapters:
    """The table of adapters by agent, shared by all views of one model. Thread-safe."""

    def __init__(self, store: AdapterStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._table: Adapters = {}
        self._held: ContextVar[Adapters | None] = ContextVar("held", default=None)
        self._warm: dict[str, list[Sequence[Message]]] = {}
        self._changing = False

    @property
    def table(self) -> Adapters:
        """What serves now; inside :meth:`hold`, what is held."""
        held = self._held.get()
        return held if held is not None else self._table

    def begin(self, agent: str, start: Callable[[str | None], T]) -> T:
        """Start a request with an agent's adapter, which can't be let go in between."""
        with self._lock:
            adapter = self.table.get(agent)
            return start(adapter.sha256 if adapter is not None else None)

    def warm_with(self, agent: str, messages: Sequence[Message]) -> None:
        """A chat whose prompt is read with a new adapter before it serves."""
        self._warm.setdefault(agent, []).append(messages)

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """Everything inside is answered by what serves now."""
        with self._lock:
            table = self.table
            for adapter in table.values():
                self._store.pin(adapter.sha256)
        before = self._held.set(table)
        try:
            yield
        finally:
            self._held.reset(before)
            self._release(table)

    async def use(
        self, adapters: Adapters, warm: Callable[[str, Sequence[Message]], Awaitable[object]], *, drained: bool
    ) -> None:
        """Serve with these from now on.

        Args:
            adapters: by agent; checked to fit the model.
            warm: reads an agent's prompt, while the new table is held.
            drained: return only when the adapters before are gone.

        Raises:
            ModelError: one can't be loaded, or a change is under way; nothing changes.
        """
        with self._lock:
            if self._changing:
                raise ModelError("the adapter is being changed already: try again when that is done")
            self._changing = True
        try:
            before = await self._change(dict(adapters), warm)
        finally:
            self._changing = False
        gone = {old.sha256 for old in before.values()} - {new.sha256 for new in adapters.values()}
        while drained and any(self._store.has(name) for name in gone):
            await asyncio.sleep(WAIT_STEP_S)

    async def _change(
        self, adapters: dict[str, AdapterFile], warm: Callable[[str, Sequence[Message]], Awaitable[object]]
    ) -> Adapters:
        attached: dict[str, AdapterFile] = {}
        try:
            for agent, adapter in adapters.items():
                await asyncio.to_thread(self._store.attach, adapter)
                attached[agent] = adapter
            mark = self._held.set(adapters)
            try:
                for agent in adapters:
                    for messages in self._warm.get(agent, ()):
                        await warm(agent, messages)
            finally:
                self._held.reset(mark)
        except BaseException:
            self._release(attached)
            raise
        with self._lock:
            before, self._table = self._table, adapters
        self._release(before)
        return before

    def _release(self, table: Mapping[str, AdapterFile]) -> None:
        for adapter in table.values():
            self._store.release(adapter.sha256)
