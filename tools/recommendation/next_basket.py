"""What a shopper buys next, over all products: own habits, what follows what, similar shoppers, names, sales of late.

Each part is scaled to a best of 1 and weighted; the weights are chosen on the shop's own newest baskets
(:func:`learn_next_basket`) and are the plain habits of the shopper where its past is too short to choose on.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.baskets import Basket, History, name_idf
from shopfloor.tools.recommendation.sparse import Floats, Sparse

OWN_DECAY = 0.85  # of a shopper's purchase, a basket later
HALF_LIFE_DAYS = 90.0  # of what the shop sold and of what followed what
TREND_DAYS, LATE_DAYS = 30.0, 14.0
MAX_PAST = 40  # newest baskets of a shopper that count
MAX_BASKET = 100  # larger ones are stocking up: they say little of what follows what
NEIGHBOURS = 100  # similar shoppers
PRIOR_CHANCES = 20.0  # baskets that the shop's mean counts for in how often a product is bought again
LAST_BASKETS = 3  # that what comes next follows from
FADE = 0.8  # of each of them, going back

PARTS = ("own", "late", "habit", "again", "since", "follows", "beside", "people", "names", "popular")


@dataclass(frozen=True, slots=True)
class Buying:
    """A shopper's baskets, oldest first, the day of each, and the day that is asked about."""

    baskets: tuple[tuple[int, ...], ...]
    days: tuple[float, ...]
    day: float
    user: str | None = None


@dataclass(frozen=True, slots=True)
class NextBasketWeights:
    """What each part adds at most. The default counts own purchases and what sells of late."""

    of_part: Mapping[str, float] = field(
        default_factory=lambda: {"own": 1.0, "habit": 0.5, "people": 0.15, "beside": 0.25, "popular": 0.05}
    )


class NextBasketModel:
    """Learned from the shop's past; asked with a shopper's own.

    Args:
        history: the shop's past.
        weights: of the parts.
        until: only baskets before this index are learned from.
    """

    def __init__(self, history: History, weights: NextBasketWeights | None = None, until: int | None = None) -> None:
        self.weights = weights or NextBasketWeights()
        self.size = len(history.sku)
        learned = history.baskets[:until]
        self._last = learned[-1].day if learned else 0.0
        self._sold = self._sums(learned, HALF_LIFE_DAYS)
        self._trend = np.log1p(self._since(learned, TREND_DAYS))
        self._late = np.log1p(self._since(learned, LATE_DAYS))
        by_user: dict[str, list[Basket]] = defaultdict(list)
        for basket in learned:
            if basket.user:
                by_user[basket.user].append(basket)
        self._user_row = {user: row for row, user in enumerate(sorted(by_user))}
        self._again = self._repeats(by_user)
        self._follows = self._pairs([pair for baskets in by_user.values() for pair in _consecutive(baskets)])
        self._beside = self._pairs([(basket, basket) for basket in learned])
        self._set_people(by_user)
        self._set_names(history)

    def _sums(self, baskets: Sequence[Basket], half_life: float) -> Floats:
        out = np.zeros(self.size, dtype=np.float64)
        for basket in baskets:
            out[list(basket.items)] += 0.5 ** ((self._last - basket.day) / half_life)
        return out

    def _since(self, baskets: Sequence[Basket], days: float) -> Floats:
        """Baskets of the newest ``days`` with each product: what is gone is not bought again."""
        out = np.zeros(self.size, dtype=np.float64)
        for basket in baskets:
            if self._last - basket.day <= days:
                out[list(basket.items)] += 1.0
        return out

    def _repeats(self, by_user: Mapping[str, Sequence[Basket]]) -> Floats:
        """Of the baskets after the first with a product, the share that has it again, drawn to the shop's mean; root."""
        again, chances = np.zeros(self.size), np.zeros(self.size)
        for baskets in by_user.values():
            seen: set[int] = set()
            for basket in baskets:
                chances[list(seen)] += 1.0
                again[list(seen.intersection(basket.items))] += 1.0
                seen.update(basket.items)
        mean = again.sum() / max(1.0, float(chances.sum()))
        return np.sqrt((again + PRIOR_CHANCES * mean) / (chances + PRIOR_CHANCES))

    def _pairs(self, pairs: Sequence[tuple[Basket, Basket]]) -> Sparse:
        """Fading counts of pairs of products, over the root of what each sold."""
        rows: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        columns: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        values: list[Floats] = [np.zeros(0)]
        scale = 1 / np.sqrt(np.maximum(0.5, self._sold))
        for first, second in pairs:
            if max(len(first.items), len(second.items)) > MAX_BASKET:
                continue
            left = np.repeat(np.asarray(first.items, dtype=np.int64), len(second.items))
            right = np.tile(np.asarray(second.items, dtype=np.int64), len(first.items))
            other = left != right if first is second else np.ones(len(left), dtype=np.bool_)
            left, right = left[other], right[other]
            rows.append(left)
            columns.append(right)
            fade = 0.5 ** ((self._last - second.day) / HALF_LIFE_DAYS)
            values.append(fade * scale[left] * scale[right])
        joined = (np.concatenate(rows), np.concatenate(columns), np.concatenate(values))
        return Sparse.summed(*joined, (self.size, self.size))

    def _set_people(self, by_user: Mapping[str, Sequence[Basket]]) -> None:
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        for user, baskets in by_user.items():
            for place, basket in enumerate(reversed(baskets)):
                rows.extend([self._user_row[user]] * len(basket.items))
                columns.extend(basket.items)
                values.extend([OWN_DECAY**place] * len(basket.items))
        users, items, amounts = np.asarray(rows, np.int64), np.asarray(columns, np.int64), np.asarray(values)
        number = max(1, len(self._user_row))
        self._people = Sparse.summed(users, items, amounts, (number, self.size))
        self._buyers = Sparse.summed(items, users, amounts, (self.size, number))
        squares = np.concatenate([[0.0], np.cumsum(self._people.values.astype(np.float64) ** 2)])
        self._norms = np.sqrt(squares[self._people.starts[1:]] - squares[self._people.starts[:-1]]) + 1e-9

    def _set_names(self, history: History) -> None:
        idf = name_idf(history.names)
        place = {word: number for number, word in enumerate(idf)}
        owner: list[int] = []
        words: list[int] = []
        weights: list[float] = []
        for row, name in enumerate(history.names):
            size = sum(idf[word] ** 2 for word in name) ** 0.5
            for word in sorted(name):
                owner.append(row)
                words.append(place[word])
                weights.append(idf[word] / size)
        self._name_owner, self._name_words = np.asarray(owner, np.int64), np.asarray(words, np.int64)
        self._name_weights = np.asarray(weights, dtype=np.float64)

    def parts(self, buying: Buying) -> dict[str, Floats]:
        """Every part's score of every product, the best of each 1 (``since``: 0 to 1, more is longer ago)."""
        own, count, since = np.zeros(self.size), np.zeros(self.size), np.zeros(self.size)
        baskets, days = buying.baskets[-MAX_PAST:], buying.days[-MAX_PAST:]
        for items, day in zip(baskets, days, strict=True):
            rows = list(items)
            own *= OWN_DECAY
            own[rows] += 1.0
            count[rows] += 1.0
            since[rows] = np.log1p(max(0.0, buying.day - day)) / 6.0
        newest = [
            (item, FADE**place / len(items) ** 0.5)
            for place, items in enumerate(reversed(baskets[-LAST_BASKETS:]))
            for item in items
        ]
        items, weights = [item for item, _ in newest], [weight for _, weight in newest]
        bought = np.log1p(own)
        return {
            "own": _scaled(own * self._trend),
            "late": _scaled(own * self._late),
            "habit": _scaled(count * self._trend),
            "again": _scaled(count * self._trend * self._again),
            "since": since * _scaled(own),
            "follows": _scaled(self._follows.mixed(items, weights)),
            "beside": _scaled(self._beside.mixed(items, weights)),
            "people": _scaled(self._similar(own, buying.user)),
            "names": _scaled(self._alike(bought) * self._trend),
            "popular": _scaled(np.log1p(self._sold)),
        }

    def scores(self, buying: Buying) -> Floats:
        """A score for every product."""
        found = self.parts(buying)
        out = np.zeros(self.size, dtype=np.float64)
        for name, weight in self.weights.of_part.items():
            out += weight * found[name]
        return out

    def _similar(self, own: Floats, user: str | None) -> Floats:
        rows = np.flatnonzero(own)
        norm = float(np.linalg.norm(own))
        if not norm or not self._user_row:
            return np.zeros(self.size, dtype=np.float64)
        likeness = self._buyers.mixed(rows, own[rows]) / (self._norms * norm)
        if user in self._user_row:
            likeness[self._user_row[user]] = 0.0
        nearest = np.argsort(-likeness)[:NEIGHBOURS]
        out = np.zeros(self.size, dtype=np.float64)
        for number in nearest:
            out[self._people.row(int(number))[0]] += likeness[number]
        return out

    def _alike(self, bought: Floats) -> Floats:
        """Likeness of names to what was bought."""
        if not len(self._name_words):
            return np.zeros(self.size, dtype=np.float64)
        wanted = np.bincount(self._name_words, self._name_weights * bought[self._name_owner])
        likeness = np.bincount(self._name_owner, self._name_weights * wanted[self._name_words], self.size)
        return likeness.astype(np.float64)


def _consecutive(baskets: Sequence[Basket]) -> list[tuple[Basket, Basket]]:
    return list(itertools.pairwise(baskets))


def _scaled(values: Floats) -> Floats:
    best = float(values.max()) if len(values) else 0.0
    return values / best if best > 0 else np.zeros(len(values), dtype=np.float64)
