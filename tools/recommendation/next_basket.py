"""What a shopper buys next: own purchases with decay, similar shoppers' and co-purchase neighbours, over all products."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.baskets import BasketModel, History

Floats = NDArray[np.float64]
TREND_DAYS = 30.0
MAX_PAST = 40  # newest baskets of a shopper that count


@dataclass(frozen=True, slots=True)
class NextBasketWeights:
    """How the parts add up; each is scaled to a best of 1. Decays are per basket."""

    own: float = 1.0
    own_decay: float = 0.85
    habit: float = 0.5
    knn: float = 0.25
    people: float = 0.15
    popular: float = 0.05
    neighbours: int = 100


class NextBasketModel:
    """Learned from the shop's past; asked with a shopper's baskets, oldest first."""

    def __init__(self, history: History, weights: NextBasketWeights | None = None) -> None:
        self._weights = weights or NextBasketWeights()
        self._items = BasketModel(history)
        users = sorted({basket.user for basket in history.baskets if basket.user})
        self._user_row = {user: row for row, user in enumerate(users)}
        self._people = np.zeros((len(users), len(history.sku)), dtype=np.float32)
        for basket in history.baskets:
            if basket.user:
                row = self._user_row[basket.user]
                self._people[row] *= self._weights.own_decay
                self._people[row, list(basket.items)] += 1.0
        self._trend = self._trend_of(history)
        self._norms = np.linalg.norm(self._people, axis=1) + 1e-9

    def _trend_of(self, history: History) -> Floats:
        """How well each product sells of late, on a log scale: what is gone is not bought again."""
        out = np.zeros(len(history.sku), dtype=np.float64)
        last = history.baskets[-1].day if history.baskets else 0.0
        for basket in history.baskets:
            if last - basket.day <= TREND_DAYS:
                out[list(basket.items)] += 1.0
        return np.log1p(out)

    def scores(self, past: Sequence[Sequence[int]], user: str | None = None) -> Floats:
        """A score for every product. ``user`` is left out of the similar shoppers."""
        weights = self._weights
        newest = list(past)[-MAX_PAST:]
        size = self._people.shape[1]
        own, count = np.zeros(size), np.zeros(size)
        for basket in newest:
            own *= weights.own_decay
            own[list(basket)] += 1.0
            count[list(basket)] += 1.0
        recent: dict[int, float] = {}
        for place, basket in enumerate(reversed(newest[-5:])):
            for item in basket:
                recent[item] = recent.get(item, 0.0) + weights.own_decay**place / len(basket)
        parts = (
            (weights.own, own * self._trend),
            (weights.habit, count * self._trend),
            (weights.knn, self._items.neighbours(recent)),
            (weights.people, self._similar(own, user)),
            (weights.popular, np.log1p(self._items.recent)),
        )
        return np.sum([weight * part / max(1e-9, float(part.max())) for weight, part in parts if part.size], axis=0)

    def _similar(self, own: Floats, user: str | None) -> Floats:
        norm = float(np.linalg.norm(own))
        if not norm or not len(self._people):
            return np.zeros_like(own)
        likeness = (self._people @ own.astype(np.float32)) / (self._norms * norm)
        if user in self._user_row:
            likeness[self._user_row[user]] = 0.0
        nearest = np.argsort(-likeness)[: self._weights.neighbours]
        return np.asarray(likeness[nearest] @ (self._people[nearest] > 0), dtype=np.float64)
