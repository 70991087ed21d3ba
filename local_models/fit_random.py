"""Writes model files with random weights in an exact shape and form: for measuring memory and speed, not for answers.

llama.cpp spends the same time and memory on them as on the real weights. The vocabulary is made up too.
"""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind
from numpy.typing import NDArray

from shopfloor.local_models.fit_shapes import Form, Shape, Tensor, plan

SPREAD = 0.02  # standard deviation of a weight
POOL = 1 << 22  # random bytes, reused at another offset in every tensor
BYTES = 256
NORMAL, CONTROL, BYTE = 1, 3, 6
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def write_random(shape: Shape, form: Form, path: Path, *, seed: int = 0) -> Path:
    """Write a GGUF file with random weights (blocking, about a second for a gigabyte)."""
    random = np.random.default_rng(seed)
    tensors = plan(shape, form)
    writer = gguf.GGUFWriter(path, shape.architecture)
    try:
        _describe(writer, shape)
        for tensor in tensors:
            writer.add_tensor_info(
                tensor.name, _stored_shape(tensor), np.dtype(np.uint8), tensor.size, raw_dtype=tensor.kind
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        pool = random.integers(0, BYTES, POOL, dtype=np.uint8)
        for tensor in tensors:
            writer.write_tensor_data(_weights(tensor, pool, random))
    finally:
        writer.close()
    return path


def _stored_shape(tensor: Tensor) -> tuple[int, ...]:
    """Rows of bytes, the way gguf-py wants quantised tensors."""
    block, size = GGML_QUANT_SIZES[tensor.kind]
    return (*reversed(tensor.shape[1:]), tensor.shape[0] // block * size)


def _weights(tensor: Tensor, pool: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    if tensor.kind == Kind.F32:
        one = tensor.name.endswith("norm.weight")
        return np.full(tensor.elements, 1.0 if one else 0.0, dtype=np.float32).view(np.uint8)
    if tensor.kind == Kind.F16:
        return (random.standard_normal(tensor.elements, dtype=np.float32) * SPREAD).astype(np.float16).view(np.uint8)
    block, size = GGML_QUANT_SIZES[tensor.kind]
    blocks = tensor.elements // block
    data = np.resize(np.roll(pool, int(random.integers(POOL))), blocks * size).reshape(blocks, size)
    for start, value in _scales(tensor.kind):
        data[:, start : start + 2] = np.array([value], dtype=np.float16).view(np.uint8)
    return data.reshape(-1)


def _scales(kind: Kind) -> Iterator[tuple[int, float]]:
    """Where a block keeps its half-precision scales, and what they are for weights of the wanted spread around 0."""
    match kind:
        case Kind.Q4_0:
            yield 0, SPREAD / 4.6
        case Kind.Q4_1:
            yield from ((0, SPREAD / 4.6), (2, -7.5 * SPREAD / 4.6))
        case Kind.Q5_0:
            yield 0, SPREAD / 9.2
        case Kind.Q5_1:
            yield from ((0, SPREAD / 9.2), (2, -15.5 * SPREAD / 9.2))
        case Kind.Q8_0:
            yield 0, SPREAD / 74
        case Kind.Q4_K:
            yield from ((0, SPREAD / (32 * 4.6)), (2, 7.5 * SPREAD / (32 * 4.6)))
        case Kind.Q6_K:
            yield GGML_QUANT_SIZES[kind][1] - 2, SPREAD / (74 * 18)
        case _:
            raise ValueError(f"no random weights for {kind.name}")


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name(f"{shape.name} (random weights)")
    writer.add_license("none")
    writer.add_block_count(shape.layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_layer_norm_rms_eps(1e-5)
    if shape.architecture == "stablelm":
        writer.add_layer_norm_eps(1e-5)
        writer.add_parallel_residual(False)
    writer.add_rope_dimension_count(shape.head_width // 4 if shape.architecture == "stablelm" else shape.head_width)
    if shape.window:
        writer.add_sliding_window(shape.window)
    if shape.architecture == "phi3":
        writer.add_rope_scaling_orig_ctx_len(4096)
    _vocabulary(writer, shape.vocabulary)
    writer.add_chat_template(TEMPLATE)


def _vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    """Control tokens, one for each byte, and made-up pieces of 2 to 9 letters that no text is cut into."""
    # llama.cpp looks the last one up, unasked, where a model's name has "Phi-3" in it.
    control = ("<unk>", "<s>", "</s>", "<|endoftext|>")
    tokens = [*control, *(f"<0x{byte:02X}>" for byte in range(BYTES))]
    kinds = [CONTROL] * len(control) + [BYTE] * BYTES
    letters = "abcdefghijklmnop"
    for number in range(len(tokens), size):
        digits = "".join(letters[int(digit, 16)] for digit in f"{number:x}")
        tokens.append("\u2581" + digits + "q" * (number % 4))
        kinds.append(NORMAL)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(number) for number in range(size)])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
