"""Ranking from behaviour alone: what goes with a basket, what a shopper buys next. Statistics, learned from the
shop's own past events and from nothing else.

Item-item kNN over baskets, half of whose weight fades with age; what the shopper bought before. A conditional logit
fuses the features; ``rankers`` learns its weights on the shop's own newest baskets and says whether it is better.
"""

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.text import stems

Floats = NDArray[np.float64]
FEATURES = 15
SHOWN = 30  # candidates of a choice of the past
COMMON_WORD = 400  # names: a word in more of them tells nothing
MAX_BASKET = 150  # larger baskets are stocking up: they say little of what goes together
HALF_LIFE_DAYS = 90.0
OWN_HALF_LIFE_DAYS = 120.0  # of a shopper's own purchases
LEARNED_DAYS = 60.0  # the newest part of the past that weights are learned on


@dataclass(frozen=True, slots=True)
class Basket:
    """One purchase: when (days since the first), by whom, rows of the items."""

    day: float
    user: str
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The shop's past: products by row, and baskets in the order of time."""

    sku: tuple[str, ...]
    row_of: Mapping[str, int]
    names: tuple[frozenset[str], ...]
    prices: Floats
    baskets: tuple[Basket, ...]
    start: datetime


def load_history(connection: sqlite3.Connection) -> History:
    """Read products and purchase baskets. Returns and cancelled orders are left out."""
    products = connection.execute("SELECT sku, name, price FROM products ORDER BY product_no").fetchall()
    skus = tuple(str(row["sku"]) for row in products)
    row_of = {sku: row for row, sku in enumerate(skus)}
    grouped: dict[str, tuple[datetime, str, dict[int, None]]] = {}
    query = (
        "SELECT ts, basket, user_id, sku FROM events WHERE event = 'purchase' AND quantity > 0"
        " AND (status IS NULL OR status NOT IN ('CANCELLED', 'REFUNDED')) ORDER BY ts"
    )
    for line in connection.execute(query):
        row = row_of.get(str(line["sku"]))
        if row is None:
            continue
        entry = grouped.setdefault(
            str(line["basket"]), (datetime.fromisoformat(str(line["ts"])[:19]), str(line["user_id"] or ""), {})
        )
        entry[2][row] = None
    ordered = sorted(grouped.values(), key=lambda entry: entry[0])
    start = ordered[0][0] if ordered else datetime(1970, 1, 1)  # noqa: DTZ001
    baskets = tuple(Basket((at - start).total_seconds() / 86400, user, tuple(rows)) for at, user, rows in ordered)
    return History(
        sku=skus,
        row_of=row_of,
        names=tuple(frozenset(stems(str(row["name"]))) for row in products),
        prices=np.asarray([row["price"] or np.nan for row in products], dtype=np.float64),
        baskets=baskets,
        start=start,
    )


class BasketModel:
    """Co-purchase neighbours and popularity of one past; answers for any basket of it.

    Args:
        history: the shop's past.
        until: only baskets before this index are learned from.
    """

    def __init__(self, history: History, until: int | None = None) -> None:
        self._history = history
        learned = history.baskets[:until]
        size = len(history.sku)
        last = learned[-1].day if learned else 0.0
        self.count = np.zeros(size, dtype=np.float64)
        self.recent = np.zeros(size, dtype=np.float64)
        pairs: list[Counter[int]] = [Counter() for _ in range(size)]
        fresh: list[dict[int, float]] = [defaultdict(float) for _ in range(size)]
        buyers: list[set[str]] = [set() for _ in range(size)]
        for basket in learned:
            weight = 0.5 ** ((last - basket.day) / HALF_LIFE_DAYS)
            for item in basket.items:
                self.count[item] += 1
                self.recent[item] += weight
                buyers[item].add(basket.user)
            if 1 < len(basket.items) <= MAX_BASKET:
                share = 1 / math.log2(1 + len(basket.items))
                for item in basket.items:
                    pairs[item].update(basket.items)
                    row = fresh[item]
                    for other in basket.items:
                        row[other] += weight * share
        self._pairs, self._fresh, self._buyers = pairs, fresh, buyers
        self._last = last
        self._own: dict[str, list[Basket]] = defaultdict(list)
        for basket in learned:
            if basket.user:
                self._own[basket.user].append(basket)
        self._idf = name_idf(history.names)

    def features(self, context: Sequence[int], candidates: Sequence[int], user: str | None = None) -> Floats:
        """Features of each candidate beside a basket and for a shopper, shape (C, FEATURES)."""
        beside = self._beside(context, candidates)
        return np.concatenate([beside, self._of_shopper(candidates, user)], axis=1)

    def _of_shopper(self, candidates: Sequence[int], user: str | None) -> Floats:
        """What the shopper bought before: fading and plain count, ever, share of their baskets, in the newest one."""
        out = np.zeros((len(candidates), 5), dtype=np.float64)
        baskets = self._own.get(user or "", [])
        place = {row: index for index, row in enumerate(candidates)}
        for basket in baskets:
            fade = 0.5 ** ((self._last - basket.day) / OWN_HALF_LIFE_DAYS)
            for index in (place[item] for item in basket.items if item in place):
                out[index, :2] += (fade, 1.0)
                out[index, 2] = 1.0
                out[index, 4] = basket is baskets[-1]
        out[:, 3] = out[:, 1] / max(1, len(baskets))
        out[:, :2] = np.log1p(out[:, :2])
        return out

    def _beside(self, context: Sequence[int], candidates: Sequence[int]) -> Floats:
        out = np.zeros((len(candidates), 10), dtype=np.float64)
        total = max(1.0, float(self.count.sum()))
        for place, item in enumerate(candidates):
            pairs, fresh = self._pairs[item], self._fresh[item]
            cosine = [
                pairs.get(c, 0) / math.sqrt(max(1.0, self.count[c]) * max(1.0, self.count[item])) for c in context
            ]
            lift = [
                math.log1p(pairs.get(c, 0) * total / max(1.0, self.count[c] * self.count[item]) / 50) for c in context
            ]
            late = [
                fresh.get(c, 0.0) / math.sqrt(max(0.5, self.recent[c]) * max(0.5, self.recent[item])) for c in context
            ]
            names = [self._likeness(item, c) for c in context]
            people = [self._shared_buyers(item, c) for c in context]
            out[place] = (
                sum(cosine),
                max(cosine, default=0.0),
                sum(late),
                max(late, default=0.0),
                sum(lift) / max(1, len(lift)),
                max(names, default=0.0),
                sum(names) / max(1, len(names)),
                math.log1p(self.count[item]),
                math.log1p(self.recent[item]),
                sum(people) / max(1, len(people)),
            )
        return out

    def _likeness(self, a: int, b: int) -> float:
        first, second = self._history.names[a], self._history.names[b]
        shared = sum(self._idf[word] for word in first & second)
        size = math.sqrt(sum(self._idf[w] for w in first) * sum(self._idf[w] for w in second))
        return shared / size if size else 0.0

    def _shared_buyers(self, a: int, b: int) -> float:
        first, second = self._buyers[a], self._buyers[b]
        return len(first & second) / math.sqrt(len(first) * len(second)) if first and second else 0.0

    def neighbours(self, context: Mapping[int, float]) -> Floats:
        """Strength of every row beside weighted rows: fading co-purchase cosine."""
        out = np.zeros(len(self.count), dtype=np.float64)
        for item, weight in context.items():
            for other, strength in self._fresh[item].items():
                if other != item:
                    out[other] += (
                        weight * strength / math.sqrt(max(0.5, self.recent[item]) * max(0.5, self.recent[other]))
                    )
        return out


def name_idf(names: Sequence[frozenset[str]]) -> dict[str, float]:
    seen = Counter(word for words in names for word in words)
    return {word: math.log(1 + len(names) / count) for word, count in seen.items()}


@dataclass(frozen=True, slots=True)
class Logit:
    """A conditional logit: features are standardised, then weighted."""

    mean: Floats
    scale: Floats
    weights: Floats

    def scores(self, features: Floats) -> Floats:
        """One score a candidate."""
        return ((features - self.mean) / self.scale) @ self.weights


def fit_logit(groups: Sequence[tuple[Floats, NDArray[np.bool_]]], *, steps: int = 300, ridge: float = 0.02) -> Logit:
    """Learn from choices: each group's features (C, F) and which candidates were taken; listwise softmax, Adam."""
    everything = np.concatenate([features for features, _ in groups])
    mean, scale = everything.mean(axis=0), everything.std(axis=0) + 1e-9
    ready = [((features - mean) / scale, taken / max(1, taken.sum())) for features, taken in groups]
    weights = np.zeros(everything.shape[1], dtype=np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        slope = ridge * weights
        for features, share in ready:
            logits = features @ weights
            odds = np.exp(logits - logits.max())
            slope += features.T @ (odds / odds.sum() - share) / len(ready)
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights -= 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-9)
    return Logit(mean, scale, weights)


@dataclass(frozen=True, slots=True)
class Choice:
    """A basket of the past cut in two: what was in it, and candidates whose first ``taken`` were in it too."""

    context: tuple[int, ...]
    candidates: tuple[int, ...]
    taken: int
    user: str


def choices_of_past(history: History, count: int, seed: int) -> tuple[int, list[Choice]]:
    """Held-out choices from the newest baskets, and the index of the first basket held out.

    Candidates are a basket's hidden items (at most 5) and others up to 30: half drawn by popularity, half among the
    products whose names are most like the basket's, as a shop's page would have them.
    """
    rng = np.random.default_rng(seed)
    usable = [i for i, basket in enumerate(history.baskets) if 3 <= len(basket.items) <= MAX_BASKET]
    newest = [i for i in usable if history.baskets[i].day > history.baskets[-1].day - LEARNED_DAYS]
    kept = newest if 0 < len(newest) <= len(usable) // 2 else usable[-(len(usable) // 4) :]
    if len(usable) < 40 or not kept:
        return len(history.baskets), []
    start = kept[0]
    if len(kept) > count:
        drawn_places: list[int] = sorted(int(place) for place in rng.choice(len(kept), size=count, replace=False))
        kept = [kept[place] for place in drawn_places]
    popular = np.bincount([i for b in history.baskets[:start] for i in b.items], minlength=len(history.sku)) + 0.1
    likeness = _NameIndex(history.names)
    out: list[Choice] = []
    for index in kept:
        items = [int(item) for item in rng.permutation(history.baskets[index].items)]
        taken = items[: max(1, min(5, len(items) // 3))]
        context, own = tuple(items[len(taken) : len(taken) + 12]), set(items)
        near = [row for row in likeness.nearest(context) if row not in own][: (SHOWN - len(taken)) // 2]
        drawn = rng.choice(len(popular), size=min(60, len(popular)), replace=False, p=popular / popular.sum())
        others = [int(row) for row in drawn if int(row) not in own and int(row) not in near]
        candidates = (*taken, *near, *others[: SHOWN - len(taken) - len(near)])
        out.append(Choice(context, candidates, len(taken), history.baskets[index].user))
    return start, out


class _NameIndex:
    """Products by the rare words of their names."""

    def __init__(self, names: Sequence[frozenset[str]]) -> None:
        self._names = names
        self._idf = name_idf(names)
        self._rows: dict[str, list[int]] = defaultdict(list)
        for row, words in enumerate(names):
            for word in words:
                self._rows[word].append(row)

    def nearest(self, context: Sequence[int]) -> list[int]:
        """Rows most like a basket by name, best first."""
        alike: dict[int, float] = defaultdict(float)
        for word in (word for item in context for word in sorted(self._names[item])):
            rows = self._rows[word]
            if len(rows) < COMMON_WORD:
                for row in rows:
                    alike[row] += self._idf[word]
        return sorted(alike, key=lambda row: -alike[row])[:100]
