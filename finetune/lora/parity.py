"""Does the serving runtime say what the trained weights say? Next-token distributions of both, compared by KL.

The base differs a little by itself (its quantised form against the plain weights), so that difference is measured without
the adapter first, and the limit is on what the adapter adds to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ArtefactRejectedError
from shopfloor.finetune.lora.environment import run_module
from shopfloor.finetune.lora.probe import NONE, WHOLE, ProbeRequest
from shopfloor.local_models.adapter_file import open_adapter
from shopfloor.local_models.divergence import next_token
from shopfloor.local_models.gguf_file import read_header
from shopfloor.local_models.llama_server import LlamaServer, ServerOptions, lora_choice

LIMIT = 0.03
CULPRIT_PROMPTS = 3
CONTEXT = 1024


@dataclass(frozen=True, slots=True)
class Parity:
    """Mean KL in nats, trained || served: of the bare base, and with the adapter; ``worst`` of a single prompt."""

    base: float
    adapter: float
    worst: float
    prompts: int

    @property
    def passed(self) -> bool:
        """Whether the adapter adds less than the limit."""
        return self.adapter - self.base < LIMIT


async def check_parity(
    python: Path, plain: Path, trained: Path, served_base: Path, served: Path, prompts: Sequence[str], work: Path
) -> Parity:
    """Compare an adapter before and after its conversion (half a minute).

    Args:
        python: the trainer's.
        plain: the base in transformers' format.
        trained: the adapter in PEFT's format.
        served_base: the base's GGUF file.
        served: the adapter's GGUF file.
        prompts: P texts, of the kind the adapter was trained on.
        work: a folder for what passes between the processes.

    Raises:
        ArtefactRejectedError: they differ; the sentence names the block that differs most.
        ModelError: one of them can't be loaded.
    """
    readings = await _trained(python, plain, trained, prompts, [NONE, WHOLE], work)
    server = LlamaServer(ServerOptions(served_base, CONTEXT, slots=1, threads=2, batch=512, adapters=(served,)))
    try:
        bare = _divergences(readings[0], _served(server, prompts, None))
        whole = _divergences(readings[1], _served(server, prompts, 0))
    finally:
        server.close()
    parity = Parity(float(bare.mean()), float(whole.mean()), float(whole.max()), len(prompts))
    if parity.passed:
        return parity
    blocks = blocks_of(served)
    few = list(prompts[:CULPRIT_PROMPTS])
    alone = await _trained(python, plain, trained, few, blocks, work)
    found = [
        float(_divergences(reading, _block_served(served_base, served, block, few, work)).mean())
        for block, reading in zip(blocks, alone, strict=True)
    ]
    culprit = int(np.argmax(found))
    raise ArtefactRejectedError(
        f"the converted adapter says something else than the trained one: a divergence of {parity.adapter:.3f}, "
        f"{parity.base:.3f} without it; the weights of layer {blocks[culprit]} differ most ({found[culprit]:.3f} alone)"
    )


def blocks_of(adapter: Path) -> list[int]:
    """The numbers of the layers that a GGUF adapter changes."""
    names = (tensor.name.split(".") for tensor in read_header(adapter).tensors)
    return sorted({int(parts[1]) for parts in names if parts[0] == "blk"})


def keep_block(adapter: Path, block: int, target: Path) -> None:
    """Write the part of a GGUF adapter that changes one layer."""
    header = read_header(adapter)
    writer = gguf.GGUFWriter(target, header.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", open_adapter(adapter).alpha)
    for tensor in gguf.GGUFReader(adapter).tensors:
        if tensor.name.startswith(f"blk.{block}."):
            writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _block_served(base: Path, adapter: Path, block: int, prompts: Sequence[str], work: Path) -> NDArray[np.float32]:
    part = work / "block.gguf"
    keep_block(adapter, block, part)
    server = LlamaServer(ServerOptions(base, CONTEXT, slots=1, threads=2, batch=512, adapters=(part,)))
    try:
        return _served(server, prompts, 0)
    finally:
        server.close()


def _divergences(trained: NDArray[np.float32], served: NDArray[np.float32]) -> NDArray[np.float32]:
    """KL of each row, both of shape (P, vocabulary) in natural logarithms."""
    return (np.exp(trained) * (trained - served)).sum(axis=1).clip(min=0)


def _served(server: LlamaServer, prompts: Sequence[str], adapter: int | None) -> NDArray[np.float32]:
    rows: list[NDArray[np.float32]] = []
    for prompt in prompts:
        found = next_token(lambda body: server.complete({**body, **lora_choice(adapter)}), prompt, 1_000_000)
        row = np.full(max(found) + 1, -40.0, dtype=np.float32)
        row[list(found)] = list(found.values())
        rows.append(row)
    return np.stack(rows)


async def _trained(
    python: Path, plain: Path, adapter: Path, prompts: Sequence[str], blocks: list[int], work: Path
) -> NDArray[np.float32]:
    request = ProbeRequest(base=plain, adapter=adapter, prompts=list(prompts), blocks=blocks, target=work / "probe.npy")
    path = work / "probe.json"
    path.write_text(request.model_dump_json(), encoding="utf-8")
    async for _line in run_module(python, "shopfloor.finetune.lora.probe", path):
        pass
    return np.load(request.target, allow_pickle=False)
