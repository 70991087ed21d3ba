"""Reads the shape and the tensors of a model on disk, without loading it: a GGUF file, or a folder of safetensors."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from gguf.constants import GGMLQuantizationType as Kind
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shopfloor.errors import ModelMissingError
from shopfloor.local_models.fit_shapes import Shape, Tensor, shape_of, tensors_of
from shopfloor.local_models.gguf_file import read_header

MAX_HEADER = 100 * 2**20  # bytes: what the format allows
KINDS = {
    "F64": Kind.F64, "F32": Kind.F32, "F16": Kind.F16, "BF16": Kind.BF16, "I64": Kind.I64, "I32": Kind.I32,
    "U32": Kind.I32, "I16": Kind.I16, "U16": Kind.I16, "I8": Kind.I8, "U8": Kind.I8, "BOOL": Kind.I8,
    "F8_E4M3": Kind.I8, "F8_E5M2": Kind.I8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DiskModel:
    """A model on disk. ``form`` is how most of its weights are stored."""

    path: Path
    shape: Shape
    tensors: tuple[Tensor, ...]
    form: str
    licence: str


class _Config(BaseModel):
    """The part of a transformers ``config.json`` that memory depends on."""

    model_config = ConfigDict(extra="ignore")

    model_type: str = "unknown"
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    intermediate_size: int
    vocab_size: int
    tie_word_embeddings: bool = False


class _Entry(BaseModel):
    """One tensor in the header of a safetensors file."""

    dtype: str
    shape: list[Annotated[int, Field(ge=0)]]


ENTRIES = TypeAdapter(dict[str, _Entry])


def read_disk_model(path: Path) -> DiskModel:
    """Read a GGUF file, or a folder with ``config.json`` and safetensors files.

    Raises:
        ModelMissingError: neither is there, or it is damaged.
    """
    if path.is_dir():
        return _folder(path)
    header = read_header(path)
    licence = header.text("general.license", "unknown")
    return DiskModel(path, shape_of(header), tensors_of(header), header.quantisation, licence)


def _folder(path: Path) -> DiskModel:
    files = sorted(path.glob("*.safetensors"))
    try:
        config = _Config.model_validate_json((path / "config.json").read_bytes())
        tensors = tuple(tensor for file in files for tensor in _tensors(file))
    except (OSError, ValidationError, ValueError, struct.error) as error:
        raise ModelMissingError(f"{path} holds no whole model ({type(error).__name__}): get it again") from error
    if not tensors:
        raise ModelMissingError(f"{path} holds no safetensors file: name a GGUF file or a folder of a model")
    heads = config.num_attention_heads
    shape = Shape(
        name=path.name,
        architecture=config.model_type,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        heads=heads,
        kv_heads=config.num_key_value_heads or heads,
        head_width=config.head_dim or config.hidden_size // heads,
        feed_forward=config.intermediate_size,
        vocabulary=config.vocab_size,
        tied=config.tie_word_embeddings,
    )
    sizes: dict[str, int] = {}
    for tensor in tensors:
        sizes[tensor.kind.name] = sizes.get(tensor.kind.name, 0) + tensor.size
    return DiskModel(path, shape, tensors, max(sizes, key=lambda name: sizes[name]), "unknown")


def _tensors(file: Path) -> list[Tensor]:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > MAX_HEADER:
            raise ValueError("header too long")
        header: dict[str, object] = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    entries = ENTRIES.validate_python(header)
    return [
        Tensor(_name(name), tuple(reversed(entry.shape)) or (1,), KINDS.get(entry.dtype, Kind.F32))
        for name, entry in entries.items()
    ]


def _name(name: str) -> str:
    """The names that tell tables from blocks, as GGUF has them."""
    if name.startswith("model.embed_tokens"):
        return "token_embd.weight"
    if name.startswith("lm_head"):
        return "output.weight"
    return name.replace("model.layers.", "blk.", 1)
