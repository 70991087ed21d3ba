"""How good the service is for shoppers whose messages nobody trains on and no gate sees, against what it could be.

Routing: the share of messages that the right agents answered. Bought: the chance that a shopper with a wish buys one of
the cards shown, by the hidden tastes. NDCG@10: the order of ten recommendations, by how much each product appeals.
"""

import asyncio
import math
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shopfloor.evaluation.metrics import Floats, bootstrap_mean, mean, paired_difference
from shopfloor.simulation.behaviour import bought_share
from shopfloor.simulation.client import ShopClient
from shopfloor.simulation.phrases import Ask
from shopfloor.simulation.scene import Person
from shopfloor.store.database import connect

SHOWN, RANKED = 3, 10
AT_ONCE = 3
_WORDS = re.compile(r"[^\W_]+")

Measures = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class WithheldAsk:
    """A message of a withheld shopper."""

    person: Person
    ask: Ask


async def measure(
    client: ShopClient, cases: Sequence[WithheldAsk], *, ranking: bool, tick: Callable[[], None]
) -> Measures:
    """Ask the service; NaN where a case says nothing of a measure. A request that failed counts as wrong.

    Args:
        client: the service.
        cases: who asks what.
        ranking: measure NDCG@10 too, which asks for ten recommendations beside the chat.
        tick: called after each case.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(case: WithheldAsk) -> tuple[float, float, float]:
        async with gate:
            answer = await client.chat(case.person.user_id, case.ask.text)
            ndcg = math.nan
            if ranking and case.ask.is_wish:
                found = await client.recommend(case.person.user_id, case.ask.text, RANKED)
                ndcg = graded_ndcg(found or [], case.ask.fitting)
            tick()
        route = float(answer is not None and answer.route == case.ask.route)
        cards = [card.sku for card in answer.cards] if answer is not None else []
        return route, bought_share(cards[:SHOWN], case.ask.fitting) if case.ask.is_wish else math.nan, ndcg

    found = await asyncio.gather(*(one(case) for case in cases))
    named = {"routing": [one[0] for one in found], "bought": [one[1] for one in found]}
    return named | ({"ndcg@10": [one[2] for one in found]} if ranking else {})


def retrieval(catalogue: Path, cases: Sequence[WithheldAsk]) -> Measures:
    """A search box: every message is taken for a wish and answered by the full-text index (blocking)."""
    with closing(connect(catalogue, read_only=True)) as connection:
        found = [_bm25(connection, case.ask.text) for case in cases]
    return {
        "routing": [float(case.ask.route == "recommendation") for case in cases],
        "bought": [
            _of_wish(case, bought_share(skus[:SHOWN], case.ask.fitting))
            for case, skus in zip(cases, found, strict=True)
        ],
        "ndcg@10": [
            _of_wish(case, graded_ndcg(skus, case.ask.fitting)) for case, skus in zip(cases, found, strict=True)
        ],
    }


def oracle(cases: Sequence[WithheldAsk]) -> Measures:
    """Who knows every route and every taste."""
    best = [sorted(case.ask.fitting, key=lambda sku: (-case.ask.fitting[sku], sku)) for case in cases]
    return {
        "routing": [1.0] * len(cases),
        "bought": [
            _of_wish(case, bought_share(skus[:SHOWN], case.ask.fitting)) for case, skus in zip(cases, best, strict=True)
        ],
        "ndcg@10": [_of_wish(case, 1.0) for case in cases],
    }


def graded_ndcg(ranking: Sequence[str], appeal: Mapping[str, float], k: int = RANKED) -> float:
    """NDCG at k where each product gains by its appeal."""
    ideal = _gain(sorted(appeal.values(), reverse=True)[:k])
    return _gain([appeal.get(sku, 0.0) for sku in ranking[:k]]) / ideal if ideal else 0.0


def means(measures: Measures) -> dict[str, float]:
    """Mean of each measure."""
    return {name: round(mean(np.array(values)), 4) for name, values in measures.items()}


def intervals(measures: Measures, seed: int) -> dict[str, list[float]]:
    """95 % interval of each mean: percentile bootstrap over messages, one a shopper."""
    return {name: _rounded(bootstrap_mean(_floats(values), seed=seed)) for name, values in measures.items()}


def differences(ours: Measures, theirs: Measures, seed: int) -> dict[str, list[float]]:
    """Difference of each common measure over the same messages: difference, low, high."""
    return {
        name: _rounded(paired_difference(_floats(ours[name]), _floats(theirs[name]), seed=seed))
        for name in ours
        if name in theirs
    }


def by_style(measures: Measures, cases: Sequence[WithheldAsk]) -> dict[str, dict[str, Any]]:
    """Routing by the way of asking."""
    styles = sorted({case.ask.style for case in cases})
    return {
        style: {
            "n": len(right),
            "routing": round(float(np.mean(right)), 4),
        }
        for style in styles
        if (right := [value for value, case in zip(measures["routing"], cases, strict=True) if case.ask.style == style])
    }


def _of_wish(case: WithheldAsk, value: float) -> float:
    return value if case.ask.is_wish else math.nan


def _gain(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, np.float64)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(value), 4) for value in values]


def _bm25(connection: sqlite3.Connection, text: str) -> list[str]:
    match = " OR ".join(f'"{word}"' for word in dict.fromkeys(_WORDS.findall(text.lower())))
    if not match:
        return []
    rows = connection.execute(
        "SELECT sku FROM product_fts JOIN products ON product_no = product_fts.rowid WHERE product_fts MATCH ?"
        " ORDER BY bm25(product_fts), product_no LIMIT ?",
        (match, RANKED),
    )
    return [str(row["sku"]) for row in rows]
