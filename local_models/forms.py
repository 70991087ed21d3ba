"""Forms derived from a model file: the same weights, stored so that this service runs faster.

* ``q8_0``: every block weight re-quantised to Q8_0. llama.cpp has fast CPU kernels for it, not for Q4_1.
* ``q5_1``, ``q4_0``, ``q4_0-up``, …: other forms, and mixes by tensor, that ``shopfloor models tune`` tries.
* ``encoder-N``: the first N blocks, in Q8_0. Middle layers tell requests apart better than the last one, and cost less.

A form is named by the hash of its source and its recipe, written atomically, and made once.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.files import ModelFile
from shopfloor.local_models.gguf_file import GgufHeader, TensorInfo, read_header
from shopfloor.local_models.locking import exclusive, replacing

KEPT = frozenset({GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.Q8_0})

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Mix:
    """Which weights take which form: those named in ``only`` (all if empty) take ``kind``, the rest Q8_0."""

    kind: GGMLQuantizationType
    file_type: int  # llama.cpp's number for such files
    only: tuple[str, ...] = ()

    def target(self, tensor: TensorInfo) -> GGMLQuantizationType:
        """The form of one tensor; norms and rows that fit no block stay as they are."""
        wanted = self.kind if not self.only or _part(tensor.name) in self.only else GGMLQuantizationType.Q8_0
        fits = len(tensor.shape) > 1 and tensor.shape[0] % GGML_QUANT_SIZES[wanted][0] == 0
        if not fits or (wanted == GGMLQuantizationType.Q8_0 and tensor.kind in KEPT):
            return tensor.kind
        return wanted


MIXES: Mapping[str, Mix] = MappingProxyType(
    {
        "q8_0": Mix(GGMLQuantizationType.Q8_0, 7),
        "q5_1": Mix(GGMLQuantizationType.Q5_1, 9),
        "q5_0": Mix(GGMLQuantizationType.Q5_0, 8),
        "q4_0": Mix(GGMLQuantizationType.Q4_0, 2),
        "q4_0-up": Mix(GGMLQuantizationType.Q4_0, 2, ("ffn_gate", "ffn_up")),
        "q4_0-gate": Mix(GGMLQuantizationType.Q4_0, 2, ("ffn_gate",)),
        "q4_0-query": Mix(GGMLQuantizationType.Q4_0, 2, ("attn_q", "attn_k")),
    }
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to derive a form: the weights by a mix of :data:`MIXES`, and only the first ``blocks`` blocks (0: all)."""

    blocks: int = 0
    mix: str = "q8_0"

    @property
    def name(self) -> str:
        """The recipe's part of the file name."""
        if not self.blocks:
            return self.mix
        return f"encoder-{self.blocks}" + ("" if self.mix == "q8_0" else f"-{self.mix}")

    def identity(self, source: ModelFile) -> str:
        """SHA-256 that names this form by its source and recipe, so it is the same wherever the file is made."""
        return hashlib.sha256(f"{source.sha256} {self.name} {self.mix}".encode()).hexdigest()

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
    kinds = [MIXES[recipe.mix].target(tensor) for tensor in tensors]
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


def _part(name: str) -> str:
    """The kind of weight, e.g. ``ffn_up`` of ``blk.3.ffn_up.weight``."""
    return name.removesuffix(".weight").rpartition(".")[2]


def _size_as(tensor: TensorInfo, kind: GGMLQuantizationType) -> int:
    if kind == tensor.kind:
        return tensor.size
    block, size = GGML_QUANT_SIZES[kind]
    return int(np.prod(tensor.shape, dtype=np.int64)) // block * size


def _padded(size: int, alignment: int) -> int:
    return size + -size % alignment


def _changed_metadata(source: GgufHeader, recipe: Recipe) -> bytes:
    with source.path.open("rb") as file:
        file.seek(source.meta_start)
        raw = bytearray(file.read(source.meta_end - source.meta_start))
    changes = {"general.file_type": MIXES[recipe.mix].file_type}
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
