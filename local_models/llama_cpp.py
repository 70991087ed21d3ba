"""llama.cpp by llama-cpp-python: any GGUF file, on CUDA, Metal or a CPU, as the library was compiled.

Adapters are attached and let go while it serves: requests keep the one they started with, and several are served at once
over one base model. The library is compiled at installation and has an environment of its own:
``scripts/env.sh llama-cpp`` makes ``.venvs/llama-cpp``.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.local_models.adapter_file import check_fit
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.files import ModelFile, file_hash, find_model, open_model_file
from shopfloor.local_models.gguf_file import read_header
from shopfloor.local_models.live_runtime import LiveRuntime
from shopfloor.local_models.llama_cpp_engine import LlamaEngine
from shopfloor.local_models.llama_cpp_model import LlamaModel
from shopfloor.local_models.llama_cpp_tasks import Embedding, Generation, Scoring, Task, check_fits
from shopfloor.local_models.llama_server import usable_cores
from shopfloor.local_models.preparing import prepared_form
from shopfloor.local_models.runtime import ModelInfo
from shopfloor.local_models.scoring import single_token
from shopfloor.local_models.streaming import Ask, Piece
from shopfloor.local_models.workers import Call
from shopfloor.settings import Settings

T = TypeVar("T")
BATCH = 256


@dataclass(frozen=True, slots=True)
class LlamaCppOptions:
    """What to load and how. ``context`` is in tokens for each slot."""

    source: ModelFile
    path: Path
    context: int
    slots: int
    threads: int


@dataclass(slots=True)
class _Shared:
    """What all views of one model have in common."""

    model: LlamaModel
    engine: LlamaEngine
    source: ModelFile
    labels: dict[str, int] = field(default_factory=dict[str, int])
    closed: bool = False


class LlamaCppRuntime(LiveRuntime):
    """Implements :class:`~shopfloor.local_models.runtime.Runtime`; make one with :meth:`open`."""

    def __init__(self, shared: "_Shared", info: ModelInfo, timeout_s: float) -> None:
        super().__init__(info, timeout_s, shared.engine)
        self._shared = shared
        self._engine = shared.engine

    @classmethod
    async def open(cls, options: LlamaCppOptions, info: ModelInfo, timeout_s: float) -> "LlamaCppRuntime":
        """Load the model without holding up the event loop.

        Raises:
            ConfigError: llama-cpp-python is not installed.
            ModelError: llama.cpp can't load the file.
        """
        model = await asyncio.to_thread(
            LlamaModel, options.path, options.context, options.slots, options.threads, BATCH
        )
        engine = LlamaEngine(model, options.slots, BATCH)
        shared = _Shared(model, engine, options.source)
        return cls(shared, replace(info, context=model.context), timeout_s)

    def _check_adapters(self, adapters: Adapters) -> None:
        self._check_open()
        for adapter in adapters.values():
            check_fit(adapter, self._shared.source.header, self._shared.source.sha256)

    async def _pieces(self, ask: Ask) -> AsyncGenerator[Piece]:
        tokens, grammar = await asyncio.to_thread(self._read, lambda model: _prepare(model, ask))
        call = self._submit(lambda call, adapter: Generation(call, self._shared.model, ask, tokens, grammar, adapter))
        try:
            async for piece in call.events():
                yield piece
        finally:
            call.stop()

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L)."""
        if not prompts or not labels:
            return np.zeros((len(prompts), len(labels)), dtype=np.float32)
        texts = [prefix + prompt for prompt in prompts]
        return await self._measured("score", self._score(texts, labels))

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states of the last layer, shape (len(texts), width)."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        return await self._measured("embed", self._embed(texts))

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        return len(await asyncio.to_thread(self._read, lambda model: model.tokens(text, special=False)))

    async def forget_texts(self) -> None:
        """Empty every sequence's cache; one that is busy, when its request has ended."""
        await asyncio.to_thread(self._engine.forget)

    async def close(self) -> None:
        """Stop what runs and free the memory. Idempotent."""
        self._shared.closed = True
        await asyncio.to_thread(self._engine.close)

    async def _score(self, texts: list[str], labels: Sequence[str]) -> NDArray[np.float32]:
        ids, prompts = await asyncio.to_thread(
            self._read, lambda model: ([self._label_id(model, label) for label in labels], _texts(model, texts, 1))
        )
        return await self._result(lambda call, adapter: Scoring(call, prompts, ids, adapter))

    async def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = await asyncio.to_thread(self._read, lambda model: _texts(model, texts, 0))
        return await self._result(lambda call, adapter: Embedding(call, tokens, adapter))

    async def _result(self, make: Callable[[Call, str | None], Task]) -> NDArray[np.float32]:
        call = self._submit(make)
        try:
            results = [result async for result in call.events()]
        finally:
            call.stop()
        return results[0]

    def _submit(self, make: Callable[[Call, str | None], Task]) -> Call:
        self._check_open()
        call = Call()
        self._live.begin(self._agent, lambda adapter: self._engine.submit(make(call, adapter)))
        return call

    def _read(self, work: Callable[[LlamaModel], T]) -> T:
        self._check_open()
        return self._engine.read(work)

    def _label_id(self, model: LlamaModel, label: str) -> int:
        labels = self._shared.labels
        if label not in labels:
            labels[label] = single_token(label, model.tokens(label, special=False))
        return labels[label]

    def _check_open(self) -> None:
        if self._shared.closed:
            raise ModelError("the local model is shut down")


async def open_llama_cpp(settings: Settings, profile: str) -> LlamaCppRuntime:
    """Load the model file of the settings, in its faster form when that is ready.

    Raises:
        ConfigError: llama-cpp-python is not installed.
        ModelMissingError: the file is absent, damaged or no model.
        ModelError: llama.cpp can't load it.
    """
    options, info = await asyncio.to_thread(_choose, settings, profile)
    return await LlamaCppRuntime.open(options, info, settings.model_timeout_s)


def _choose(settings: Settings, profile: str) -> tuple[LlamaCppOptions, ModelInfo]:
    folder = settings.models_path
    source = open_model_file(find_model(settings), folder)
    form = prepared_form(source, folder) if settings.model_form != "shipped" else None
    path = form or source.path
    info = ModelInfo(
        name=source.name,
        source_hash=source.sha256,
        form_hash=file_hash(path, folder),
        quantisation=read_header(path).quantisation,
        runtime="llama-cpp",
        profile=profile,
        licence=source.licence,
        context=settings.model_ctx,
    )
    threads = settings.model_threads or usable_cores()
    return LlamaCppOptions(source, path, settings.model_ctx, settings.model_slots, threads), info


def _prepare(model: LlamaModel, ask: Ask) -> tuple[list[int], str | None]:
    """The tokens of a chat, and the grammar of its answer."""
    tokens = model.chat_tokens(ask.messages)
    check_fits(tokens, model.context - 1, model.context)
    grammar = model.grammar_of(json.dumps(ask.schema)) if ask.schema is not None else ask.options.grammar
    return tokens, grammar


def _texts(model: LlamaModel, texts: Sequence[str], spare: int) -> list[list[int]]:
    """The tokens of raw texts, each of which must leave ``spare`` tokens of the context."""
    found = [model.tokens(text, special=True) or [model.begin()] for text in texts]
    for tokens in found:
        check_fits(tokens, model.context - spare, model.context)
    return found
