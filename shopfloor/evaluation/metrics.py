"""Metrics and their uncertainty: percentile bootstrap over cases, seeded and vectorised.

Rankings are sequences of ids, best first. A value that does not apply to a case is NaN and is left out.
"""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Interval = tuple[float, float]

SAMPLES = 2_000
_CHUNK_CELLS = 4_000_000


def bootstrap_mean(values: Floats, *, seed: int = 0, samples: int = SAMPLES, level: float = 0.95) -> Interval:
    """Percentile interval of the mean of ``values`` (shape (n,)); NaN values are left out; (nan, nan) without any."""
    kept = values[~np.isnan(values)]
    if kept.size == 0:
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    means = np.empty(samples)
    step = max(1, _CHUNK_CELLS // kept.size)
    for start in range(0, samples, step):
        stop = min(samples, start + step)
        means[start:stop] = kept[rng.integers(0, kept.size, (stop - start, kept.size))].mean(axis=1)
    return _percentiles(means, level)


def bootstrap_statistic(
    statistic: Callable[[Indices], float], n: int, *, seed: int = 0, samples: int = 500, level: float = 0.95
) -> Interval:
    """Percentile interval of a statistic of n cases that is no mean; it is given the drawn case indices."""
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rng.integers(0, n, n)) for _ in range(samples)])
    return _percentiles(drawn[~np.isnan(drawn)], level)


def paired_difference(ours: Floats, theirs: Floats, *, seed: int = 0) -> tuple[float, float, float]:
    """Mean of ``ours - theirs`` over the same cases, and its interval: (difference, low, high)."""
    difference = ours - theirs
    low, high = bootstrap_mean(difference, seed=seed)
    kept = difference[~np.isnan(difference)]
    return (float(kept.mean()) if kept.size else float("nan"), low, high)


def mean(values: Floats) -> float:
    """Mean without the NaN values; NaN when there are none."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else float("nan")


def ndcg_at(ranking: Sequence[str], relevant: Collection[str], k: int = 10) -> float:
    """Binary NDCG at k; 0 when nothing is relevant."""
    wanted = set(relevant)
    gain = sum(1.0 / np.log2(rank + 2) for rank, item in enumerate(ranking[:k]) if item in wanted)
    ideal = sum(1.0 / np.log2(rank + 2) for rank in range(min(k, len(wanted))))
    return float(gain / ideal) if ideal else 0.0


def reciprocal_rank(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """1 / rank of the first relevant item; 0 when there is none."""
    wanted = set(relevant)
    return next((1.0 / (rank + 1) for rank, item in enumerate(ranking) if item in wanted), 0.0)


def recall_at(ranking: Sequence[str], relevant: Collection[str], k: int = 20) -> float:
    """Share of the relevant items among the first k; 0 when nothing is relevant."""
    wanted = set(relevant)
    return len(wanted.intersection(ranking[:k])) / len(wanted) if wanted else 0.0


def macro_f1(gold: NDArray[np.intp], predicted: NDArray[np.intp], classes: int) -> float:
    """Mean F1 over the classes that occur in ``gold`` or ``predicted`` (class numbers from 0)."""
    scores: list[float] = []
    for label in range(classes):
        hit = int(np.sum((gold == label) & (predicted == label)))
        total = int(np.sum(gold == label)) + int(np.sum(predicted == label))
        if total:
            scores.append(2.0 * hit / total)
    return float(np.mean(scores)) if scores else 0.0


def expected_calibration_error(confidence: Floats, correct: Floats, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by their size."""
    if confidence.size == 0:
        return float("nan")
    place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    weight = np.bincount(place, minlength=bins)
    gap = np.abs(np.bincount(place, confidence, bins) - np.bincount(place, correct, bins))
    return float(gap[weight > 0].sum() / confidence.size)


def coverage_at(confidence: Floats, correct: Floats, accuracy: float = 0.95) -> float:
    """Largest share of the most confident cases that is still right at least ``accuracy`` of the time."""
    if confidence.size == 0:
        return float("nan")
    order = np.argsort(-confidence, kind="stable")
    running = np.cumsum(correct[order]) / np.arange(1, confidence.size + 1)
    good = np.flatnonzero(running >= accuracy)
    return float((good[-1] + 1) / confidence.size) if good.size else 0.0


def accuracy_at_coverage(confidence: Floats, correct: Floats, coverage: float = 0.8) -> float:
    """Accuracy on the ``coverage`` share of cases that are most confident."""
    if confidence.size == 0:
        return float("nan")
    kept = max(1, int(np.ceil(coverage * confidence.size)))
    return float(correct[np.argsort(-confidence, kind="stable")[:kept]].mean())


def _percentiles(drawn: Floats, level: float) -> Interval:
    if drawn.size == 0:
        return (float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return (float(low), float(high))
