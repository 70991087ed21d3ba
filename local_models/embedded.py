"""The embedded runtime: a GGUF model served inside this process by xllamacpp, on any CPU, with nothing to install."""

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar, cast

import jsonschema
import numpy as np
from numpy.typing import NDArray
from opentelemetry import trace
from pydantic import JsonValue

from shopfloor.errors import ModelError, ModelTimeoutError
from shopfloor.local_models.llama_server import Call, Json, LlamaServer, ServerOptions
from shopfloor.local_models.meter import Meter
from shopfloor.local_models.runtime import Chunk, Completion, GenerateOptions, Message, ModelInfo, RuntimeStats
from shopfloor.local_models.scoring import score_prompt
from shopfloor.local_models.slots import SlotPool

T = TypeVar("T")
DEFAULTS = GenerateOptions()


class EmbeddedRuntime:
    """Implements :class:`~shopfloor.local_models.runtime.Runtime`; make one with :meth:`open`."""

    def __init__(
        self,
        server: LlamaServer,
        info: ModelInfo,
        slots: int,
        timeout_s: float,
        preparation: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        self._server = server
        self._info = info
        self._slots = SlotPool(slots)
        self._timeout_s = timeout_s
        self._meter = Meter()
        self._tracer = trace.get_tracer("shopfloor")
        self._labels: dict[str, int] = {}
        self._preparation = preparation

    @classmethod
    async def open(
        cls,
        options: ServerOptions,
        info: ModelInfo,
        timeout_s: float,
        preparation: "subprocess.Popen[bytes] | None" = None,
    ) -> "EmbeddedRuntime":
        """Load the model without holding up the event loop.

        Args:
            options: the file and how to load it.
            info: what to say of it.
            timeout_s: the longest any call may take, waiting included.
            preparation: a process that makes a faster form meanwhile; ended with the runtime.

        Raises:
            ModelError: llama.cpp can't load it.
        """
        server = await asyncio.to_thread(LlamaServer, options)
        return cls(server, info, options.slots, timeout_s, preparation)

    @property
    def info(self) -> ModelInfo:
        """What is loaded."""
        return self._info

    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion:
        """Answer a chat by the model's own chat template."""
        return await self._complete(_chat_body(messages, options or DEFAULTS), messages, options or DEFAULTS)

    def stream(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> AsyncGenerator[Chunk]:
        """``chat`` in pieces. Closing the generator stops the generation at once."""
        options = options or DEFAULTS
        # Handed out as it is: around another generator, closing would reach this one only some time later.
        return self._generate(_chat_body(messages, options), messages, options)

    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue:
        """Generate under a JSON schema.

        Raises:
            ModelError: the answer was cut at ``max_tokens``, or breaks the schema in a way grammars can't prevent.
        """
        options = options or GenerateOptions(max_tokens=256)
        body = _chat_body(messages, options)
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        completion = await self._complete(body, messages, options)
        try:
            value = json.loads(completion.text)
            jsonschema.validate(value, schema)
        except json.JSONDecodeError as error:
            reason = f"was cut at {options.max_tokens} tokens" if completion.finish_reason == "length" else "is no JSON"
            raise ModelError(f"the local model's JSON {reason}: allow more tokens or shorten the schema") from error
        except jsonschema.ValidationError as error:
            raise ModelError(f"the local model's JSON breaks its schema: {error.message}") from error
        return cast(JsonValue, value)

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L)."""
        if not prompts or not labels:
            return np.zeros((len(prompts), len(labels)), dtype=np.float32)
        ids = [await self._label_id(label) for label in labels]
        texts = [prefix + prompt for prompt in prompts]

        def work(call: Call, slot: int) -> NDArray[np.float32]:
            rows: list[list[float]] = []
            for text in texts:
                if call.stopped:
                    raise ModelError("the scoring was stopped")
                rows.append(score_prompt(self._server.complete, text, ids, slot))
            return np.array(rows, dtype=np.float32)

        return await self._run("score", texts[0], work)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states of the last layer, shape (len(texts), width)."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)

        def work(_call: Call, _slot: int) -> NDArray[np.float32]:
            return np.array(self._server.embed(list(texts)), dtype=np.float32)

        return await self._run("embed", "", work)

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        return len(await asyncio.to_thread(self._server.tokens, text))

    async def stats(self) -> RuntimeStats:
        """Counters, latencies and memory."""
        return self._meter.stats()

    async def close(self) -> None:
        """Stop what runs and free the memory. Idempotent."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._server.close()
        if self._preparation is not None:
            self._preparation.terminate()  # what it has not finished is begun anew at the next start
            self._preparation.wait()

    async def _label_id(self, label: str) -> int:
        if label not in self._labels:
            tokens = await asyncio.to_thread(self._server.tokens, label)
            if len(tokens) != 1:
                raise ModelError(f"the label {label!r} is {len(tokens)} tokens; labels must be single tokens")
            self._labels[label] = tokens[0]
        return self._labels[label]

    async def _run(self, kind: str, text: str, work: Callable[[Call, int], T]) -> T:
        """Run blocking work on a slot, with a time limit, a span and the counters."""
        results: list[T] = []
        with self._tracer.start_as_current_span(f"model.{kind}", attributes=self._attributes()), self._meter.request():
            deadline = asyncio.get_running_loop().time() + self._timeout_s
            slot = await _until(deadline, self._slots.acquire(text))
            call = self._server.start(
                lambda running: results.append(work(running, slot)), lambda: self._slots.release(slot)
            )
            try:
                await _until(deadline, _drain(call))
            finally:
                call.stop()
            return results[0]

    async def _complete(self, body: Json, messages: Sequence[Message], options: GenerateOptions) -> Completion:
        async with contextlib.aclosing(self._generate(body, messages, options)) as chunks:
            async for chunk in chunks:
                if chunk.completion is not None:
                    return chunk.completion
        raise ModelError("the local model ended without an answer")

    async def _generate(
        self, body: Json, messages: Sequence[Message], options: GenerateOptions
    ) -> AsyncGenerator[Chunk]:
        started = time.perf_counter()
        deadline = asyncio.get_running_loop().time() + min(options.timeout_s, self._timeout_s)
        # Not made the current span: a generator may be closed in another context than it was started in.
        span = self._tracer.start_span("model.generate", attributes=self._attributes())
        try:
            with self._meter.request():
                slot = await _until(deadline, self._slots.acquire("\n".join(message.content for message in messages)))
                body = {**body, "id_slot": slot}
                call = self._server.start(
                    lambda running: self._server.chat(body, running), lambda: self._slots.release(slot)
                )
                reader = _Reader(started)
                try:
                    events = call.events()
                    while (event := await _until(deadline, anext(events, None))) is not None:
                        if text := reader.read(event):
                            yield Chunk(text)
                finally:
                    call.stop()
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

    def _attributes(self) -> dict[str, str]:
        return {"gen_ai.request.model": self._info.name, "shopfloor.model.form_hash": self._info.form_hash}


class _Reader:
    """Puts the chunks of one stream together."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._texts: list[str] = []
        self._first_s: float | None = None
        self._finish = "stop"
        self._usage: Json = {}
        self._timings: Json = {}

    def read(self, event: Json) -> str:
        """The text of a chunk, possibly empty."""
        self._usage = event.get("usage") or self._usage
        self._timings = event.get("timings") or self._timings
        text = ""
        choices: list[Json] = event.get("choices") or []
        for choice in choices:
            self._finish = choice.get("finish_reason") or self._finish
            delta: Json = choice.get("delta") or {}
            text += str(delta.get("content") or "")
        if text:
            if self._first_s is None:
                self._first_s = time.perf_counter() - self._started
            self._texts.append(text)
        return text

    @property
    def decode_s(self) -> float:
        """Seconds the server spent on generating."""
        return float(self._timings.get("predicted_ms", 0.0)) / 1000

    def completion(self) -> Completion:
        """The finished generation."""
        seconds = time.perf_counter() - self._started
        return Completion(
            text="".join(self._texts),
            prompt_tokens=int(self._usage.get("prompt_tokens", 0)),
            completion_tokens=int(self._usage.get("completion_tokens", 0)),
            seconds=seconds,
            first_token_s=self._first_s if self._first_s is not None else seconds,
            finish_reason="length" if self._finish == "length" else "stop",
        )


def _chat_body(messages: Sequence[Message], options: GenerateOptions) -> Json:
    body: Json = {
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "cache_prompt": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # so that a long prompt can be stopped between its pieces
    }
    if options.stop:
        body["stop"] = list(options.stop)
    if options.grammar is not None:
        body["grammar"] = options.grammar
    return body


async def _drain(call: Call) -> None:
    async for _event in call.events():
        pass


async def _until(deadline: float, waited: Awaitable[T]) -> T:
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
