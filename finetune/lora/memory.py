"""How much memory a training will take, and how much it may: asked before it starts, because a machine that swaps serves nobody.

The estimate counts what a step holds: the weights, the adapter with its gradients and moments, the activations of the rows
read at once, and the libraries themselves. It was held against measured runs of the embedded model.
"""

from dataclasses import dataclass

import psutil

from shopfloor.errors import ConfigError
from shopfloor.finetune.lora.job import LoraRecipe
from shopfloor.local_models.gguf_file import GgufHeader

LIBRARIES_MB = 750  # PyTorch, transformers and their buffers
RESERVE_MB = 512  # stays free for what serves
BYTES = {"float32": 4.0, "bfloat16": 2.0, "nf4": 0.6}
CELLS = 20  # values kept for each token, layer and hidden unit; the adapter's and the wider feed-forward parts in it


class TooLittleMemoryError(ConfigError):
    """A training would need more memory than it may have."""

    code = "too_little_memory"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """``needed_mb``: the estimate; ``limit_mb``: at which the training process ends by itself."""

    needed_mb: float
    limit_mb: float


def ceiling(base: GgufHeader, recipe: LoraRecipe, longest: int, limit_mb: int = 0) -> Ceiling:
    """What a training will need and may take.

    Args:
        base: the model's header.
        recipe: how it is trained.
        longest: tokens of the longest example.
        limit_mb: the most it may take; 0: what the machine has available, less a reserve.

    Raises:
        TooLittleMemoryError: it needs more.
    """
    needed = estimate_mb(base, recipe, longest)
    available = psutil.virtual_memory().available / 1e6 - RESERVE_MB
    limit = min(available, limit_mb) if limit_mb else available
    if needed > limit:
        raise TooLittleMemoryError(
            f"Training needs about {needed:,.0f} MB and may take {max(0.0, limit):,.0f} MB: close other programs, raise "
            "SHOPFLOOR_TRAIN_MEMORY_MB, or train the head (--learn head)."
        )
    return Ceiling(needed, limit)


def estimate_mb(base: GgufHeader, recipe: LoraRecipe, longest: int) -> float:
    """The most memory the training process will hold."""
    weights = sum(_count(tensor.shape) for tensor in base.tensors)
    hidden, layers = base.of_architecture("embedding_length"), base.of_architecture("block_count")
    wide = base.of_architecture("feed_forward_length") or 4 * hidden
    adapter = layers * recipe.rank * (8 * hidden + 3 * (hidden + wide))
    tokens = min(recipe.batch, recipe.together) * min(longest, recipe.max_tokens)
    kept = 4.0 * tokens * hidden * CELLS * (2 if recipe.checkpointing else layers)
    return LIBRARIES_MB + (weights * BYTES[recipe.precision] + adapter * 16 + kept) / 1e6


def _count(shape: tuple[int, ...]) -> int:
    cells = 1
    for size in shape:
        cells *= size
    return cells
