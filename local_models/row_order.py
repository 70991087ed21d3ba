"""The order of the rows of query and key weights, which llama.cpp and everybody else keep differently.

GGUF files of Llama's shape interleave the two halves of a head (llama.cpp rotates neighbouring pairs); safetensors keep
the halves one after the other (transformers and MLX rotate halves). An adapter's B matrix has the rows of its weight.
"""

from typing import Any

from numpy.typing import NDArray

from shopfloor.errors import ModelMissingError
from shopfloor.local_models.gguf_file import GgufHeader

INTERLEAVED = {"llama": frozenset({"attn_q", "attn_k"})}
"""The kinds of weights whose rows differ, by architecture."""


def heads_of(header: GgufHeader, kind: str) -> int:
    """The heads of a query (``attn_q``) or key (``attn_k``) weight.

    Raises:
        ModelMissingError: the file does not say.
    """
    count = header.of_architecture("attention.head_count")
    if kind == "attn_k":
        count = header.of_architecture("attention.head_count_kv", count)
    if not count:
        raise ModelMissingError(f"{header.path} does not say how many heads it has: get it again")
    return count


def interleaved(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    """From the order of safetensors to that of GGUF; shape (rows, ...) stays."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def halved(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    """From the order of GGUF to that of safetensors; shape (rows, ...) stays."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, half, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
