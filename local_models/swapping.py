"""Changes the adapters of a running model without a stop: blue and green.

The green side is opened and warmed beside the blue one that serves. Then one reference is flipped: calls that begin
later go to green, calls under way end on blue, and when the last of them is done blue is closed. Each side has its own
key-value cache, so no answer is ever read from a cache that another adapter filled.

Where memory does not hold two sides, blue is drained and closed first; calls wait meanwhile, within their time limits.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.forgetting import forget_texts
from shopfloor.local_models.runtime import Chunk, Completion, GenerateOptions, Message, ModelInfo, RuntimeStats
from shopfloor.local_models.sides import Opener, Sharing, Side, StreamingSide, Switch

__all__ = ["Opener", "SwappingRuntime"]

_HELD: "ContextVar[tuple[Side, ...]]" = ContextVar("shopfloor_held_sides", default=())


class SwappingRuntime:
    """Implements :class:`~shopfloor.local_models.runtime.Runtime` over a side that can be changed.

    :meth:`for_agent` gives further views of the same; closing any closes all.
    """

    def __init__(self, switch: Switch, agent: str = "") -> None:
        self._switch = switch
        self._agent = agent

    @classmethod
    def over(
        cls,
        side: StreamingSide,
        opener: Opener,
        *,
        has_room: Callable[[], bool],
        timeout_s: float,
        adapters: Adapters | None = None,
    ) -> "SwappingRuntime":
        """Serve with a side that is open; see :class:`Switch` for the arguments."""
        return cls(Switch(side, opener, has_room=has_room, timeout_s=timeout_s, adapters=adapters or {}))

    @classmethod
    async def sharing(cls, base: Sharing, timeout_s: float) -> "SwappingRuntime":
        """Serve with light sides over one loaded model, and close it with them."""
        side = await base.beside({})
        return cls(Switch(side, base.beside, has_room=lambda: True, timeout_s=timeout_s, adapters={}, shared=base))

    @property
    def info(self) -> ModelInfo:
        """What serves this agent now; inside :meth:`hold`, what is held."""
        return self._switch.info(self._agent, self._held())

    @property
    def adapters(self) -> Adapters:
        """What serves now, by agent."""
        return self._switch.adapters

    @property
    def draining(self) -> int:
        """Sides that answer their last calls."""
        return self._switch.draining

    def for_agent(self, agent: str) -> "SwappingRuntime":
        """The model as one agent has it, now and after each change."""
        return SwappingRuntime(self._switch, agent)

    def warm_with(self, agent: str, messages: Sequence[Message]) -> None:
        """A chat whose prompt a new side reads before it serves."""
        self._switch.warm_with(agent, messages)

    async def use_adapters(self, adapters: Adapters, *, drained: bool = True) -> None:
        """Serve with these adapters from now on.

        Args:
            adapters: by agent; an agent without one is served by the base.
            drained: return only when the old side has answered its last call and is closed.

        Raises:
            ModelError: a change is under way already, or the new side can't be opened; then the old one goes on serving.
        """
        await self._switch.use(adapters, drained=drained)

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """Everything asked inside, in this task and those begun in it, goes to the side that serves now."""
        side = self._switch.try_enter()
        if side is None:  # between two sides: what needs the model waits by itself, the rest need not
            yield
            return
        before = _HELD.set((side, *_HELD.get()))
        try:
            yield
        finally:
            _HELD.reset(before)
            self._switch.leave(side)

    @contextlib.asynccontextmanager
    async def _using(self) -> AsyncGenerator[StreamingSide]:
        side = await self._switch.enter(self._held())
        try:
            yield side.for_agent(self._agent)
        finally:
            self._switch.leave(side)

    def _held(self) -> Side | None:
        return next((side for side in _HELD.get() if side.switch is self._switch), None)

    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion:
        """Answer a chat by the model's own chat template."""
        async with self._using() as runtime:
            return await runtime.chat(messages, options)

    def stream(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> AsyncGenerator[Chunk]:
        """``chat`` in pieces. Closing the generator stops the generation at once."""
        return self._stream(messages, options)

    async def _stream(self, messages: Sequence[Message], options: GenerateOptions | None) -> AsyncGenerator[Chunk]:
        async with self._using() as runtime, contextlib.aclosing(runtime.stream(messages, options)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L)."""
        async with self._using() as runtime:
            return await runtime.score(prompts, labels, prefix=prefix)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states, shape (len(texts), width)."""
        async with self._using() as runtime:
            return await runtime.embed(texts)

    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue:
        """Generate under a JSON schema."""
        async with self._using() as runtime:
            return await runtime.generate_json(messages, schema, options)

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        async with self._using() as runtime:
            return await runtime.count_tokens(text)

    async def stats(self) -> RuntimeStats:
        """Counters over all sides so far; speed, latencies and memory of the one that serves."""
        async with self._using() as runtime:
            return self._switch.with_past(await runtime.stats())

    async def forget_texts(self) -> None:
        """Have the side that serves let go of what it was asked; one that drains is closed soon."""
        async with self._using() as runtime:
            await forget_texts(runtime)

    async def close(self) -> None:
        """Stop what runs and free the memory. Idempotent."""
        await self._switch.close()
