"""Forms derived from a model file: the same weights, stored so that this service runs faster.

* ``q8_0``: every block weight re-quantised to Q8_0. llama.cpp has fast CPU kernels for it, not for Q4_1.
* ``encoder-N``: the first N blocks, in Q8_0. Middle layers tell requests apart better than the last one, and cost less.

A form is named by the hash of its source and its recipe, written atomically, and made once.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.files import ModelFile
from shopfloor.local_models.gguf_file import GgufHeader, TensorInfo, read_header
from shopfloor.local_models.locking import exclusive, replacing

FILE_TYPE_Q8_0 = 7
Q8_0_BLOCK = 32
KEPT = frozenset({GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.Q8_0})

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to derive a form: all block weights to Q8_0, and only the first ``blocks`` blocks (0: all)."""

    blocks: int = 0

    @property
    def name(self) -> str:
        """The recipe's part of the file name."""
        return f"encoder-{self.blocks}" if self.blocks else "q8_0"

    def identity(self, source: ModelFile) -> str:
        """SHA-256 that names this form by its source and recipe, so it is the same wherever the file is made."""
        return hashlib.sha256(f"{source.sha256} {self.name} q8_0".encode()).hexdigest()

    def path(self, source: ModelFile, folder: Path) -> Path:
        """Where the form of this source lies."""
        return folder / f"{source.sha256[:16]}.{self.name}.gguf"


def derive(source: ModelFile, recipe: Recipe, folder: Path, progress: Progress | None = None) -> Path:
    """Make the form if it is not there (blocking, about a second for 6 blocks, longer for all).

    Raises:
        ModelMissingError: the source has fewer blocks than asked for.
        ModelError: the disk is full or not writable.
    """
    target = recipe.path(source, folder)
    try:
        with exclusive(folder / f".{target.name}.lock"):
            if is_whole(target):
                return target
            for abandoned in folder.glob(f".{target.name}.*.part"):  # by a process that was killed while writing
                abandoned.unlink(missing_ok=True)
            with replacing(target) as temporary:
                _write(source.header, recipe, temporary, progress)
    except OSError as error:
        raise ModelError(
            f"the derived model file {target} can't be written ({error.strerror}): free some space or set SHOPFLOOR_MODELS"
        ) from error
    return target


def is_whole(path: Path) -> bool:
    """Whether a derived file is there and complete."""
    if not path.is_file():
        return False
    try:
        read_header(path)
    except ModelMissingError:
        return False
    return True


def _write(source: GgufHeader, recipe: Recipe, target: Path, progress: Progress | None) -> None:
    tensors = [tensor for tensor in source.tensors if _is_kept(tensor, recipe.blocks)]
    kinds = [_target_kind(tensor) for tensor in tensors]
    with target.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", source.version, len(tensors), len(source.meta)))
        file.write(_changed_metadata(source, recipe))
        offset = 0
        for tensor, kind in zip(tensors, kinds, strict=True):
            name = tensor.name.encode()
            file.write(struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.shape)))
            file.write(struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape) + struct.pack("<IQ", kind, offset))
            offset += _padded(_size_as(tensor, kind), source.alignment)
        file.write(b"\0" * (-file.tell() % source.alignment))
        done, total = 0, sum(tensor.size for tensor in tensors) or 1
        for tensor, data in _converted(source, tensors, kinds):
            data.tofile(file)
            file.write(b"\0" * (-data.nbytes % source.alignment))
            done += tensor.size
            if progress is not None:
                progress(done / total)


def _is_kept(tensor: TensorInfo, blocks: int) -> bool:
    parts = tensor.name.split(".")
    return not blocks or parts[0] != "blk" or int(parts[1]) < blocks


def _target_kind(tensor: TensorInfo) -> GGMLQuantizationType:
    rows_fit = len(tensor.shape) > 1 and tensor.shape[0] % Q8_0_BLOCK == 0
    return GGMLQuantizationType.Q8_0 if rows_fit and tensor.kind not in KEPT else tensor.kind


def _size_as(tensor: TensorInfo, kind: GGMLQuantizationType) -> int:
    if kind == tensor.kind:
        return tensor.size
    elements = int(np.prod(tensor.shape, dtype=np.int64))
    return elements // Q8_0_BLOCK * (Q8_0_BLOCK + 2)


def _padded(size: int, alignment: int) -> int:
    return size + -size % alignment


def _changed_metadata(source: GgufHeader, recipe: Recipe) -> bytes:
    with source.path.open("rb") as file:
        file.seek(source.meta_start)
        raw = bytearray(file.read(source.meta_end - source.meta_start))
    changes = {"general.file_type": FILE_TYPE_Q8_0}
    if recipe.blocks:
        changes[f"{source.architecture}.block_count"] = recipe.blocks
        if source.of_architecture("block_count") < recipe.blocks:
            raise ModelMissingError(f"{source.path} has fewer than {recipe.blocks} blocks: choose fewer")
    for key, value in changes.items():
        found = source.meta.get(key)
        if found is not None and found.kind in (4, 5):
            struct.pack_into("<I", raw, found.position - source.meta_start, value)
    return bytes(raw)


def _converted(
    source: GgufHeader, tensors: list[TensorInfo], kinds: list[GGMLQuantizationType]
) -> Iterator[tuple[TensorInfo, NDArray[np.uint8]]]:
    data: NDArray[np.uint8] = np.memmap(source.path, dtype=np.uint8, mode="r")
    for tensor, kind in zip(tensors, kinds, strict=True):
        raw = data[tensor.offset : tensor.offset + tensor.size]
        if kind == tensor.kind:
            yield tensor, raw
            continue
        rows = int(np.prod(tensor.shape[1:], dtype=np.int64))
        values = dequantize(raw.reshape(rows, -1), tensor.kind)
        yield tensor, quantize(values, kind).view(np.uint8)
