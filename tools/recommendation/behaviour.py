"""What a shopper's own past says: bought before, bought together with, and what kinds, brands and prices they choose."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.snapshot import Snapshot

HISTORY = 300  # newest purchase lines that count
HALF_LIFE_BASKETS = 5.0  # a basket this many baskets ago counts half


@dataclass(frozen=True, slots=True)
class Past:
    """A shopper's purchases, newest first, with a weight that fades by basket.

    ``partners`` tells for a row which of the shopper's products it is bought with, and how strongly.
    """

    bought: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict[str, float])
    partners: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    together: dict[str, float] = field(default_factory=dict[str, float])


def load_past(connection: sqlite3.Connection, user_id: str | None, basket: Sequence[str]) -> Past:
    """Read a shopper's history and the co-purchase neighbours of it and of the basket."""
    weights = _history(connection, user_id) if user_id else {}
    anchors = dict(weights)
    for sku in basket:
        anchors[sku] = anchors.get(sku, 0.0) + 1.0
    together, partners = _neighbours(connection, anchors)
    return Past(tuple(weights), weights, partners, together)


def _history(connection: sqlite3.Connection, user_id: str) -> dict[str, float]:
    rows = connection.execute(
        "SELECT sku, basket FROM events WHERE user_id = ? AND event = 'purchase'"
        " AND (status IS NULL OR status NOT IN ('CANCELLED', 'REFUNDED')) ORDER BY ts DESC LIMIT ?",
        (user_id, HISTORY),
    ).fetchall()
    age: dict[str, int] = {}
    weights: dict[str, float] = {}
    for row in rows:
        place = age.setdefault(str(row["basket"]), len(age))
        sku = str(row["sku"])
        weights[sku] = weights.get(sku, 0.0) + 0.5 ** (place / HALF_LIFE_BASKETS)
    return weights


def _neighbours(
    connection: sqlite3.Connection, anchors: dict[str, float]
) -> tuple[dict[str, float], dict[str, tuple[str, float]]]:
    together: dict[str, float] = {}
    partners: dict[str, tuple[str, float]] = {}
    if anchors:
        rows = connection.execute(
            "SELECT sku, other, weight FROM co_purchase WHERE sku IN (SELECT value FROM json_each(?))",
            (json.dumps(list(anchors)),),
        )
        for row in rows:
            sku, other, strength = str(row["sku"]), str(row["other"]), float(row["weight"]) * anchors[str(row["sku"])]
            together[other] = together.get(other, 0.0) + strength
            if strength > partners.get(other, ("", 0.0))[1]:
                partners[other] = (sku, strength)
    return together, partners


def together_scores(past: Past, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Strength of being bought with the shopper's own, the best of the catalogue 1."""
    return _scaled(past.together, snapshot, rows)


def taste_scores(past: Past, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much a row is like what the shopper buys: category, brand and colour shares, price near their usual, 0 to 1."""
    bought = sorted((snapshot.row_of[sku], weight) for sku, weight in past.weights.items() if sku in snapshot.row_of)
    total = sum(weight for _, weight in bought)
    if not total:
        return np.zeros(len(rows), dtype=np.float64)
    own = np.asarray([row for row, _ in bought], dtype=np.int64)
    weight = np.asarray([weight for _, weight in bought], dtype=np.float64)
    out = np.zeros(len(snapshot), dtype=np.float64)
    for postings, share in ((snapshot.categories, 0.4), (snapshot.colours, 0.15), (snapshot.brands, 0.25)):
        for posting in postings.values():
            mine = float(weight[posting[np.minimum(np.searchsorted(posting, own), len(posting) - 1)] == own].sum())
            if mine:
                out[posting] += share * mine / total
    taste = out[rows]
    paid = snapshot.price_low[own]
    paid = paid[~np.isnan(paid) & (paid > 0)]
    if len(paid):
        gap = np.abs(np.log(np.maximum(snapshot.price_low[rows], 0.01)) - float(np.log(paid).mean()))
        taste += 0.2 * np.nan_to_num(np.exp(-gap))
    return np.minimum(taste, 1.0)


def repeat_scores(past: Past, snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bought before by this shopper, the most 1."""
    return _scaled(past.weights, snapshot, rows)


def _scaled(values: dict[str, float], snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    known = {snapshot.row_of[sku]: value for sku, value in values.items() if sku in snapshot.row_of}
    if not known:
        return np.zeros(len(rows), dtype=np.float64)
    out = np.zeros(len(snapshot), dtype=np.float64)
    out[list(known)] = list(known.values())
    best = out.max()
    return out[rows] / best if best > 0 else out[rows]
