"""Which way of foretelling the next basket a shop's own past speaks for, and with which weights.

The newest baskets of shoppers who had bought before are foretold from what was known until then. Weights are tuned on
one half of them; the ways are compared on the other, and the plainest that is not clearly worse is taken.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.baskets import Basket, History
from shopfloor.tools.recommendation.next_basket import PARTS, Buying, NextBasketModel, NextBasketWeights
from shopfloor.tools.recommendation.rankers import clearly_better
from shopfloor.tools.recommendation.sparse import Floats

HELD_OUT_DAYS = 60.0
FEWEST = 80  # foretold baskets: with fewer nothing is tuned
BEST_OF_PART = 100  # candidates that each part names
STEPS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
SINCE_STEPS = (0.0, -0.1, -0.2, -0.35, -0.5, -0.75)
ROUNDS = 3
_DISCOUNT = 1 / np.log2(np.arange(2, 12))

# The ways compared, plainest first; "tuned" has the weights that the past speaks for.
WAYS: Mapping[str, NextBasketWeights] = {
    "habits": NextBasketWeights(),
    "tifu-knn": NextBasketWeights({"own": 0.7, "people": 0.3}),
    "sequences": NextBasketWeights(
        {"late": 2.0, "again": 2.0, "follows": 1.0, "habit": 0.85, "names": 0.5, "people": 0.15, "since": -0.75}
    ),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The way taken, and what every way came to on the baskets it was judged on (NDCG@10)."""

    way: str
    weights: NextBasketWeights
    judged: Mapping[str, float] = field(default_factory=dict[str, float])
    baskets: int = 0

    @property
    def words(self) -> str:
        """For a report."""
        told = ", ".join(f"{way} {value:.4f}" for way, value in self.judged.items())
        return f"{self.way}; NDCG@10 of {self.baskets} newest baskets of its past: {told}" if told else self.way


@dataclass(frozen=True, slots=True)
class _Past:
    """Foretold baskets: parts of the candidates (n, candidates, parts), which were bought, the best gain possible."""

    parts: NDArray[np.float32]
    taken: NDArray[np.bool_]
    there: NDArray[np.bool_]
    ideal: Floats

    def half(self, number: int) -> "_Past":
        """Every second basket."""
        return _Past(self.parts[number::2], self.taken[number::2], self.there[number::2], self.ideal[number::2])

    def ndcg(self, weights: NDArray[np.float32]) -> Floats:
        """NDCG@10 of each basket."""
        scores = self.parts @ weights
        scores[~self.there] = -np.inf
        top = np.argpartition(-scores, 10, axis=1)[:, :10]
        order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
        hits = np.take_along_axis(self.taken, np.take_along_axis(top, order, 1), 1)
        return (hits * _DISCOUNT).sum(axis=1) / self.ideal


def learn_next_basket(history: History, *, count: int = 2000, seed: int = 0) -> Chosen:
    """Choose the way and its weights; plain habits where the past is too short to tell."""
    past = _foretold(history, count, seed)
    if past is None:
        return Chosen("habits", WAYS["habits"])
    tuning, judging = past.half(0), past.half(1)
    ways = {name: _vector(way) for name, way in WAYS.items()}
    start = max(ways.values(), key=lambda vector: float(tuning.ndcg(vector).mean()))
    ways["tuned"] = _tuned(tuning, start)
    values = {name: judging.ndcg(vector) for name, vector in ways.items()}
    best = max(values, key=lambda name: float(values[name].mean()))
    way = next(name for name in ways if not clearly_better(values[best], values[name]))
    weights = WAYS[way] if way in WAYS else _weights(_tuned(past, ways["tuned"]))
    judged = {name: round(float(value.mean()), 4) for name, value in values.items()}
    return Chosen(way, weights, judged, len(judging.ideal))


def _vector(weights: NextBasketWeights) -> NDArray[np.float32]:
    return np.asarray([weights.of_part.get(name, 0.0) for name in PARTS], dtype=np.float32)


def _weights(vector: NDArray[np.float32]) -> NextBasketWeights:
    return NextBasketWeights({name: round(float(v), 4) for name, v in zip(PARTS, vector, strict=True) if v})


def _tuned(past: _Past, start: NDArray[np.float32]) -> NDArray[np.float32]:
    """One weight after another set to what serves clearly better, until a round changes nothing."""
    weights, best = start.copy(), past.ndcg(start)
    for _ in range(ROUNDS):
        before = weights
        for place, name in enumerate(PARTS):
            for step in SINCE_STEPS if name == "since" else STEPS:
                tried = weights.copy()
                tried[place] = step
                values = past.ndcg(tried)
                if clearly_better(values, best):
                    best, weights = values, tried
        if weights is before:
            break
    return weights


def _foretold(history: History, count: int, seed: int) -> _Past | None:
    cut = history.baskets[-1].day - HELD_OUT_DAYS if history.baskets else 0.0
    until = sum(basket.day <= cut for basket in history.baskets)
    before: dict[str, list[Basket]] = defaultdict(list)
    asked: list[tuple[Buying, frozenset[int]]] = []
    for place, basket in enumerate(history.baskets):
        past = before[basket.user]
        if place >= until and basket.user and past:
            baskets, days = tuple(one.items for one in past), tuple(one.day for one in past)
            asked.append((Buying(baskets, days, basket.day, basket.user), frozenset(basket.items)))
        past.append(basket)
    if len(asked) < FEWEST or until < FEWEST:
        return None
    order = np.random.default_rng(seed).permutation(len(asked))[:count]
    model = NextBasketModel(history, until=until)
    return _packed(model, [asked[int(place)] for place in order])


def _packed(model: NextBasketModel, asked: Sequence[tuple[Buying, frozenset[int]]]) -> _Past | None:
    found: list[tuple[NDArray[np.float32], NDArray[np.bool_], int]] = []
    for buying, bought in asked:
        parts = model.parts(buying)
        table = np.stack([parts[name] for name in PARTS], axis=1)
        rows = np.flatnonzero(table[:, PARTS.index("own")] > 0)
        kept = min(BEST_OF_PART, model.size)
        tops = [np.argpartition(-table[:, place], kept - 1)[:kept] for place in range(len(PARTS))]
        rows = np.unique(np.concatenate([rows, *tops]))
        taken = np.isin(rows, np.asarray(sorted(bought)))
        if taken.any():
            found.append((table[rows].astype(np.float32), taken, len(bought)))
    if len(found) < FEWEST or model.size < 20:
        return None
    widest = max(len(taken) for _, taken, _ in found)
    parts_of = np.zeros((len(found), widest, len(PARTS)), dtype=np.float32)
    taken_of = np.zeros((len(found), widest), dtype=np.bool_)
    there = np.zeros((len(found), widest), dtype=np.bool_)
    ideal = np.zeros(len(found), dtype=np.float64)
    for place, (table, taken, bought_count) in enumerate(found):
        parts_of[place, : len(taken)] = table
        taken_of[place, : len(taken)] = taken
        there[place, : len(taken)] = True
        ideal[place] = _DISCOUNT[: min(10, bought_count)].sum()
    return _Past(parts_of, taken_of, there, ideal)
