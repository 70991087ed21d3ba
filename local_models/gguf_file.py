"""Reads a GGUF file's header without loading the weights, and checks that the file is whole.

The header is parsed here, not by gguf-py's reader, because that takes seconds on a large vocabulary and this runs at
every start. Only little-endian GGUF 2 and 3 are read, which is what every published model is.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from shopfloor.errors import ModelMissingError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
SCALAR_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING_TYPE = 8
ARRAY_TYPE = 9
MAX_DIMENSIONS = 4

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: ``shape`` in GGML order (the row length first), ``offset`` in bytes from the start of the file."""

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class MetaValue:
    """One metadata value, and where its bytes lie in the file (so that a copy can change it in place).

    ``value`` is ``None`` for arrays; ``count`` is then their length.
    """

    kind: int
    value: Scalar | None
    position: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says about itself. ``meta_start`` and ``meta_end`` bound the metadata's bytes."""

    path: Path
    version: int
    meta: dict[str, MetaValue]
    tensors: tuple[TensorInfo, ...]
    meta_start: int
    meta_end: int
    alignment: int

    def text(self, key: str, default: str = "") -> str:
        """A metadata string."""
        found = self.meta.get(key)
        return found.value if found is not None and isinstance(found.value, str) else default

    def number(self, key: str, default: int = 0) -> int:
        """A metadata whole number."""
        found = self.meta.get(key)
        return found.value if found is not None and isinstance(found.value, int) else default

    @property
    def architecture(self) -> str:
        """The model family llama.cpp knows it by, e.g. ``llama``."""
        return self.text("general.architecture")

    def of_architecture(self, key: str, default: int = 0) -> int:
        """A whole number of the architecture's own keys, e.g. ``block_count``."""
        return self.number(f"{self.architecture}.{key}", default)

    @property
    def quantisation(self) -> str:
        """The tensor type that most weights have, e.g. ``Q4_1``."""
        sizes: dict[str, int] = {}
        for tensor in self.tensors:
            if tensor.name.startswith("blk."):
                sizes[tensor.kind.name] = sizes.get(tensor.kind.name, 0) + tensor.size
        return max(sizes, key=lambda name: sizes[name]) if sizes else "unknown"


class _Cursor:
    """Reads values one after another out of a buffer."""

    def __init__(self, data: mmap.mmap, position: int = 0) -> None:
        self.data = data
        self.position = position

    def scalar(self, layout: str) -> int | float | bool:
        (value,) = struct.unpack_from(layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return value

    def whole(self, layout: str = "<Q") -> int:
        return int(self.scalar(layout))

    def string(self) -> str:
        length = self.whole()
        end = self.position + length
        if end > len(self.data):
            raise struct.error("string runs past the end")
        value = self.data[self.position : end].decode("utf-8", errors="replace")
        self.position = end
        return value

    def skip_array(self) -> int:
        kind, count = self.whole("<I"), self.whole()
        if kind == STRING_TYPE:
            unpack, data, position = struct.Struct("<Q").unpack_from, self.data, self.position
            for _ in range(count):
                position += 8 + unpack(data, position)[0]
            self.position = position
        elif kind in SCALAR_FORMATS:
            self.position += count * struct.calcsize(SCALAR_FORMATS[kind])
        else:
            raise struct.error(f"array of type {kind}")
        return count


def read_header(path: Path) -> GgufHeader:
    """Read and check a GGUF file's header.

    Raises:
        ModelMissingError: the file can't be read, is no GGUF, is of an unknown version, or is truncated.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise ModelMissingError(
                    f"{path} is not a GGUF model file: name another, or run `shopfloor models get embedded --force`"
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header = _parse(path, data)
    except OSError as error:
        raise ModelMissingError(f"{path} can't be read ({error.strerror}): check the file and its rights") from error
    except (struct.error, ValueError, KeyError) as error:
        raise ModelMissingError(_damaged(path, "its header is cut off or damaged")) from error
    needed = max((tensor.offset + tensor.size for tensor in header.tensors), default=0)
    if needed > size:
        raise ModelMissingError(_damaged(path, f"it has {size:,} of at least {needed:,} bytes"))
    return header


def _damaged(path: Path, what: str) -> str:
    return (
        f"{path} is truncated ({what}): delete it and get it again, e.g. with `shopfloor models get embedded --force`"
    )


def _parse(path: Path, data: mmap.mmap) -> GgufHeader:
    cursor = _Cursor(data, 4)
    version = cursor.whole("<I")
    if version not in VERSIONS:
        raise ModelMissingError(f"{path} is GGUF version {version}, only 2 and 3 are known: convert it again")
    tensor_count, meta_count = cursor.whole(), cursor.whole()
    meta_start = cursor.position
    meta: dict[str, MetaValue] = {}
    for _ in range(meta_count):
        key = cursor.string()
        meta[key] = _meta_value(cursor)
    meta_end = cursor.position
    alignment_value = meta.get("general.alignment")
    alignment = alignment_value.value if alignment_value and isinstance(alignment_value.value, int) else 32
    raw = [_tensor(cursor) for _ in range(tensor_count)]
    start = cursor.position + (-cursor.position) % alignment
    tensors = tuple(
        TensorInfo(name, shape, kind, start + offset, _bytes_of(shape, kind)) for name, shape, kind, offset in raw
    )
    return GgufHeader(path, version, meta, tensors, meta_start, meta_end, alignment)


def _meta_value(cursor: _Cursor) -> MetaValue:
    kind = cursor.whole("<I")
    position = cursor.position
    if kind == STRING_TYPE:
        return MetaValue(kind, cursor.string(), position)
    if kind == ARRAY_TYPE:
        return MetaValue(kind, None, position, cursor.skip_array())
    if kind not in SCALAR_FORMATS:
        raise struct.error(f"metadata of type {kind}")
    return MetaValue(kind, cursor.scalar(SCALAR_FORMATS[kind]), position)


def _tensor(cursor: _Cursor) -> tuple[str, tuple[int, ...], GGMLQuantizationType, int]:
    name = cursor.string()
    dimensions = cursor.whole("<I")
    if dimensions > MAX_DIMENSIONS:
        raise struct.error(f"{dimensions} dimensions")
    shape = tuple(cursor.whole() for _ in range(dimensions))
    return name, shape, GGMLQuantizationType(cursor.whole("<I")), cursor.whole()


def _bytes_of(shape: tuple[int, ...], kind: GGMLQuantizationType) -> int:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    elements = 1
    for length in shape:
        elements *= length
    return elements // block * block_bytes
