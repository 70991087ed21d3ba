"""The difference of two bounded means, with an interval that holds however often it is looked at.

Two streams of outcomes from 0 to 1 grow side by side, one of who is served by what served before (control), one of who
is served by what is being tried (treated). The interval covers the true difference at all moments at once with
probability 1 - alpha, so a decision may be taken at any look.

Each stream bets against every mean it might have, upwards and downwards and with many stakes at once, as in
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86(1), 2024 (their diversified
Kelly bettor). The stakes are fixed beforehand, so a capital has mean one under the true mean, whatever came before; the
product of the two streams' capitals has too, and by Ville's inequality it ever passes 1/alpha at the true pair of means
with probability at most alpha. The interval is the range of differences over the pairs whose product has not passed it.
No distribution is assumed; within a stream the mean must stay what it is. Only how often each outcome came matters, not
when.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 400
"""Candidate means are this fine: 0, 1/400, … 1."""
STAKES: NDArray[np.float64] = np.array([0.9 * 0.65**number for number in range(12)])
"""Shares of the capital that are at risk, from .9 to .008: large ones see large differences early, small ones small late."""
EDGE = 1e-9
Outcomes = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """Treated less control. ``low`` and ``high`` bound it at every look at once."""

    n_control: int
    n_treated: int
    control: float
    treated: float
    low: float
    high: float

    @property
    def diff(self) -> float:
        """The difference as it was seen; 0 while a side has no outcome."""
        return self.treated - self.control if self.n_control and self.n_treated else 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-able form, rounded."""
        rounded = {name: round(value, 4) for name, value in asdict(self).items()}
        return {**rounded, "diff": round(self.diff, 4)}


class Bets:
    """One stream: how much a gambler holds who bet against each candidate mean."""

    def __init__(self, steps: int = STEPS) -> None:
        """``steps``: how fine the candidate means are."""
        self.means: NDArray[np.float64] = np.linspace(0.0, 1.0, steps + 1)
        self._counts: dict[float, int] = {}

    @property
    def n(self) -> int:
        """Outcomes so far."""
        return sum(self._counts.values())

    @property
    def mean(self) -> float:
        """Of the outcomes so far; 0 without any."""
        return sum(value * count for value, count in self._counts.items()) / self.n if self._counts else 0.0

    def add(self, outcomes: Outcomes) -> None:
        """Take outcomes, each from 0 to 1.

        Raises:
            ValueError: one is outside.
        """
        given = np.asarray(outcomes, dtype=np.float64)
        if given.size and not (given.min() >= 0 and given.max() <= 1):
            raise ValueError("an outcome must be from 0 to 1")
        values, counts = np.unique(given, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count

    def log_capital(self) -> NDArray[np.float64]:
        """Logarithm of the capital for each of ``means``: spread evenly over both directions and all stakes."""
        means = np.clip(self.means, EDGE, 1 - EDGE)
        held = np.zeros((2, len(STAKES), len(means)))
        for value, count in self._counts.items():
            held[0] += count * np.log1p(STAKES[:, None] * ((value - means) / means)[None, :])
            held[1] += count * np.log1p(STAKES[:, None] * ((means - value) / (1 - means))[None, :])
        return np.logaddexp.reduce(held.reshape(-1, len(means)), axis=0) - np.log(2 * len(STAKES))


def difference_of(control: Bets, treated: Bets, alpha: float) -> Difference:
    """The interval of two streams as they stand; they must have candidate means of the same fineness."""
    steps = len(control.means) - 1
    limit = -float(np.log(alpha))
    held, tried = control.log_capital(), treated.log_capital()
    least = np.array([_least(held, tried, shift) for shift in range(-steps, steps + 1)])
    kept = np.flatnonzero(least < limit)
    if not kept.size:  # narrower than the candidates are fine
        kept = np.array([int(np.argmin(least))])
    # Means between two candidates may belong to it too: one step on each side of each mean.
    low = max(-1.0, float(kept[0] - steps - 2) / steps)
    high = min(1.0, float(kept[-1] - steps + 2) / steps)
    return Difference(control.n, treated.n, control.mean, treated.mean, low, high)


def _least(held: NDArray[np.float64], tried: NDArray[np.float64], shift: int) -> float:
    """The smallest product of capitals among pairs of means that are ``shift`` steps apart."""
    if shift >= 0:
        return float((held[: len(held) - shift] + tried[shift:]).min())
    return float((held[-shift:] + tried[:shift]).min())


def difference(control: Outcomes, treated: Outcomes, alpha: float) -> Difference:
    """Treated less control, from outcomes of each.

    Raises:
        ValueError: an outcome is not from 0 to 1.
    """
    sides = Bets(), Bets()
    for side, outcomes in zip(sides, (control, treated), strict=True):
        side.add(outcomes)
    return difference_of(*sides, alpha)
