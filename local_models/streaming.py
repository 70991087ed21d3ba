"""What all runtimes share: deadlines, counters, spans, and whole answers put together from streamed pieces.

A runtime derives from :class:`StreamingRuntime` and says in ``_pieces`` how its library or server generates.
"""

import asyncio
import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import jsonschema
from opentelemetry import trace
from pydantic import JsonValue

from shopfloor.errors import ModelError, ModelTimeoutError
from shopfloor.local_models.meter import Meter
from shopfloor.local_models.runtime import Chunk, Completion, GenerateOptions, Message, ModelInfo, RuntimeStats

T = TypeVar("T")
DEFAULTS = GenerateOptions()
JSON_DEFAULTS = GenerateOptions(max_tokens=256)


@dataclass(frozen=True, slots=True)
class Ask:
    """One generation as asked for; with ``schema`` the answer is JSON under it."""

    messages: Sequence[Message]
    options: GenerateOptions
    schema: dict[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer. What is ``None`` is not known yet; ``decode_s`` are the seconds spent on generating alone."""

    text: str = ""
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    decode_s: float | None = None


class StreamingRuntime(ABC):
    """The part of :class:`~shopfloor.local_models.runtime.Runtime` that does not depend on what is behind it."""

    def __init__(self, info: ModelInfo, timeout_s: float) -> None:
        self._info = info
        self._timeout_s = timeout_s
        self._meter = Meter()
        self._tracer = trace.get_tracer("shopfloor")

    @property
    def info(self) -> ModelInfo:
        """What is loaded."""
        return self._info

    @abstractmethod
    def _pieces(self, ask: Ask) -> AsyncGenerator[Piece]:
        """Generate. Closing the generator, or cancelling the task in it, must stop the generation and free its slot."""

    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion:
        """Answer a chat by the model's own chat template."""
        return await self._complete(Ask(messages, options or DEFAULTS))

    def stream(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> AsyncGenerator[Chunk]:
        """``chat`` in pieces. Closing the generator stops the generation at once."""
        # Handed out as it is: around another generator, closing would reach this one only some time later.
        return self._generate(Ask(messages, options or DEFAULTS))

    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue:
        """Generate under a JSON schema.

        Raises:
            ModelError: the answer was cut at ``max_tokens``, or breaks the schema in a way grammars can't prevent.
        """
        options = options or JSON_DEFAULTS
        completion = await self._complete(Ask(messages, options, schema))
        try:
            value = json.loads(completion.text)
            jsonschema.validate(value, schema)
        except json.JSONDecodeError as error:
            reason = f"was cut at {options.max_tokens} tokens" if completion.finish_reason == "length" else "is no JSON"
            raise ModelError(f"the local model's JSON {reason}: allow more tokens or shorten the schema") from error
        except jsonschema.ValidationError as error:
            raise ModelError(f"the local model's JSON breaks its schema: {error.message}") from error
        return cast(JsonValue, value)

    async def stats(self) -> RuntimeStats:
        """Counters, latencies and memory."""
        return self._meter.stats()

    async def _complete(self, ask: Ask) -> Completion:
        async with contextlib.aclosing(self._generate(ask)) as chunks:
            async for chunk in chunks:
                if chunk.completion is not None:
                    return chunk.completion
        raise ModelError("the local model ended without an answer")

    async def _generate(self, ask: Ask) -> AsyncGenerator[Chunk]:
        reader = _Reader()
        deadline = asyncio.get_running_loop().time() + min(ask.options.timeout_s, self._timeout_s)
        # Not made the current span: a generator may be closed in another context than it was started in.
        span = self._tracer.start_span("model.generate", attributes=self._attributes())
        try:
            with self._meter.request():
                async with contextlib.aclosing(self._pieces(ask)) as pieces:
                    while (piece := await until(deadline, anext(pieces, None))) is not None:
                        if text := reader.read(piece):
                            yield Chunk(text)
                completion = reader.completion()
                self._meter.tokens(completion, reader.decode_s)
                span.set_attribute("gen_ai.usage.input_tokens", completion.prompt_tokens)
                span.set_attribute("gen_ai.usage.output_tokens", completion.completion_tokens)
            yield Chunk("", completion)
        except ModelError as error:
            span.set_status(trace.StatusCode.ERROR, error.code)
            raise
        finally:
            span.end()

    async def _measured(self, kind: str, work: Awaitable[T]) -> T:
        """Await work that is no generation, with the runtime's time limit, a span and the counters."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        with self._tracer.start_as_current_span(f"model.{kind}", attributes=self._attributes()), self._meter.request():
            return await until(deadline, work)

    def _attributes(self) -> dict[str, str]:
        return {"gen_ai.request.model": self._info.name, "shopfloor.model.form_hash": self._info.form_hash}


class _Reader:
    """Puts the pieces of one generation together."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._texts: list[str] = []
        self._first_s: float | None = None
        self._finish = "stop"
        self._prompt_tokens = self._completion_tokens = 0
        self._decode_s: float | None = None

    def read(self, piece: Piece) -> str:
        """The text of a piece, possibly empty."""
        self._finish = piece.finish or self._finish
        self._prompt_tokens = self._prompt_tokens if piece.prompt_tokens is None else piece.prompt_tokens
        self._completion_tokens = (
            self._completion_tokens if piece.completion_tokens is None else piece.completion_tokens
        )
        self._decode_s = self._decode_s if piece.decode_s is None else piece.decode_s
        if piece.text:
            if self._first_s is None:
                self._first_s = time.perf_counter() - self._started
            self._texts.append(piece.text)
        return piece.text

    @property
    def decode_s(self) -> float:
        """Seconds spent on generating: as the server says, else since the first piece."""
        if self._decode_s is not None:
            return self._decode_s
        return time.perf_counter() - self._started - (self._first_s or 0.0)

    def completion(self) -> Completion:
        """The finished generation."""
        seconds = time.perf_counter() - self._started
        return Completion(
            text="".join(self._texts),
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            seconds=seconds,
            first_token_s=self._first_s if self._first_s is not None else seconds,
            finish_reason="length" if self._finish == "length" else "stop",
        )


async def until(deadline: float, waited: Awaitable[T]) -> T:
    """Wait until a time on the loop's clock.

    Raises:
        ModelTimeoutError: the time was over first.
    """
    try:
        async with asyncio.timeout_at(deadline):
            return await waited
    except TimeoutError as error:
        raise ModelTimeoutError(
            "the local model took too long: try again, or raise SHOPFLOOR_MODEL_TIMEOUT_S"
        ) from error
