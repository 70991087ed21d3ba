"""Paired comparison of two models over the same cases, and what such a comparison could have seen.

Both models answer every case, so the difference is taken case by case: what is hard for both cancels out. The interval
is a percentile bootstrap over cases. The minimum detectable effect is the true gain that this set of cases would show
(interval above zero) four times in five.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from shopfloor.evaluation.metrics import Floats, Interval

SAMPLES = 10_000
LEVEL = 0.95
POWER = 0.8
LOWEST_DISCORDANCE = 0.005
"""Two models that agree on every case of a set may still differ elsewhere: the effect is computed as if on so many
cases they did not."""

_CHUNK_CELLS = 4_000_000
_FEW_KINDS = 16
_Z_LEVEL = 1.959964  # two-sided 95 %
_Z_POWER = 0.841621  # 80 %


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger minus champion on one suite. ``mde``: minimum detectable effect; all are shares of 1."""

    name: str
    n: int
    champion: float
    challenger: float
    diff: float
    ci: Interval
    mde: float
    better: int
    worse: int

    def to_json(self) -> dict[str, Any]:
        """As reports have it."""
        return {
            "name": self.name,
            "n": self.n,
            "champion": round(self.champion, 5),
            "challenger": round(self.challenger, 5),
            "diff": round(self.diff, 5),
            "ci": [round(value, 5) for value in self.ci],
            "mde": round(self.mde, 5),
            "better": self.better,
            "worse": self.worse,
        }


def compare(
    name: str, champion: Floats, challenger: Floats, *, weights: Floats | None = None, seed: int = 0
) -> Comparison:
    """Compare two models' scores of the same cases.

    Args:
        name: the suite's.
        champion: scores, shape (n,), one a case.
        challenger: scores of the same cases.
        weights: how much each case counts, shape (n,); empty: 1 each.
        seed: of the bootstrap.

    Raises:
        ValueError: the shapes differ, or there are no cases.
    """
    if champion.shape != challenger.shape or champion.size == 0:
        raise ValueError("a comparison needs the same cases, at least one, from both models")
    weights = np.ones(champion.size) if weights is None else weights
    difference = challenger - champion
    low, high = _interval(difference, weights, seed)
    return Comparison(
        name=name,
        n=int(champion.size),
        champion=float(np.average(champion, weights=weights)),
        challenger=float(np.average(challenger, weights=weights)),
        diff=float(np.average(difference, weights=weights)),
        ci=(low, high),
        mde=detectable(difference, weights),
        better=int((difference > 0).sum()),
        worse=int((difference < 0).sum()),
    )


def detectable(difference: Floats, weights: Floats | None = None) -> float:
    """The true mean difference that is found four times in five with these cases and this much disagreement."""
    weights = np.ones(difference.size) if weights is None else weights
    mean = np.average(difference, weights=weights)
    variance = float(np.average((difference - mean) ** 2, weights=weights))
    # Weighted cases are worth fewer equal ones (Kish).
    worth = float(weights.sum() ** 2 / (weights**2).sum())
    return (_Z_LEVEL + _Z_POWER) * math.sqrt(max(variance, LOWEST_DISCORDANCE) / worth)


def cases_needed(effect: float, discordance: float) -> int:
    """How many cases show a true gain of ``effect`` four times in five, where models differ on that share of cases."""
    return math.ceil(discordance * ((_Z_LEVEL + _Z_POWER) / effect) ** 2)


def _interval(difference: Floats, weights: Floats, seed: int) -> Interval:
    rng = np.random.default_rng(seed)
    n = difference.size
    kinds, counts = np.unique(np.stack([difference, weights]), axis=1, return_counts=True)
    if counts.size <= _FEW_KINDS:
        # Right or wrong before and after: how often each kind of case is drawn says all, and is drawn at once.
        times = rng.multinomial(n, counts / n, SAMPLES)
        drawn = (times @ (kinds[0] * kinds[1])) / (times @ kinds[1])
    else:
        drawn = _drawn_one_by_one(rng, difference, weights)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _drawn_one_by_one(rng: np.random.Generator, difference: Floats, weights: Floats) -> Floats:
    n = difference.size
    drawn = np.empty(SAMPLES)
    step = max(1, _CHUNK_CELLS // n)
    for start in range(0, SAMPLES, step):
        stop = min(SAMPLES, start + step)
        chosen = rng.integers(0, n, (stop - start, n))
        share = weights[chosen]
        drawn[start:stop] = (difference[chosen] * share).sum(axis=1) / share.sum(axis=1)
    return drawn
