"""Ranking from behaviour alone: what goes with a basket, what a shopper buys next. Statistics, learned from the
shop's own past events and from nothing else.

Item-item kNN over baskets, half of whose weight fades with age; personal frequency with two kinds of decay
(TIFU-kNN's idea: within a shopper's history and over similar shoppers); a conditional logit fuses the features, with
weights learned on the shop's own latest baskets (:func:`fit_logit`).
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
MAX_BASKET = 150  # larger baskets are stocking up: they say little of what goes together
HALF_LIFE_DAYS = 90.0


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
        self._idf = _name_idf(history.names)

    def features(self, context: Sequence[int], candidates: Sequence[int]) -> Floats:
        """Features of each candidate beside a basket, shape (C, 10)."""
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


def _name_idf(names: Sequence[frozenset[str]]) -> dict[str, float]:
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


def choices_of_past(
    history: History, count: int, seed: int
) -> tuple[int, list[tuple[tuple[int, ...], list[int], int]]]:
    """Held-out choices from the newest baskets: (first basket held out, [(context, candidates, how many are taken)]).

    A basket is cut in two; candidates are its hidden items (at most 5) and others, half drawn by popularity, half by
    likeness of names, as a shop's page would have them.
    """
    rng = np.random.default_rng(seed)
    usable = [i for i, basket in enumerate(history.baskets) if 3 <= len(basket.items) <= MAX_BASKET]
    kept = usable[-min(count, len(usable) // 4) :] if len(usable) >= 40 else []
    if not kept:
        return len(history.baskets), []
    start = kept[0]
    popular = np.bincount([i for b in history.baskets[:start] for i in b.items], minlength=len(history.sku)) + 0.1
    by_word: dict[str, list[int]] = defaultdict(list)
    for row, words in enumerate(history.names):
        for word in words:
            by_word[word].append(row)
    out: list[tuple[tuple[int, ...], list[int], int]] = []
    for index in kept:
        items = list(rng.permutation(history.baskets[index].items))
        taken = items[: max(1, min(5, len(items) // 3))]
        context = tuple(int(i) for i in items[len(taken) : len(taken) + 12])
        own = set(map(int, items))
        alike = Counter(
            o for c in context for word in history.names[c] for o in by_word[word] if len(by_word[word]) < 400
        )
        near = [row for row, _ in alike.most_common(60) if row not in own][:13]
        drawn = rng.choice(len(history.sku), size=40, replace=False, p=popular / popular.sum())
        others = [int(row) for row in drawn if int(row) not in own and int(row) not in near][
            : 30 - len(taken) - len(near)
        ]
        out.append((context, [*map(int, taken), *near, *others], len(taken)))
    return start, out


def learn_ranker(history: History, *, count: int = 800, seed: int = 0) -> Logit | None:
    """Learn how to weigh the features from the shop's newest baskets; None when its past is too short."""
    start, choices = choices_of_past(history, count, seed)
    if len(choices) < 40:
        return None
    model = BasketModel(history, start)
    groups = [(model.features(context, rows), np.arange(len(rows)) < taken) for context, rows, taken in choices]
    return fit_logit(groups)
