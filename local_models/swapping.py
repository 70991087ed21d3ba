"""Changes the adapter of a running model without a stop: blue and green.

The green side is opened and warmed beside the blue one that serves. Then one reference is flipped: calls that begin
later go to green, calls under way end on blue, and when the last of them is done blue is closed. Each side has its own
key-value cache, so no answer is ever read from a cache that another adapter filled.

Where memory does not hold two sides, blue is drained and closed first; calls wait meanwhile, within their time limits.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic import JsonValue

from shopfloor.errors import ModelError, ModelTimeoutError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.runtime import (
    Chunk,
    Completion,
    GenerateOptions,
    Message,
    ModelInfo,
    RuntimeStats,
)

WAIT_STEP_S = 0.02
RESERVE = 256 * 1024**2  # bytes that stay free beside two sides
WARM = GenerateOptions(max_tokens=1)


class StreamingSide(Protocol):
    """What can be put behind the switch: a runtime whose streams can be closed."""

    @property
    def info(self) -> ModelInfo: ...
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


Opener = Callable[[AdapterFile | None], Awaitable[StreamingSide]]


@dataclass(eq=False, slots=True)
class _Side:
    """A runtime and the calls that use it. ``drained`` is done when it is retired and the last call has left."""

    runtime: StreamingSide
    users: int = 0
    retired: bool = False
    drained: "Future[None]" = field(default_factory=lambda: Future[None]())


class SwappingRuntime:
    """Implements :class:`~shopfloor.local_models.runtime.Runtime` over a side that can be changed."""

    def __init__(
        self,
        side: StreamingSide,
        opener: Opener,
        *,
        needed: int,
        timeout_s: float,
        adapter: AdapterFile | None = None,
        warm: Sequence[Sequence[Message]] = (),
    ) -> None:
        """Serve with a side that is open.

        Args:
            side: what serves first.
            opener: opens a further side with an adapter, or without one.
            needed: bytes that a second side takes.
            timeout_s: the longest a call waits while there is no side.
            adapter: what the first side was opened with.
            warm: chats whose prompts a new side reads before it serves.
        """
        self._live: _Side | None = _Side(side)
        self._info = side.info
        self._adapter = adapter
        self._opener = opener
        self._needed = needed
        self._timeout_s = timeout_s
        self._warm = tuple(warm)
        self._lock = threading.Lock()
        self._swapping = False
        self._closed = False
        self._draining: set[asyncio.Task[None]] = set()
        self._past = RuntimeStats(0, 0, 0, 0, 0, 0.0)

    @property
    def info(self) -> ModelInfo:
        """What serves now."""
        return self._info

    async def use_adapter(self, adapter: AdapterFile | None) -> None:
        """Serve with another adapter, or none; returns when the old side has answered its last call and is closed.

        Raises:
            ModelError: a swap is under way already, or the new side can't be opened; then the old one goes on serving.
        """
        with self._lock:
            if self._closed or self._swapping:
                raise ModelError("the adapter is being changed already: try again when that is done")
            self._swapping = True
        try:
            if psutil.virtual_memory().available > self._needed + RESERVE:
                await self._swap_beside(adapter)
            else:
                await self._swap_after(adapter)
        finally:
            self._swapping = False

    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion:
        """Answer a chat by the model's own chat template."""
        with await self._enter() as runtime:
            return await runtime.chat(messages, options)

    def stream(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> AsyncGenerator[Chunk]:
        """``chat`` in pieces. Closing the generator stops the generation at once."""
        return self._stream(messages, options)

    async def _stream(self, messages: Sequence[Message], options: GenerateOptions | None) -> AsyncGenerator[Chunk]:
        with await self._enter() as runtime:
            async with contextlib.aclosing(runtime.stream(messages, options)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L)."""
        with await self._enter() as runtime:
            return await runtime.score(prompts, labels, prefix=prefix)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states, shape (len(texts), width)."""
        with await self._enter() as runtime:
            return await runtime.embed(texts)

    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue:
        """Generate under a JSON schema."""
        with await self._enter() as runtime:
            return await runtime.generate_json(messages, schema, options)

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        with await self._enter() as runtime:
            return await runtime.count_tokens(text)

    async def stats(self) -> RuntimeStats:
        """Counters over all sides so far; speed, latencies and memory of the one that serves."""
        with await self._enter() as runtime:
            return _added(self._past, await runtime.stats())

    async def close(self) -> None:
        """Stop what runs and free the memory. Idempotent."""
        with self._lock:
            self._closed = True
            side, self._live = self._live, None
        if side is not None:
            await side.runtime.close()

    async def _swap_beside(self, adapter: AdapterFile | None) -> None:
        green = await self._open(adapter)
        await self._retire(self._set(green, adapter))

    async def _swap_after(self, adapter: AdapterFile | None) -> None:
        before = self._adapter
        with self._lock:
            blue, self._live = self._live, None
        await self._retire(blue)
        try:
            green = await self._open(adapter)
        except BaseException:
            await self._retire(self._set(await self._open(before), before))  # come back with what served until now
            raise
        await self._retire(self._set(green, adapter))

    def _set(self, green: StreamingSide, adapter: AdapterFile | None) -> "_Side | None":
        """Put a side to work; returns the one to retire."""
        with self._lock:
            if self._closed:  # meanwhile
                return _Side(green)
            blue, self._live = self._live, _Side(green)
            self._info, self._adapter = green.info, adapter
            return blue

    async def _open(self, adapter: AdapterFile | None) -> StreamingSide:
        green = await self._opener(adapter)
        try:
            for messages in self._warm:
                await green.chat(messages, WARM)
        except BaseException:
            await green.close()
            raise
        return green

    async def _retire(self, side: _Side | None) -> None:
        """Let the last calls of a side end, then close it; goes on when the caller is cancelled."""
        if side is None:
            return
        with self._lock:
            side.retired = True
            if side.users == 0:
                side.drained.set_result(None)
        draining = asyncio.create_task(self._drain(side))
        self._draining.add(draining)
        draining.add_done_callback(self._draining.discard)
        await asyncio.shield(draining)

    async def _drain(self, side: _Side) -> None:
        await asyncio.wrap_future(side.drained)
        self._past = _added(self._past, await side.runtime.stats())
        await side.runtime.close()

    async def _enter(self) -> "contextlib.AbstractContextManager[StreamingSide]":
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        while True:
            with self._lock:
                if self._closed:
                    raise ModelError("the local model is shut down")
                if self._live is not None:
                    self._live.users += 1
                    return self._using(self._live)
            if asyncio.get_running_loop().time() > deadline:
                raise ModelTimeoutError("the local model is being changed: try again in a moment")
            await asyncio.sleep(WAIT_STEP_S)

    @contextlib.contextmanager
    def _using(self, side: _Side) -> Generator[StreamingSide]:
        try:
            yield side.runtime
        finally:
            with self._lock:
                side.users -= 1
                if side.retired and side.users == 0:
                    side.drained.set_result(None)


def _added(past: RuntimeStats, now: RuntimeStats) -> RuntimeStats:
    return replace(
        now,
        requests=past.requests + now.requests,
        failed=past.failed + now.failed,
        prompt_tokens=past.prompt_tokens + now.prompt_tokens,
        completion_tokens=past.completion_tokens + now.completion_tokens,
    )
