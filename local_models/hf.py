"""Transformers, with PEFT adapters by name: CUDA (four-bit weights where asked), Apple's MPS, or a CPU.

Its libraries are large and live in an environment of their own: ``scripts/env.sh hf`` makes ``.venvs/hf``.
"""

import asyncio
import copy
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.hf_files import HfSource, find_source
from shopfloor.local_models.hf_model import HfModel, Put
from shopfloor.local_models.meter import Meter
from shopfloor.local_models.runtime import ModelInfo, RuntimeStats
from shopfloor.local_models.scoring import single_token
from shopfloor.local_models.slots import SlotPool
from shopfloor.local_models.streaming import Ask, Piece, StreamingRuntime
from shopfloor.local_models.workers import Call, Workers

T = TypeVar("T")
PEFT_FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class HfOptions:
    """What to load and how. ``model`` is a GGUF file or a folder; without it ``repository`` is taken."""

    model: Path | None
    repository: str
    models_path: Path
    context: int
    slots: int
    threads: int
    timeout_s: float
    profile: str
    four_bit: bool = False


class HfRuntime(StreamingRuntime):
    """Implements :class:`~shopfloor.local_models.runtime.Runtime`; make one with :meth:`open`."""

    slots = 1  # to warm: it keeps no slot's prompts

    def __init__(self, model: HfModel, info: ModelInfo, options: HfOptions) -> None:
        super().__init__(info, options.timeout_s)
        self._model = model
        self._slots = SlotPool(options.slots)
        self._workers = Workers(options.slots)
        self._adapter: str | None = None
        self._loaded: set[str] = set()
        self._names: dict[str, str] | None = None  # by agent, on a side
        self._uses: Counter[str] = Counter()  # sides that have an adapter, by its name
        self._loading = asyncio.Lock()
        self._closed = False

    @classmethod
    async def open(cls, options: HfOptions) -> "HfRuntime":
        """Load the model without holding up the event loop.

        Raises:
            ConfigError: the libraries are not installed.
            ModelMissingError: the model is not there.
            ModelError: it can't be loaded.
        """
        source, model = await asyncio.to_thread(_load, options)
        info = ModelInfo(
            name=source.name,
            source_hash=source.source_hash,
            form_hash=source.form_hash,
            quantisation="nf4" if options.four_bit and model.device == "cuda" else model.precision,
            runtime="hf",
            profile=options.profile,
            licence=source.licence,
            context=model.context,
        )
        return cls(model, info, options)

    async def _pieces(self, ask: Ask) -> AsyncGenerator[Piece]:
        adapter = self._adapter
        call = await self._start(lambda running: self._model.generate(ask, adapter, running.put))
        try:
            async for piece in call.events():
                yield piece
        finally:
            call.stop()

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L)."""
        if not prompts or not labels:
            return np.zeros((len(prompts), len(labels)), dtype=np.float32)
        ids = [await self._label_id(label) for label in labels]
        texts, adapter = [prefix + prompt for prompt in prompts], self._adapter
        return await self._measured("score", self._run(lambda put: self._model.score(texts, ids, adapter, put)))

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states of the last layer, shape (len(texts), width)."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        adapter = self._adapter
        return await self._measured("embed", self._run(lambda _put: self._model.embed(texts, adapter)))

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        self._check_open()
        return len(await asyncio.to_thread(self._model.tokens, text))

    async def stats(self) -> RuntimeStats:
        """Counters, latencies, and the memory of the weights."""
        return replace(await super().stats(), memory_mb=self._model.memory_mb)

    async def use_adapter(self, name: str | None, folder: Path | None = None) -> None:
        """Answer with a PEFT adapter from now on, or with the base alone; requests under way keep what they started with.

        Args:
            name: the adapter's name, its content hash by custom.
            folder: where it lies; needed the first time a name is used.

        Raises:
            ModelError: it can't be loaded; nothing changes.
        """
        if name is not None and name not in self._loaded:
            if folder is None:
                raise ModelError(f"there is no adapter {name!r} here: name its folder")
            await asyncio.to_thread(self._model.load_adapter, name, folder)
            self._loaded.add(name)
        self._adapter = name
        self._info = replace(self._info, adapter=name)

    async def beside(self, adapters: Adapters) -> "HfRuntime":
        """A side over the same weights, with PEFT adapters by agent; closing it gives up its adapters alone.

        Raises:
            ModelError: an adapter can't be loaded; nothing changes.
        """
        async with self._loading:
            for adapter in adapters.values():
                if adapter.identity not in self._loaded:
                    folder = adapter.folder or adapter.path.parent
                    if not all((folder / name).is_file() for name in PEFT_FILES):
                        raise ModelError(
                            f"the adapter {adapter.identity[:12]} lacks {' and '.join(PEFT_FILES)}, which transformers "
                            "needs: import the folder that has them beside the GGUF file"
                        )
                    await asyncio.to_thread(self._model.load_adapter, adapter.identity, folder)
                    self._loaded.add(adapter.identity)
            side = copy.copy(self)
            side._names = {agent: adapter.identity for agent, adapter in adapters.items()}
            side._meter = Meter()
            self._uses.update(set(side._names.values()))
        return side

    def for_agent(self, agent: str) -> "HfRuntime":
        """The same model with an agent's adapter, or without one."""
        if self._names is None:
            return self
        view = copy.copy(self)
        view._adapter = self._names.get(agent)
        view._info = replace(self._info, adapter=view._adapter)
        return view

    async def close(self) -> None:
        """Stop what runs and give the memory up. Idempotent."""
        if self._names is not None:
            await self._leave(set(self._names.values()))
            return
        self._closed = True
        await asyncio.to_thread(self._workers.close)

    async def _leave(self, names: set[str]) -> None:
        self._names = {}
        async with self._loading:
            self._uses.subtract(names)
            for name in names:
                if self._uses[name] <= 0 and name in self._loaded:
                    self._loaded.discard(name)
                    await asyncio.to_thread(self._model.unload_adapter, name)

    def _check_open(self) -> None:
        if self._closed:
            raise ModelError("the local model is shut down")

    async def _label_id(self, label: str) -> int:
        self._check_open()
        return single_token(label, await asyncio.to_thread(self._model.tokens, label))

    async def _start(self, work: Callable[[Call], None]) -> Call:
        self._check_open()
        slot = await self._slots.acquire("")
        return self._workers.start(work, lambda: self._slots.release(slot))

    async def _run(self, work: Callable[[Put], T]) -> T:
        results: list[T] = []
        call = await self._start(lambda running: results.append(work(lambda _piece: running.stopped)))
        try:
            async for _event in call.events():
                pass
        finally:
            call.stop()
        return results[0]


def _load(options: HfOptions) -> tuple[HfSource, HfModel]:
    source = find_source(options.model, options.repository, options.models_path)
    return source, HfModel(source.location, options.context, options.threads, four_bit=options.four_bit)
