"""The sides behind a :class:`~shopfloor.local_models.swapping.SwappingRuntime`: opening, counting, flipping, draining."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from shopfloor.errors import ModelError, ModelTimeoutError
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.runtime import Chunk, Completion, GenerateOptions, Message, ModelInfo, RuntimeStats

WAIT_STEP_S = 0.02
WARM = GenerateOptions(max_tokens=1, timeout_s=60)


class StreamingSide(Protocol):
    """What can be put behind the switch: a runtime whose streams can be closed, with a view for each agent."""

    @property
    def info(self) -> ModelInfo: ...
    @property
    def slots(self) -> int: ...  # requests it decodes at once
    def for_agent(self, agent: str) -> Self: ...
    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion: ...
    def stream(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> AsyncGenerator[Chunk]: ...
    async def score(
        self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = ""
    ) -> NDArray[np.float32]: ...
    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...
    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue: ...
    async def count_tokens(self, text: str) -> int: ...
    async def stats(self) -> RuntimeStats: ...
    async def close(self) -> None: ...


@runtime_checkable
class Sharing(Protocol):
    """A runtime that can open light sides over what it has loaded; it is closed after all of them."""

    async def beside(self, adapters: Adapters) -> StreamingSide:
        """A side with adapters by agent."""
        ...

    async def close(self) -> None:
        """Close what the sides share."""
        ...


Opener = Callable[[Adapters], Awaitable[StreamingSide]]


@dataclass(eq=False, slots=True)
class Side:
    """A runtime and the calls that use it. ``drained`` is done when it is retired and the last call has left."""

    runtime: StreamingSide
    switch: "Switch"
    users: int = 0
    retired: bool = False
    drained: "Future[None]" = field(default_factory=lambda: Future[None]())

    def for_agent(self, agent: str) -> StreamingSide:
        """The model as one agent has it on this side."""
        return self.runtime.for_agent(agent)


class Switch:
    """Which side serves. Thread-safe, and bound to no event loop but for the changes themselves."""

    def __init__(
        self,
        side: StreamingSide,
        opener: Opener,
        *,
        has_room: Callable[[], bool],
        timeout_s: float,
        adapters: Adapters,
        shared: Sharing | None = None,
    ) -> None:
        """Serve with a side that is open.

        Args:
            side: what serves first.
            opener: opens a further side with adapters by agent.
            has_room: whether memory holds a second side now.
            timeout_s: the longest a call waits while there is no side.
            adapters: what the first side was opened with.
            shared: what the sides stand on; closed last.
        """
        self._shared = shared
        self._live: Side | None = Side(side, self)
        self._last = side
        self._adapters = adapters
        self._opener = opener
        self._has_room = has_room
        self._timeout_s = timeout_s
        self._warm: dict[str, Sequence[Message]] = {}
        self._lock = threading.Lock()
        self._swapping = False
        self._closed = False
        self._draining: set[asyncio.Task[None]] = set()
        self._past = RuntimeStats(0, 0, 0, 0, 0, 0.0)

    @property
    def adapters(self) -> Adapters:
        """What serves now, by agent."""
        return self._adapters

    @property
    def draining(self) -> int:
        """Sides that answer their last calls."""
        return len(self._draining)

    def info(self, agent: str, held: Side | None) -> ModelInfo:
        """What answers an agent: the held side, else the one that serves."""
        return (held.runtime if held is not None else self._last).for_agent(agent).info

    def warm_with(self, agent: str, messages: Sequence[Message]) -> None:
        """A chat whose prompt a new side reads before it serves; one an agent."""
        self._warm[agent] = messages

    def with_past(self, now: RuntimeStats) -> RuntimeStats:
        """A side's counters together with those of the sides before it."""
        return _added(self._past, now)

    async def use(self, adapters: Adapters, *, drained: bool) -> None:
        """Change the side; see :meth:`SwappingRuntime.use_adapters`."""
        with self._lock:
            if self._closed or self._swapping:
                raise ModelError("the adapter is being changed already: try again when that is done")
            self._swapping = True
        try:
            if self._has_room():
                leaving = self._set(await self._open(adapters), adapters)
            else:
                leaving = await self._swap_after(adapters)
        finally:
            self._swapping = False
        draining = self._retire(leaving)
        if drained and draining is not None:
            await asyncio.shield(draining)

    async def enter(self, held: Side | None = None) -> Side:
        """Count a call in; waits while there is no side.

        Raises:
            ModelError: the runtime is closed.
            ModelTimeoutError: there was no side for too long.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        while True:
            with self._lock:
                side = held or self._live
                if self._closed:
                    raise ModelError("the local model is shut down")
                if side is not None:
                    side.users += 1
                    return side
            if asyncio.get_running_loop().time() > deadline:
                raise ModelTimeoutError("the local model is being changed: try again in a moment")
            await asyncio.sleep(WAIT_STEP_S)

    def try_enter(self) -> Side | None:
        """Count a call in where a side serves now."""
        with self._lock:
            if self._live is not None:
                self._live.users += 1
            return self._live

    def leave(self, side: Side) -> None:
        """Count a call out."""
        with self._lock:
            side.users -= 1
            if side.retired and side.users == 0:
                side.drained.set_result(None)

    async def close(self) -> None:
        """Stop what runs and free the memory. Idempotent."""
        with self._lock:
            self._closed = True
            side, self._live = self._live, None
        if side is not None:
            await side.runtime.close()
        if self._draining:
            await asyncio.wait(list(self._draining))
        if self._shared is not None:
            await self._shared.close()

    async def _swap_after(self, adapters: Adapters) -> "Side | None":
        """Drain and close first, then open; when that fails, come back with what served until now."""
        before = self._adapters
        with self._lock:
            blue, self._live = self._live, None
        draining = self._retire(blue)
        try:
            if draining is not None:
                await asyncio.shield(draining)
            green = await self._open(adapters)
        except BaseException:
            leaving = self._set(await self._open(before), before)
            self._retire(leaving)
            raise
        return self._set(green, adapters)

    def _set(self, green: StreamingSide, adapters: Adapters) -> Side | None:
        """Put a side to work; returns the one to retire."""
        with self._lock:
            if self._closed:  # meanwhile
                return Side(green, self)
            blue, self._live = self._live, Side(green, self)
            self._last, self._adapters = green, adapters
            return blue

    async def _open(self, adapters: Adapters) -> StreamingSide:
        green = await self._opener(adapters)
        try:
            await asyncio.gather(*(self._read(green, agent) for agent in self._warm))
        except BaseException:
            await green.close()
            raise
        return green

    async def _read(self, green: StreamingSide, agent: str) -> None:
        """Let an agent's words be read by its share of the slots, so that no first caller waits for that."""
        share = max(1, green.slots // len(self._warm))
        view = green.for_agent(agent)
        await asyncio.gather(*(view.chat(self._warm[agent], WARM) for _ in range(share)))

    def _retire(self, side: Side | None) -> "asyncio.Task[None] | None":
        """Let the last calls of a side end, then close it; goes on when the caller is cancelled."""
        if side is None:
            return None
        with self._lock:
            side.retired = True
            if side.users == 0:
                side.drained.set_result(None)
        draining = asyncio.create_task(self._drain(side))
        self._draining.add(draining)
        draining.add_done_callback(self._draining.discard)
        return draining

    async def _drain(self, side: Side) -> None:
        await asyncio.wrap_future(side.drained)
        self._past = _added(self._past, await side.runtime.stats())
        await side.runtime.close()


def _added(past: RuntimeStats, now: RuntimeStats) -> RuntimeStats:
    return replace(
        now,
        requests=past.requests + now.requests,
        failed=past.failed + now.failed,
        prompt_tokens=past.prompt_tokens + now.prompt_tokens,
        completion_tokens=past.completion_tokens + now.completion_tokens,
    )
