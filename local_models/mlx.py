"""MLX, for Apple silicon: models of mlx-lm, with LoRA adapters by name.

Its libraries live in an environment of their own: ``scripts/env.sh mlx`` makes ``.venvs/mlx``. On Linux the same code
runs on the CPU, for tests.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.local_models.adapter_file import AdapterFile, check_fit
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.live_runtime import LiveRuntime
from shopfloor.local_models.mlx_files import MlxSource, find_source
from shopfloor.local_models.mlx_model import MlxModel
from shopfloor.local_models.runtime import ModelInfo, RuntimeStats
from shopfloor.local_models.scoring import single_token
from shopfloor.local_models.streaming import Ask, Piece
from shopfloor.local_models.turns import Steps, Turns
from shopfloor.local_models.workers import Call


@dataclass(frozen=True, slots=True)
class MlxOptions:
    """What to load and how. ``model`` is a GGUF file or a folder; without it ``repository`` is taken."""

    model: Path | None
    repository: str
    models_path: Path
    context: int
    slots: int
    timeout_s: float
    profile: str


class _Store:
    """Adapters in memory, by the hash of their file, and how many still need each."""

    def __init__(self, turns: Turns, model: MlxModel, source: MlxSource) -> None:
        self._turns = turns
        self._model = model
        self._source = source
        self._lock = threading.Lock()
        self._pins: dict[str, int] = {}

    def attach(self, adapter: AdapterFile) -> None:
        """Have an adapter at hand, pinned (blocking)."""
        file = self._source.file
        assert file is not None
        if not self.has(adapter.sha256):
            self._turns.order(lambda: self._model.load_adapter(adapter, file.header))
        self.pin(adapter.sha256)

    def pin(self, name: str) -> None:
        """Keep an adapter that is at hand."""
        with self._lock:
            self._pins[name] = self._pins.get(name, 0) + 1

    def release(self, name: str) -> None:
        """Undo one pin; the last one lets the adapter go."""
        with self._lock:
            self._pins[name] -= 1
            if self._pins[name] == 0:
                del self._pins[name]
                self._model.free_adapter(name)

    def has(self, name: str) -> bool:
        """Whether an adapter is still at hand."""
        return name in self._pins


@dataclass(slots=True)
class _Shared:
    """What all views of one model have in common."""

    turns: Turns
    model: MlxModel
    source: MlxSource
    store: _Store
    labels: dict[str, int] = field(default_factory=dict[str, int])
    closed: bool = False


class MlxRuntime(LiveRuntime):
    """Implements :class:`~shopfloor.local_models.runtime.Runtime`; make one with :meth:`open`."""

    def __init__(self, shared: _Shared, info: ModelInfo, timeout_s: float) -> None:
        super().__init__(info, timeout_s, shared.store)
        self._shared = shared
        self._turns = shared.turns
        self._model = shared.model

    @classmethod
    async def open(cls, options: MlxOptions) -> "MlxRuntime":
        """Load the model without holding up the event loop.

        Raises:
            ConfigError: the libraries are not installed.
            ModelMissingError: the model is not there.
            ModelError: it can't be loaded.
        """
        turns = Turns(options.slots)
        try:
            source, model = await asyncio.to_thread(turns.order, lambda: _load(options))
        except BaseException:
            await asyncio.to_thread(turns.close)
            raise
        info = ModelInfo(
            name=source.name,
            source_hash=source.source_hash,
            form_hash=source.form_hash,
            quantisation=model.precision,
            runtime="mlx",
            profile=options.profile,
            licence=source.licence,
            context=model.context,
        )
        store = _Store(turns, model, source)
        return cls(_Shared(turns, model, source, store), info, options.timeout_s)

    def _check_adapters(self, adapters: Adapters) -> None:
        self._check_open()
        for adapter in adapters.values():
            if self._shared.source.file is None:
                raise ModelError("adapters need a model from a GGUF file here: set SHOPFLOOR_MODEL to one")
            check_fit(adapter, self._shared.source.file.header, self._shared.source.source_hash)

    async def _pieces(self, ask: Ask) -> AsyncGenerator[Piece]:
        call = self._start(lambda call, adapter: self._model.generate(ask, adapter, call))
        try:
            async for piece in call.events():
                yield piece
        finally:
            call.stop()

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L)."""
        if not prompts or not labels:
            return np.zeros((len(prompts), len(labels)), dtype=np.float32)
        ids = [self._label_id(label) for label in labels]
        texts = [prefix + prompt for prompt in prompts]
        return await self._measured(
            "score", self._result(lambda call, adapter: self._model.score(texts, ids, adapter, call))
        )

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states of the last layer, shape (len(texts), width)."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        return await self._measured(
            "embed", self._result(lambda call, adapter: self._model.embed(texts, adapter, call))
        )

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        self._check_open()
        return len(await asyncio.to_thread(self._model.tokens, text))

    async def stats(self) -> RuntimeStats:
        """Counters, latencies, and the memory of MLX's arrays."""
        return replace(await super().stats(), memory_mb=self._model.memory_mb)

    async def close(self) -> None:
        """Stop what runs. Idempotent."""
        self._shared.closed = True
        await asyncio.to_thread(self._turns.close)

    async def _result(self, make: Callable[[Call, str | None], Steps]) -> NDArray[np.float32]:
        call = self._start(make)
        try:
            results = [result async for result in call.events()]
        finally:
            call.stop()
        return results[0]

    def _start(self, make: Callable[[Call, str | None], Steps]) -> Call:
        self._check_open()

        def start(adapter: str | None) -> Call:
            if adapter is not None:
                self._shared.store.pin(adapter)
            return self._turns.start(
                lambda call: make(call, adapter),
                lambda: self._shared.store.release(adapter) if adapter is not None else None,
            )

        return self._live.begin(self._agent, start)

    def _label_id(self, label: str) -> int:
        self._check_open()
        labels = self._shared.labels
        if label not in labels:
            labels[label] = single_token(label, self._model.tokens(label))
        return labels[label]

    def _check_open(self) -> None:
        if self._shared.closed:
            raise ModelError("the local model is shut down")


def _load(options: MlxOptions) -> tuple[MlxSource, MlxModel]:
    source = find_source(options.model, options.repository, options.models_path)
    return source, MlxModel(source.location, options.context)
