"""The fused score: one typed table of weights, every signal's share kept, so that a card can say why it is there.

The weights are honest guesses that were checked on generated requests; what trained fusions change is this table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.behaviour import Past, repeat_scores, taste_scores, together_scores
from shopfloor.tools.recommendation.degrees import degree_scores
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.retrieval import Retrieved
from shopfloor.tools.recommendation.snapshot import Snapshot

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """What each signal can add to a score at most (each signal is 0 to 1, demotion aside)."""

    text: float = 0.6
    words: float = 0.8
    similar: float = 0.9
    popular: float = 0.15
    rating: float = 0.12
    together: float = 0.30
    taste: float = 0.20
    repeat: float = 0.05
    season: float = 0.08
    wish: float = 1.5
    model: float = 0.3
    sold_out: float = -3.0
    denied: float = -1.0
    variety: float = -0.12


def fused(
    parsed: ParsedRequest,
    snapshot: Snapshot,
    past: Past,
    found: Retrieved,
    month: int,
    weights: RankingWeights,
) -> dict[str, Scores]:
    """What each signal gives each of ``found.rows``, already weighted; the score is their sum."""
    rows = found.rows
    plain_wish = parsed.order is not None or parsed.quality is not None
    signals = {
        "text": weights.text * found.text,
        "words": weights.words * found.words,
        "popular": weights.popular * snapshot.popular[rows],
        "rating": weights.rating * snapshot.liked[rows],
        "together": weights.together * together_scores(past, snapshot, rows),
        "taste": weights.taste * taste_scores(past, snapshot, rows),
        "repeat": weights.repeat * repeat_scores(past, snapshot, rows),
        "season": weights.season * season(snapshot, month, rows),
    }
    if parsed.like_sku is not None and parsed.like_sku in snapshot.row_of:
        signals["similar"] = weights.similar * similarity(snapshot, snapshot.row_of[parsed.like_sku])[rows]
    if plain_wish:
        signals["wish"] = weights.wish * _wish(parsed, snapshot, rows)
    return {name: values for name, values in signals.items() if values.any()}


def edge_row(parsed: ParsedRequest, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The cheapest of the rows where something cheaper was wanted, the warmest where warmer, else the dearest."""
    if parsed.degree_above is not None and parsed.quality is not None:
        degrees = degree_scores(parsed.quality, snapshot, rows)
        return rows[[int(np.nanargmax(degrees))]] if degrees is not None else rows[:1]
    prices = snapshot.price_low[rows]
    best = np.nanargmin(prices) if parsed.price_max is not None else np.nanargmax(prices)
    return rows[[int(best)]]


def best_rows(scores: Scores, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of the ``count`` best scores, best first; equal scores in the order of ``rows``."""
    if len(scores) > 4 * count:
        edge = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= edge)
    else:
        places = np.arange(len(scores))
    return places[np.lexsort((rows[places], -scores[places]))[:count]]


def popularity(snapshot: Snapshot) -> Scores:
    """Units sold, on a log scale, half of it from the newest 60 days; the most popular is near 1."""
    return snapshot.popular


def season(snapshot: Snapshot, month: int, rows: NDArray[np.int64]) -> Scores:
    """Share of a product's sales that falls in this and the neighbouring months, above the shop's own share, 0 to 1."""
    around = [(month - 2) % 12, (month - 1) % 12, month % 12]
    everything = float(snapshot.by_month.sum())
    if not everything:
        return np.zeros(len(rows), dtype=np.float64)
    sold = snapshot.monthly[rows]
    usual = float(snapshot.by_month[around].sum()) / everything
    share = (sold[:, around].sum(axis=1, dtype=np.float64) + 10 * usual) / (sold.sum(axis=1, dtype=np.float64) + 10)
    return np.clip((share - usual) / max(usual, 1e-9) / 2, 0.0, 1.0)


def similarity(snapshot: Snapshot, row: int) -> Scores:
    """Likeness to one product: kind, words of the name, colour, brand, attributes and price, 0 to 1."""
    out = np.zeros(len(snapshot), dtype=np.float64)
    parts: tuple[tuple[Mapping[str, NDArray[np.int32]], float], ...] = (
        (snapshot.categories, 0.35),
        (snapshot.colours, 0.10),
        (snapshot.brands, 0.10),
        (snapshot.stems, 0.25),
    )
    for postings, weight in parts:
        mine = [posting for posting in postings.values() if _has(posting, row)]
        for posting in mine:
            out[posting] += weight / len(mine)
    attributes = [posting for posting in snapshot.attributes.values() if _has(posting, row)]
    for posting in attributes:
        out[posting] += 0.1 / len(attributes)
    price = snapshot.price_low[row]
    if price > 0:
        gap = np.abs(np.log(np.maximum(snapshot.price_low, 0.01) / price))
        out += 0.1 * np.nan_to_num(np.exp(-gap))
    return out


def _has(posting: NDArray[np.int32], row: int) -> bool:
    place = int(np.searchsorted(posting, row))
    return place < len(posting) and int(posting[place]) == row


def _wish(parsed: ParsedRequest, snapshot: Snapshot, rows: NDArray[np.int64]) -> Scores:
    """How well the rows meet a wish for an order, 1 for the best of them."""
    if parsed.order == "rating":
        return _ranks(snapshot.liked[rows])
    if parsed.order == "popular":
        return _ranks(snapshot.popular[rows])
    if parsed.order is None and parsed.quality is not None:
        degrees = degree_scores(parsed.quality, snapshot, rows)
        return np.zeros(len(rows)) if degrees is None else _ranks(np.nan_to_num(degrees, nan=np.nanmin(degrees) - 1))
    price = np.nan_to_num(snapshot.price_low[rows], nan=np.inf if parsed.order == "price_low" else -np.inf)
    return _ranks(-price if parsed.order == "price_low" else price)


def _ranks(values: Scores) -> Scores:
    if len(values) < 2:
        return np.ones(len(values), dtype=np.float64)
    order = np.searchsorted(np.unique(values), values).astype(np.float64)
    return order / max(1.0, order.max())


def with_variety(scores: Sequence[float], kinds: Sequence[str], count: int, weight: float) -> list[tuple[int, float]]:
    """Choose ``count`` places one after another, each kind already chosen making the next of it cheaper.

    Returns:
        (index, what variety took off) in the chosen order.
    """
    left = list(range(len(scores)))
    seen: dict[str, int] = {}
    out: list[tuple[int, float]] = []
    while left and len(out) < count:
        best = max(left, key=lambda i: (scores[i] + weight * seen.get(kinds[i], 0), -i))
        out.append((best, weight * seen.get(kinds[best], 0)))
        seen[kinds[best]] = seen.get(kinds[best], 0) + 1
        left.remove(best)
    return out
