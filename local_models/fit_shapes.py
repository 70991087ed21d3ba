"""The shapes of the models the profiles name: layers, widths, vocabulary, and what each tensor takes in a form.

A shape is enough to predict a model's memory and speed before it is downloaded. Of a file that is there, the same
numbers are read from its header.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind

from shopfloor.errors import ModelMissingError
from shopfloor.local_models.gguf_file import GgufHeader

Form = Literal["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q6_K", "Q8_0", "F16", "Q4_K_M"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of one architecture. ``head_width`` is that of keys and of values; ``tied``: one table in and out."""

    name: str
    architecture: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int
    tied: bool = False
    window: int = 0  # tokens of sliding attention, 0: none

    def kv_elements(self) -> int:
        """Numbers kept for each token of context."""
        return self.layers * self.kv_heads * self.head_width * 2


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: ``shape`` in GGML order (the row length first)."""

    name: str
    shape: tuple[int, ...]
    kind: Kind

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        product = 1
        for length in self.shape:
            product *= length
        return product

    @property
    def size(self) -> int:
        """Bytes it takes."""
        block, block_bytes = GGML_QUANT_SIZES[self.kind]
        return self.elements // block * block_bytes


SMOLLM2_135M_SHAPE = Shape("SmolLM2-135M-Instruct", "llama", 30, 576, 9, 3, 64, 1536, 49152, tied=True)
SHAPES: tuple[Shape, ...] = (
    SMOLLM2_135M_SHAPE,
    Shape("SmolLM2-1.7B-Instruct", "llama", 24, 2048, 32, 32, 64, 8192, 49152, tied=True),
    Shape("Qwen3-0.6B", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, tied=True),
    Shape("Qwen3-1.7B", "qwen3", 28, 2048, 16, 8, 128, 6144, 151936, tied=True),
    Shape("Qwen3-4B", "qwen3", 36, 2560, 32, 8, 128, 9728, 151936, tied=True),
    Shape("TinyLlama-1.1B-Chat", "llama", 22, 2048, 32, 4, 64, 5632, 32000),
    Shape("StableLM-2-1.6B", "stablelm", 24, 2048, 32, 32, 64, 5632, 100352),
    Shape("Gemma-2B-it", "gemma", 18, 2048, 8, 1, 256, 16384, 256000, tied=True),
    Shape("Phi-3-mini-4k-instruct", "phi3", 32, 3072, 32, 32, 96, 8192, 32064, window=2047),
)


def shape_named(name: str) -> Shape | None:
    """The shape of a model that a profile names."""
    return next((shape for shape in SHAPES if shape.name == name), None)


def shape_of(header: GgufHeader) -> Shape:
    """The shape a file states.

    Raises:
        ModelMissingError: it leaves out what every language model states.
    """
    of = header.of_architecture
    layers, width, heads = of("block_count"), of("embedding_length"), of("attention.head_count")
    table = next((tensor for tensor in header.tensors if tensor.name == "token_embd.weight"), None)
    if not (layers and width and heads) or table is None:
        raise ModelMissingError(f"{header.path} does not state its layers, width and heads: convert it again")
    return Shape(
        name=header.path.stem,
        architecture=header.architecture,
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=of("attention.head_count_kv", heads),
        head_width=of("attention.key_length", width // heads),
        feed_forward=of("feed_forward_length"),
        vocabulary=table.shape[1],
        tied=all(tensor.name != "output.weight" for tensor in header.tensors),
        window=of("attention.sliding_window"),
    )


def tensors_of(header: GgufHeader) -> tuple[Tensor, ...]:
    """The tensors a file holds."""
    return tuple(Tensor(tensor.name, tensor.shape, tensor.kind) for tensor in header.tensors)


def plan(shape: Shape, form: Form) -> tuple[Tensor, ...]:
    """The tensors of a shape in a form, as llama.cpp's own quantiser lays them out."""
    return tuple(_planned(shape, form))


def _planned(shape: Shape, form: Form) -> Iterator[Tensor]:
    table = (shape.width, shape.vocabulary)
    body = _body_kind(form)
    big = Kind.Q8_0 if shape.architecture == "gemma" else (body if form in ("Q8_0", "F16") else Kind.Q6_K)
    yield Tensor("token_embd.weight", table, big if shape.tied else body)
    if not shape.tied:
        yield Tensor("output.weight", table, big)
    yield from _norm("output_norm", shape)
    for number in range(shape.layers):
        for name, sizes in _block(shape):
            if len(sizes) == 1:
                yield Tensor(f"blk.{number}.{name}", sizes, Kind.F32)
            else:
                finer = form == "Q4_K_M" and name.startswith(("attn_v", "ffn_down")) and _is_finer(number, shape.layers)
                yield Tensor(f"blk.{number}.{name}", sizes, _fitting(Kind.Q6_K if finer else body, sizes[0]))


def _body_kind(form: Form) -> Kind:
    return Kind.Q4_K if form == "Q4_K_M" else Kind[form]


def _fitting(kind: Kind, row: int) -> Kind:
    """The kind itself, or the next finer one whose blocks fit into a row."""
    return kind if row % GGML_QUANT_SIZES[kind][0] == 0 else Kind.Q5_0


def _is_finer(layer: int, layers: int) -> bool:
    """The layers that llama.cpp gives more bits in its "medium" mixes."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _norm(name: str, shape: Shape) -> Iterator[Tensor]:
    yield Tensor(f"{name}.weight", (shape.width,), Kind.F32)
    if shape.architecture == "stablelm":
        yield Tensor(f"{name}.bias", (shape.width,), Kind.F32)


def _block(shape: Shape) -> Sequence[tuple[str, tuple[int, ...]]]:
    width, inner = shape.width, shape.feed_forward
    query, key = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    found: list[tuple[str, tuple[int, ...]]] = []
    for norm in ("attn_norm", "ffn_norm"):
        found.append((f"{norm}.weight", (width,)))
        if shape.architecture == "stablelm":
            found.append((f"{norm}.bias", (width,)))
    if shape.architecture == "phi3":
        found.append(("attn_qkv.weight", (width, query + 2 * key)))
        found.append(("ffn_up.weight", (width, 2 * inner)))
    else:
        for name, size in (("attn_q", query), ("attn_k", key), ("attn_v", key)):
            found.append((f"{name}.weight", (width, size)))
            if shape.architecture == "stablelm":
                found.append((f"{name}.bias", (size,)))
        found += [("ffn_gate.weight", (width, inner)), ("ffn_up.weight", (width, inner))]
    if shape.architecture == "qwen3":
        found += [("attn_q_norm.weight", (shape.head_width,)), ("attn_k_norm.weight", (shape.head_width,))]
    found += [("attn_output.weight", (query, width)), ("ffn_down.weight", (inner, width))]
    return found
