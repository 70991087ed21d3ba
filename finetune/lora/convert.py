"""A trained adapter in PEFT's format as a GGUF file that llama.cpp applies to the base in any form.

llama.cpp keeps the rows of the query and key projections of the llama architecture in another order (it rotates
neighbouring pairs, transformers rotates halves), so their B matrices are permuted the same way; without that the adapter
loads and says nonsense.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import deserialize as _deserialize  # pyright: ignore[reportUnknownVariableType]

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.adapter_file import SOURCE_KEY, AdapterFile, check_fit, open_adapter
from shopfloor.local_models.gguf_file import GgufHeader, read_header
from shopfloor.local_models.row_order import INTERLEAVED, heads_of, interleaved

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PREFIX = "base_model.model."
SIDES = {".lora_A.weight": ".lora_a", ".lora_B.weight": ".lora_b"}
KINDS = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


def convert(folder: Path, base: Path, source_hash: str, target: Path) -> AdapterFile:
    """Write the adapter of ``folder`` as ``target`` and check that it fits ``base`` (blocking, a second).

    Args:
        folder: PEFT's ``adapter_config.json`` and ``adapter_model.safetensors``.
        base: the GGUF file it was trained on, in any form.
        source_hash: the hash of that model's original file; kept in the adapter.
        target: the file to make, whole or not at all.

    Raises:
        ModelMissingError: a file is absent or damaged.
        ModelError: the adapter changes weights that the base does not have.
    """
    header = read_header(base)
    config = _config(folder / CONFIG)
    part = target.with_suffix(".part")
    writer = gguf.GGUFWriter(part, header.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    writer.add_string(SOURCE_KEY, source_hash)
    names = _Names(header)
    for name, values in sorted(_tensors(folder / WEIGHTS).items()):
        module, side = _split(name)
        place = names.of(module)
        if side == ".lora_b":
            values = names.permuted(place, values)
        writer.add_tensor(place + side, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    adapter = open_adapter(part)
    check_fit(adapter, header, source_hash)
    os.replace(part, target)
    return open_adapter(target)


class _Names:
    """Names and orders of a base's weights."""

    def __init__(self, header: GgufHeader) -> None:
        self._header = header
        found = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}.get(header.architecture)
        if found is None:
            raise ModelError(f"adapters for the architecture {header.architecture!r} can't be converted")
        self._map = gguf.get_tensor_name_map(found, header.of_architecture("block_count"))

    def of(self, module: str) -> str:
        """GGUF's name of a module's weight.

        Raises:
            ModelError: the base has no such weight.
        """
        place = self._map.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if place is None:
            raise ModelError(f"the adapter changes {module}, which the base model does not have")
        return place

    def permuted(self, place: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """B with its rows in llama.cpp's order; shape (out, rank) stays."""
        kind = place.removesuffix(".weight").rpartition(".")[2]
        if kind not in INTERLEAVED.get(self._header.architecture, ()):
            return values
        return interleaved(values, heads_of(self._header, kind))


def _split(name: str) -> tuple[str, str]:
    for ending, side in SIDES.items():
        if name.startswith(PREFIX) and name.endswith(ending):
            return name.removeprefix(PREFIX).removesuffix(ending), side
    raise ModelError(f"the adapter holds {name}, which is no LoRA weight")


def _config(path: Path) -> dict[str, Any]:
    try:
        found = cast(object, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ModelMissingError(f"{path} can't be read ({error}): train again") from error
    config = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if config.get("peft_type") != "LORA" or not isinstance(config.get("lora_alpha"), int | float):
        raise ModelError(f"{path} describes no LoRA adapter")
    if config.get("use_rslora") or config.get("use_dora"):
        raise ModelError(f"{path}: llama.cpp applies plain LoRA only, not DoRA or rank-stabilised LoRA")
    return config


def _tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """A safetensors file's tensors; numpy has no bfloat16, so those are widened here."""
    try:
        held = cast("list[tuple[str, Mapping[str, Any]]]", _deserialize(path.read_bytes()))
        return {name: _tensor(one) for name, one in held}
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise ModelMissingError(f"{path} is damaged ({error}): train again") from error


def _tensor(held: Mapping[str, Any]) -> NDArray[np.float32]:
    shape, raw = tuple(int(size) for size in held["shape"]), bytes(held["data"])
    if len(shape) != 2:
        raise ValueError(f"a weight has {len(shape)} dimensions")
    if held["dtype"] == "BF16":
        return (np.frombuffer(raw, dtype="<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(raw, dtype=KINDS[str(held["dtype"])]).astype(np.float32).reshape(shape)
