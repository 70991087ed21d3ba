"""Two models side by side: one agent answers by a model of its own, all others by the first.

A profile may name a model for each agent (``profiles.py``); the adapters of an agent bind to that agent's model.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from shopfloor.errors import ModelError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.adapting import Adaptable, Adapters, held, runtime_for
from shopfloor.local_models.forgetting import forget_texts
from shopfloor.local_models.runtime import (
    Chunk,
    Completion,
    GenerateOptions,
    Message,
    ModelInfo,
    Runtime,
    RuntimeStats,
)


class PairedRuntime:
    """Implements :class:`~shopfloor.local_models.runtime.Runtime` by the first model, and ``Adaptable`` by all."""

    def __init__(self, first: Runtime, others: Mapping[str, Runtime]) -> None:
        """Put models together that are open.

        Args:
            first: answers every agent that has none of its own, and whoever does not say which agent it is.
            others: by the agent that they answer.
        """
        self._first = first
        self._others = dict(others)

    def for_agent(self, agent: str) -> Runtime:
        """The agent's model, as that agent has it; closing it closes that model alone."""
        return runtime_for(self._others.get(agent, self._first), agent)

    @contextmanager
    def hold(self) -> Generator[None]:
        """Everything inside is answered by what serves now, of each model."""
        with ExitStack() as stack:
            for runtime in self._all():
                stack.enter_context(held(runtime))
            yield

    def warm_with(self, agent: str, messages: Sequence[Message]) -> None:
        """A chat whose prompt the agent's model reads with a new adapter before that serves."""
        runtime = self._others.get(agent, self._first)
        if isinstance(runtime, Adaptable):
            runtime.warm_with(agent, messages)

    @property
    def adapters(self) -> Adapters:
        """What serves now, by agent, of all models."""
        found: dict[str, AdapterFile] = {}
        for runtime in self._all():
            if isinstance(runtime, Adaptable):
                found.update(runtime.adapters)
        return found

    async def use_adapters(self, adapters: Adapters, *, drained: bool = True) -> None:
        """Serve with these from now on, each on its agent's model.

        Raises:
            ModelError: one can't be loaded, or its agent's model takes none; models before it have taken up theirs.
        """
        for runtime in self._all():
            mine = {agent: one for agent, one in adapters.items() if self._others.get(agent, self._first) is runtime}
            if isinstance(runtime, Adaptable):
                await runtime.use_adapters(mine, drained=drained)
            elif mine:
                raise ModelError(f"the model of {', '.join(mine)} takes no adapters: see docs/local-models.md")

    @property
    def info(self) -> ModelInfo:
        """The first model."""
        return self._first.info

    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion:
        """Answer a chat by the first model."""
        return await self._first.chat(messages, options)

    def stream(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> AsyncIterator[Chunk]:
        """``chat`` in pieces."""
        return self._first.stream(messages, options)

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels by the first model, shape (P, L)."""
        return await self._first.score(prompts, labels, prefix=prefix)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states of the first model, shape (len(texts), width)."""
        return await self._first.embed(texts)

    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue:
        """Generate under a JSON schema by the first model."""
        return await self._first.generate_json(messages, schema, options)

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text, as the first model cuts it."""
        return await self._first.count_tokens(text)

    async def stats(self) -> RuntimeStats:
        """The first model's; ``for_agent`` has each agent's."""
        return await self._first.stats()

    async def forget_texts(self) -> None:
        """Have each model let go of what it was asked."""
        await asyncio.gather(*(forget_texts(runtime) for runtime in self._all()))

    async def close(self) -> None:
        """Close all models. Idempotent."""
        await asyncio.gather(*(runtime.close() for runtime in self._all()))

    def _all(self) -> tuple[Runtime, ...]:
        return (self._first, *self._others.values())


class AbsentRuntime:
    """Stands where a model could not be opened: says what it would be, and refuses every call with the reason.

    Its agent answers without a model then, marked as degraded, while the others have theirs.
    """

    def __init__(self, info: ModelInfo, reason: str) -> None:
        self._info = info
        self._reason = reason

    @property
    def info(self) -> ModelInfo:
        """What was asked for."""
        return self._info

    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion:
        """Refuse."""
        raise ModelError(self._reason)

    async def stream(
        self, messages: Sequence[Message], options: GenerateOptions | None = None
    ) -> AsyncGenerator[Chunk]:
        """Refuse."""
        raise ModelError(self._reason)
        yield Chunk("")  # makes this a generator, as every stream is

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Refuse."""
        raise ModelError(self._reason)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Refuse."""
        raise ModelError(self._reason)

    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue:
        """Refuse."""
        raise ModelError(self._reason)

    async def count_tokens(self, text: str) -> int:
        """Refuse."""
        raise ModelError(self._reason)

    async def stats(self) -> RuntimeStats:
        """Nothing was asked of it."""
        return RuntimeStats(0, 0, 0, 0, 0, 0.0)

    async def close(self) -> None:
        """Nothing to close."""
