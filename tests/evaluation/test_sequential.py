"""The interval for two growing streams, by simulation: it holds under continuous peeking, and it sees what is there.

Each simulated trial is looked at after every twenty outcomes. An alarm is any look at which the interval leaves out the
true difference (false) or zero (power).
"""

import math
from collections.abc import Callable

import numpy as np
import pytest

from shopfloor.evaluation.sequential import Bets, difference, difference_of

ALPHA = 0.05
STARS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
Draw = Callable[[np.random.Generator, int], np.ndarray]


def stars(*weights: float) -> Draw:
    shares = np.array(weights) / sum(weights)
    return lambda random, n: random.choice(STARS, size=n, p=shares)


def share(p: float) -> Draw:
    return lambda random, n: (random.random(n) < p).astype(float)


def of_users(spread: float, most: int) -> Draw:
    """Several outcomes a user, alike within one: what a mean over users looks like when some react up to ``most`` times."""

    def draw(random: np.random.Generator, n: int) -> np.ndarray:
        values: list[float] = []
        while len(values) < n:
            leaning = random.beta(spread, spread)
            values += [float(random.random() < leaning) for _ in range(int(random.integers(1, most + 1)))]
        return np.array(values[:n])

    return draw


def trials(
    control: Draw, treated: Draw, *, count: int, n: int, truth: float, seed: int, share_treated: float = 0.5
) -> int:
    """How many of ``count`` trials leave ``truth`` out at some look, before each side has ``n`` outcomes."""
    random, alarms = np.random.default_rng(seed), 0
    for _ in range(count):
        held, tried = Bets(steps=80), Bets(steps=80)
        a, b = control(random, n), treated(random, n)
        few = max(1, round(20 * share_treated))
        for at in range(n // 20):
            held.add(a[at * (20 - few) : (at + 1) * (20 - few)])
            tried.add(b[at * few : (at + 1) * few])
            seen = difference_of(held, tried, ALPHA)
            if not seen.low <= truth <= seen.high:
                alarms += 1
                break
    return alarms


def upper(alarms: int, count: int) -> float:
    """Wilson's upper bound (97.5 %) of a share."""
    z, p = 1.96, alarms / count
    middle = p + z * z / (2 * count)
    return (middle + z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))) / (1 + z * z / count)


@pytest.mark.parametrize("count", [150, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("draw", "split"),
    [(stars(1, 1, 2, 4, 6), 0.5), (share(0.05), 0.5), (share(0.5), 0.1), (of_users(4, 3), 0.5)],
    ids=["ratings", "rare errors", "a tenth treated", "up to three reactions a user"],
)
def test_false_alarms_under_continuous_peeking_stay_below_alpha(draw: Draw, split: float, count: int) -> None:
    alarms = trials(draw, draw, count=count, n=400, truth=0.0, seed=1, share_treated=split)
    print(f"{alarms} of {count}")
    assert upper(alarms, count) <= ALPHA, f"{alarms} of {count}"


def test_a_fixed_interval_looked_at_as_often_would_cry_wolf() -> None:
    random, alarms = np.random.default_rng(3), 0
    for _ in range(200):
        a, b = random.random(600), random.random(600)
        looks = np.arange(10, 601, 10)
        means = [(b[:n].mean() - a[:n].mean()) / math.sqrt((a[:n].var() + b[:n].var()) / n) for n in looks]
        alarms += max(abs(one) for one in means) > 1.96
    assert alarms / 200 > 3 * ALPHA


@pytest.mark.parametrize(
    ("control", "treated", "n"),
    [
        (stars(1, 1, 2, 6, 10), stars(6, 4, 4, 3, 3), 600),
        (share(0.02), share(0.12), 1_200),
        (share(0.05), share(0.25), 600),
    ],
    ids=["ratings fall by 1.2 stars", "errors rise from 2 to 12 %", "slow turns rise from 5 to 25 %"],
)
def test_a_true_harm_is_seen_in_nearly_every_trial(control: Draw, treated: Draw, n: int) -> None:
    assert trials(control, treated, count=40, n=n, truth=0.0, seed=2) >= 36


def test_it_covers_a_true_difference_and_grows_narrower() -> None:
    random = np.random.default_rng(5)
    control, treated = share(0.3)(random, 4_000), share(0.5)(random, 4_000)
    widths = [difference(control[:n], treated[:n], ALPHA) for n in (50, 400, 4_000)]
    assert all(one.low <= 0.2 <= one.high for one in widths)
    sizes = [one.high - one.low for one in widths]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.1


def test_the_ends() -> None:
    nothing = difference([], [], ALPHA)
    assert (nothing.low, nothing.high, nothing.diff) == (-1.0, 1.0, 0.0)
    one_side = difference([1.0] * 500, [], ALPHA)
    assert one_side.low == -1.0 and one_side.n_treated == 0
    never = difference([0.0] * 20_000, [0.0] * 20_000, ALPHA)
    assert never.low <= 0 <= never.high and never.high < 0.01
    third = difference([1 / 3] * 20_000, [1 / 3] * 20_000, ALPHA)
    assert third.low <= 0 <= third.high and third.high < 0.02
    with pytest.raises(ValueError, match="from 0 to 1"):
        difference([1.5], [], ALPHA)


def test_pieces_give_the_same_as_the_whole() -> None:
    values = np.random.default_rng(7).random(3_000)
    whole, pieces = Bets(), Bets()
    whole.add(values)
    for start in range(0, 3_000, 7):
        pieces.add(values[start : start + 7])
    np.testing.assert_allclose(whole.log_capital(), pieces.log_capital(), rtol=1e-9)
    assert whole.n == pieces.n == 3_000
