"""The encoder: the embedded model's first blocks, mean-pooled, as features for the router's linear heads.

Texts longer than its window are embedded in windows and averaged by length: nothing is cut away, nothing overflows.
"""

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.local_models.llama_server import LlamaServer, ServerOptions

WINDOW_TOKENS = 512
# A byte-level vocabulary never makes more tokens than bytes; the few more are for tokens the model adds itself.
WINDOW_BYTES = WINDOW_TOKENS - 8
CACHE_SIZE = 4096
BATCH = 32
NOTHING = "."
"""Read in place of what is to be forgotten."""


class Encoder:
    """Texts to vectors. Safe for many callers and event loops at once; make one with :meth:`open`."""

    def __init__(self, server: LlamaServer, form_hash: str, width: int) -> None:
        self._server = server
        self._hash = form_hash
        self._width = width
        self._cache: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    async def open(cls, options: ServerOptions, form_hash: str, width: int) -> "Encoder":
        """Load the shortened model without holding up the event loop."""
        return cls(await asyncio.to_thread(LlamaServer, options), form_hash, width)

    @property
    def hash(self) -> str:
        """Names the weights and the depth: vectors of encoders with the same hash may be compared."""
        return self._hash

    @property
    def width(self) -> int:
        """Length of a vector."""
        return self._width

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states, float32 of shape (len(texts), width), not normalised.

        Raises:
            ModelError: the encoder is closed or failed.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        found = {key: vector for key in keys if (vector := self._cached(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            vectors = await asyncio.to_thread(self._embed_all, list(missing.values()))
            for key, vector in zip(missing, vectors, strict=True):
                found[key] = vector
                self._remember(key, vector)
        return np.array([found[key] for key in keys], dtype=np.float32).reshape(len(texts), self._width)

    async def forget_texts(self) -> None:
        """Let go of what was embedded: the vectors kept here, and what the model's slots still hold."""
        with self._lock:
            self._cache.clear()
        await asyncio.to_thread(self._server.embed, [NOTHING] * BATCH)

    async def close(self) -> None:
        """Free the memory. Idempotent."""
        await asyncio.to_thread(self._server.close)

    def _embed_all(self, texts: list[str]) -> list[NDArray[np.float32]]:
        parts = [(index, part) for index, text in enumerate(texts) for part in _windows(text)]
        sums = np.zeros((len(texts), self._width), dtype=np.float64)
        weights = np.zeros((len(texts), 1))
        for start in range(0, len(parts), BATCH):
            batch = parts[start : start + BATCH]
            rows = self._server.embed([part for _, part in batch])
            for (index, part), row in zip(batch, rows, strict=True):
                weight = len(part.encode("utf-8", "replace"))
                sums[index] += np.asarray(row) * weight
                weights[index] += weight
        return list((sums / weights).astype(np.float32))

    def _cached(self, key: bytes) -> NDArray[np.float32] | None:
        with self._lock:
            vector = self._cache.get(key)
            if vector is not None:
                self._cache.move_to_end(key)
            return vector

    def _remember(self, key: bytes, vector: NDArray[np.float32]) -> None:
        with self._lock:
            self._cache[key] = vector
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)


def _windows(text: str) -> list[str]:
    """Parts of at most WINDOW_BYTES bytes, cut between characters, at spaces where there are any; an empty text is a space."""
    data = text.encode("utf-8", "replace")
    if len(data) <= WINDOW_BYTES:
        return [data.decode() or " "]
    parts: list[str] = []
    start = 0
    while start < len(data):
        end = min(start + WINDOW_BYTES, len(data))
        if end < len(data):
            space = data.rfind(b" ", start + WINDOW_BYTES // 2, end)
            if space > 0:
                end = space
            else:
                while data[end] & 0xC0 == 0x80:  # inside a character
                    end -= 1
        parts.append(data[start:end].decode())
        start = end
    return parts
