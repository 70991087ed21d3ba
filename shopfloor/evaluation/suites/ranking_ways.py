"""Ways of ordering candidates that are only compared with: EASE, boosted trees (where scikit-learn is there), and
what the local model makes of the names.
"""

import importlib.util
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.local_models import open_encoder
from shopfloor.settings import Settings
from shopfloor.tools.recommendation.baskets import MAX_BASKET, History
from shopfloor.tools.recommendation.rankers import Group

Floats = NDArray[np.float64]

LARGEST_EASE = 4_000  # products: its matrix grows with their square, the work with the cube
EASE_RIDGE = 200.0
EMBEDDED = 64  # names handed to the model at once


def ease(history: History) -> Floats | None:
    """Weights of products for one another (Steck 2019), shape (N, N); None where the catalogue is too large."""
    size = len(history.sku)
    if size > LARGEST_EASE or not history.baskets:
        return None
    together = np.zeros((size, size), dtype=np.float64)
    for basket in history.baskets:
        if 1 < len(basket.items) <= MAX_BASKET:
            rows = np.asarray(basket.items)
            together[np.ix_(rows, rows)] += 1.0
    together[np.diag_indices(size)] += EASE_RIDGE
    inverse = np.linalg.inv(together)
    weights = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0.0)
    return weights


def boosted_trees(groups: Sequence[Group], seed: int) -> Callable[[Floats], Floats] | None:
    """Trees over the same features and choices as the logit; None without scikit-learn or without choices."""
    if not groups or importlib.util.find_spec("sklearn") is None:
        return None
    from sklearn.ensemble import HistGradientBoostingClassifier  # pyright: ignore[reportMissingTypeStubs]

    model = HistGradientBoostingClassifier(
        max_leaf_nodes=12, max_iter=120, learning_rate=0.06, min_samples_leaf=40, l2_regularization=5, random_state=seed
    )
    taken = np.concatenate([taken for _, taken in groups])
    model.fit(  # pyright: ignore[reportUnknownMemberType]
        np.concatenate([features for features, _ in groups]), taken
    )
    return lambda features: np.asarray(
        model.decision_function(features),  # pyright: ignore[reportUnknownMemberType]
        dtype=np.float64,
    )


async def name_vectors(settings: Settings, names: Sequence[str]) -> Floats:
    """What the local model's middle layers make of each name, shape (N, width): centred, of length 1."""
    encoder = await open_encoder(settings)
    try:
        parts = [await encoder.embed(names[start : start + EMBEDDED]) for start in range(0, len(names), EMBEDDED)]
    finally:
        await encoder.close()
    vectors = np.concatenate(parts).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    return vectors / np.maximum(1e-9, np.linalg.norm(vectors, axis=1, keepdims=True))


def likeness(vectors: Floats, context: Sequence[int], candidates: Sequence[int]) -> Floats:
    """Greatest and mean likeness of each candidate to the basket, shape (C, 2)."""
    if not context:
        return np.zeros((len(candidates), 2), dtype=np.float64)
    alike = vectors[list(candidates)] @ vectors[list(context)].T
    return np.stack([alike.max(axis=1), alike.mean(axis=1)], axis=1)
