"""Reads what a LoRA adapter in a GGUF file says of itself, and checks that it fits a model, before anything is loaded."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.gguf_file import GgufHeader, read_header

MAX_RANK = 256
MAX_BYTES = 2 * 1024**3
SOURCE_KEY = "adapter.base_model.source_hash"
PARTS = (".lora_a", ".lora_b")


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """A checked adapter.

    Attributes:
        targets: the kinds of weights it changes, e.g. ``attn_q``.
        source_hash: the original weights it was trained on; may be empty.
        artefact: its hash in the registry, where it comes from there.
        folder: the artefact's folder, which may hold it in other formats too.
    """

    path: Path
    sha256: str
    architecture: str
    rank: int
    alpha: float
    targets: tuple[str, ...]
    source_hash: str
    artefact: str = ""
    folder: Path | None = None

    @property
    def identity(self) -> str:
        """What answers, traces and caches name it by."""
        return self.artefact or self.sha256


def open_adapter(path: Path) -> AdapterFile:
    """Read, check and hash an adapter (blocking).

    Raises:
        ModelMissingError: the file is absent, damaged or no GGUF.
        ModelError: it is no LoRA adapter, or one that llama.cpp can't apply.
    """
    header = read_header(path)
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise ModelError(f"{path} is no LoRA adapter: convert the trained one to GGUF first")
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"{path} is larger than {MAX_BYTES // 1024**3} GB: an adapter is smaller, check the file")
    pairs = _pairs(path, header)
    ranks = {shape_a[1] for shape_a, _ in pairs.values()}
    if len(ranks) != 1 or not 0 < max(ranks) <= MAX_RANK:
        raise ModelError(f"{path} has the ranks {sorted(ranks)}: one rank of at most {MAX_RANK} is expected")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    alpha = header.meta.get("adapter.lora.alpha")
    return AdapterFile(
        path=path,
        sha256=digest,
        architecture=header.architecture,
        rank=ranks.pop(),
        alpha=float(alpha.value) if alpha is not None and isinstance(alpha.value, int | float) else 0.0,
        targets=tuple(sorted({_kind(name) for name in pairs})),
        source_hash=header.text(SOURCE_KEY),
    )


def check_fit(adapter: AdapterFile, base: GgufHeader, source_hash: str) -> None:
    """Refuse an adapter that was made for other weights.

    Args:
        adapter: the adapter.
        base: the header of the model it would change, in any form.
        source_hash: the hash of that model's original file.

    Raises:
        ModelError: another architecture, other weights, or tensors that the model lacks or has in another size.
    """
    if adapter.architecture != base.architecture:
        raise ModelError(
            f"the adapter {adapter.path.name} is for {adapter.architecture or 'unknown'}, the model is {base.architecture}"
        )
    if adapter.source_hash and adapter.source_hash != source_hash:
        raise ModelError(
            f"the adapter {adapter.path.name} was trained on other weights ({adapter.source_hash[:12]}…, "
            f"not {source_hash[:12]}…): train it again on this model"
        )
    shapes = {tensor.name: tensor.shape for tensor in base.tensors}
    for name, (shape_a, shape_b) in _pairs(adapter.path, read_header(adapter.path)).items():
        shape = shapes.get(name)
        if shape is None or shape[0] != shape_a[0] or shape[1] != shape_b[1]:
            raise ModelError(f"the adapter {adapter.path.name} does not fit the model: see its tensor {name}")


def _pairs(path: Path, header: GgufHeader) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """The shapes of A and B by the name of the weight they change."""
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    names = {name.removesuffix(part) for name in shapes for part in PARTS if name.endswith(part)}
    try:
        pairs = {name: (shapes[name + PARTS[0]], shapes[name + PARTS[1]]) for name in names}
        whole = all(shape_a[1] == shape_b[0] for shape_a, shape_b in pairs.values())
    except (KeyError, IndexError) as error:
        raise ModelMissingError(f"{path} lacks a part of an adapter ({error}): get it again") from error
    except struct.error as error:
        raise ModelMissingError(f"{path} is damaged: get it again") from error
    if not pairs or not whole:
        raise ModelError(f"{path} holds no complete pair of adapter weights: convert it again")
    return pairs


def _kind(name: str) -> str:
    return name.removesuffix(".weight").rpartition(".")[2]
