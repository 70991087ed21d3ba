"""Writes LoRA adapters with random weights: real files that change what a model says, made in a moment."""

from pathlib import Path

import gguf
import numpy as np

from shopfloor.local_models.adapter_file import SOURCE_KEY
from shopfloor.local_models.gguf_file import GgufHeader

RANK = 4


def write_lora(
    path: Path,
    base: GgufHeader,
    *,
    seed: int,
    strength: float = 0.02,
    targets: tuple[str, ...] = ("attn_q", "ffn_down"),
    source_hash: str = "",
    architecture: str = "",
    rank: int = RANK,
) -> Path:
    """An adapter for every block of ``base``; ``strength`` is the standard deviation of its weights."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture or base.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    if source_hash:
        writer.add_string(SOURCE_KEY, source_hash)
    for tensor in base.tensors:
        if tensor.name.removesuffix(".weight").rpartition(".")[2] in targets:
            width, height = tensor.shape
            writer.add_tensor(f"{tensor.name}.lora_a", random.normal(0, strength, (rank, width)).astype(np.float32))
            writer.add_tensor(f"{tensor.name}.lora_b", random.normal(0, strength, (height, rank)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
