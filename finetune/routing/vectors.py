"""Keeps the encoder's vectors on disk, so that training again on mostly the same texts takes seconds, not minutes.

One file an encoder: half-precision vectors under the hashes of their texts. A damaged file is made anew.
"""

import hashlib
import io
import logging
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopfloor.graph.local_router import TextEncoder
from shopfloor.local_models.locking import write_atomically

Floats = NDArray[np.float32]

FORM = 2
"""Counted up when vectors that were kept are not to be used any more."""
BATCH = 16
SAVE_EVERY = 512
KEY_BYTES = 12

_LOG = logging.getLogger(__name__)


class VectorCache:
    """Vectors of one encoder, read from and written to one file in ``folder``."""

    def __init__(self, folder: Path, encoder: TextEncoder) -> None:
        self._path = folder / f"vectors-{FORM}-{encoder.hash[:16]}.npz"
        self._encoder = encoder
        self._vectors = _read(self._path)

    async def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Floats:
        """Vectors of the texts, shape (len(texts), width); those that are not kept yet are made and kept.

        Raises:
            ModelError: the encoder failed. What was made before that is kept.
        """
        keys = [_key(text) for text in texts]
        missing = list({key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}.items())
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            made = await self._encoder.embed([text for _, text in batch])
            self._vectors.update((key, row.astype(np.float16)) for (key, _), row in zip(batch, made, strict=True))
            done = start + len(batch)
            if done % SAVE_EVERY == 0 or done == len(missing):
                self._write()
            if progress is not None:
                progress(len(texts) - len(missing) + done, len(texts))
        return np.array([self._vectors[key] for key in keys], np.float32)

    def _write(self) -> None:
        content = io.BytesIO()
        names = np.frombuffer(b"".join(self._vectors), np.uint8).reshape(len(self._vectors), KEY_BYTES)
        np.savez(content, keys=names, vectors=np.array(list(self._vectors.values()), np.float16))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, content.getvalue())


def _read(path: Path) -> dict[bytes, NDArray[np.float16]]:
    if not path.is_file():
        return {}
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return {key.tobytes(): row for key, row in zip(kept["keys"], kept["vectors"], strict=True)}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _LOG.warning("the vectors in %s can't be read (%s); they are made anew", path, error)
        return {}


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]
