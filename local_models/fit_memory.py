"""Predicts the memory of a model from its shape, before it is loaded or downloaded.

What a serving process holds: the weights (tensor by tensor, from the header or the plan), keys and values (layers,
heads, bytes for each token of context), and the rest: the library, the vocabulary, and the buffers of one step. The rest
was calibrated on shapes of SmolLM2-135M and Qwen3-0.6B (``docs/local-models.md`` has the comparison with others).
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass

from gguf.constants import GGMLQuantizationType as Kind

from shopfloor.local_models.fit_shapes import Shape, Tensor
from shopfloor.local_models.llama_server import KvType, ServerOptions

KV_BYTES: dict[KvType, float] = {"f16": 2.0, "q8_0": 34 / 32}
LIBRARY = 15_000_000
TOKEN_BYTES = 200  # of the vocabulary, for each token
SLOT_BYTES = 1_500_000
STEP_BYTES = 4
SHARE_TO_COPY = 5  # copied where more than a fifth would be there twice

# Forms whose rows the library lays out anew for this processor. Mapped from the file they would be held twice.
REPACKED_X86 = frozenset({Kind.Q4_0, Kind.Q4_K, Kind.IQ4_NL, Kind.Q2_K})
REPACKED_ARM = REPACKED_X86 | {Kind.Q5_K, Kind.Q6_K, Kind.Q8_0}

# Training by QLoRA: measured on SmolLM2-135M (4 x 256 tokens, bfloat16: 2.9 GB in all), not on others.
TRAINER = 900_000_000  # the trainer's libraries
NF4_BYTES = 0.56
ADAPTER_BYTES = 16  # weight, gradient and two moments in float32
LOGITS_COPIES = 3
ACTIVATION_BYTES = 4


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes a model takes, by part."""

    weights: int
    kv: int
    buffers: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.buffers

    def arithmetic(self) -> str:
        """The sum in words."""
        weights, kv, buffers = (round(part / 1e6) for part in (self.weights, self.kv, self.buffers))
        return f"{weights} MB of weights + {kv} MB of context + {buffers} MB of buffers = {weights + kv + buffers} MB"


@dataclass(frozen=True, slots=True)
class Load:
    """How a model is served: ``context`` in tokens for each of ``slots``, ``batch`` tokens a step."""

    context: int
    slots: int
    batch: int = 256
    kv: KvType = "f16"


def load_of(options: ServerOptions) -> Load:
    """The part of a server's options that memory depends on."""
    return Load(options.context, options.slots, options.batch, options.kv)


def serving_need(shape: Shape, tensors: Sequence[Tensor], load: Load, *, on_card: bool = False) -> Need:
    """What a process takes to serve the model, above the process itself; ``on_card``: in a card's own memory."""
    weights = sum(tensor.size for tensor in tensors)
    kv = int(shape.kv_elements() * KV_BYTES[load.kv] * load.context * load.slots)
    step = load.batch * (3 * shape.feed_forward + 4 * shape.width) * STEP_BYTES
    buffers = LIBRARY + shape.vocabulary * TOKEN_BYTES + load.slots * SLOT_BYTES + step
    if not on_card and not lays_out_anew(tensors):
        weights += _laid_out(tensors)
    return Need(weights, kv, buffers)


def lays_out_anew(tensors: Sequence[Tensor], machine: str = "") -> bool:
    """Whether enough of the weights are copied on this processor that mapping the file would hold them twice."""
    return SHARE_TO_COPY * _laid_out(tensors, machine) > sum(tensor.size for tensor in tensors)


def _laid_out(tensors: Sequence[Tensor], machine: str = "") -> int:
    """Bytes of the weights that the library lays out anew; the input table is only looked up."""
    arm = (machine or platform.machine()).lower() in ("arm64", "aarch64")
    kinds = REPACKED_ARM if arm else REPACKED_X86
    return sum(tensor.size for tensor in tensors if tensor.kind in kinds and tensor.name != "token_embd.weight")


def training_need(shape: Shape, tensors: Sequence[Tensor], rank: int, *, tokens: int = 1024) -> int:
    """The peak of a QLoRA step over ``tokens`` tokens, in bytes: an estimate, calibrated on one model only."""
    tables = [tensor.elements for tensor in tensors if tensor.name in ("token_embd.weight", "output.weight")]
    elements = sum(tensor.elements for tensor in tensors) - sum(tables)
    weights = elements * NF4_BYTES + sum(tables) * 2
    query, key = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    pairs = 2 * (shape.width + query) + 2 * (shape.width + key) + 3 * (shape.width + shape.feed_forward)
    adapter = shape.layers * rank * pairs * ADAPTER_BYTES
    logits = tokens * shape.vocabulary * 4 * LOGITS_COPIES
    activations = shape.layers * tokens * (8 * shape.width + 4 * shape.feed_forward) * ACTIVATION_BYTES
    return int(TRAINER + weights + adapter + logits + activations)
