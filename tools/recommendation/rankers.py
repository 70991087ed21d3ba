"""Ways of ordering candidates beside a basket, and which of them a shop's own newest baskets speak for.

kNN needs no learning; a conditional logit weighs the features, with or without those of the shopper. All are compared on
baskets that none of them learned from, and the plainest that is not clearly worse is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.baskets import FEATURES, BasketModel, History, Logit, choices_of_past, fit_logit

Floats = NDArray[np.float64]
Group = tuple[Floats, NDArray[np.bool_]]
ExtraFeatures = Callable[[Sequence[int], Sequence[int]], Floats]  # (basket, candidates) to (C, extra)

FEWEST = 40  # choices of the past: with fewer nothing is learned
JUDGED_SHARE = 0.3  # of the choices, the newest
KNN, FADING, NAMES = 0, 2, 5  # columns of the features
OF_BASKET = 10  # the first columns: what the basket tells; the rest tells of the shopper
_DISCOUNT = 1 / np.log2(np.arange(2, 12))


@dataclass(frozen=True, slots=True)
class Ranker:
    """The way taken. ``columns`` of the features are summed, or weighed by the ``logit``.

    ``judged``: what every way came to on the choices kept for comparing (NDCG@10), ``choices`` of them.
    """

    way: str
    columns: tuple[int, ...]
    logit: Logit | None = None
    judged: Mapping[str, float] = field(default_factory=dict[str, float])
    choices: int = 0

    def scores(self, features: Floats) -> Floats:
        """One score a candidate, from features of shape (C, FEATURES)."""
        used = features[:, list(self.columns)]
        return used.sum(axis=1) if self.logit is None else self.logit.scores(used)

    @property
    def words(self) -> str:
        """For a report."""
        told = ", ".join(f"{way} {value:.4f}" for way, value in self.judged.items())
        return f"{self.way}; NDCG@10 of {self.choices} newest choices of its past: {told}" if told else self.way


PLAIN = (Ranker("knn", (KNN,)), Ranker("knn fading", (FADING,)))
LEARNED: Mapping[str, tuple[int, ...]] = {
    "logit of the basket": tuple(range(OF_BASKET)),
    "logit": tuple(range(FEATURES)),
}


def learned(way: str, groups: Sequence[Group]) -> Ranker:
    """Fit one of the ``LEARNED`` ways."""
    columns = LEARNED[way]
    return Ranker(way, columns, fit_logit([(features[:, list(columns)], taken) for features, taken in groups]))


def learn_ranker(history: History, *, count: int = 2000, seed: int = 0) -> Ranker:
    """Choose the way on the shop's past and learn it from all of it; kNN where the past is too short."""
    groups = groups_of_past(history, count=count, seed=seed)
    if len(groups) < FEWEST:
        return PLAIN[0]
    edge = int(len(groups) * (1 - JUDGED_SHARE))
    ways = [*PLAIN, *(learned(way, groups[:edge]) for way in LEARNED)]
    values = {ranker.way: judge(ranker, groups[edge:]) for ranker in ways}
    best = max(values.values(), key=lambda value: float(value.mean()))
    way = next(name for name, value in values.items() if not clearly_better(best, value))
    judged = {name: round(float(value.mean()), 4) for name, value in values.items()}
    final = next((ranker for ranker in PLAIN if ranker.way == way), None) or learned(way, groups)
    return Ranker(way, final.columns, final.logit, judged, len(groups) - edge)


def groups_of_past(
    history: History, *, count: int = 2000, seed: int = 0, extra: ExtraFeatures | None = None
) -> list[Group]:
    """Features (and ``extra`` ones) and what was taken, of held-out choices of the past in the order of time."""
    start, choices = choices_of_past(history, count, seed)
    if len(choices) < FEWEST:
        return []
    model = BasketModel(history, start)
    groups: list[Group] = []
    for choice in choices:
        known = model.count[list(choice.candidates)] > 0  # what was never sold before tells nothing of the features
        taken = (np.arange(len(known)) < choice.taken)[known]
        if taken.any():
            features = model.features(choice.context, choice.candidates, choice.user)
            if extra is not None:
                features = np.concatenate([features, extra(choice.context, choice.candidates)], axis=1)
            groups.append((features[known], taken))
    return groups


def judge(ranker: Ranker, groups: Sequence[Group]) -> Floats:
    """NDCG@10 of each group."""
    out: list[float] = []
    for features, taken in groups:
        # Those taken stand first in a group: equal scores must not keep them there.
        order = np.lexsort((-np.arange(len(taken)), -ranker.scores(features)))
        hits = taken[order][:10]
        out.append(float((hits * _DISCOUNT[: len(hits)]).sum() / _DISCOUNT[: min(10, int(taken.sum()))].sum()))
    return np.asarray(out, dtype=np.float64)


def clearly_better(first: Floats, second: Floats) -> bool:
    """By more than one standard error of the paired difference."""
    difference = first - second
    return float(difference.mean()) > float(difference.std()) / max(1.0, len(difference) ** 0.5)
