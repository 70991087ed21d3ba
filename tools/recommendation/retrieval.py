"""Full-text scores from FTS5. Every word the shopper wrote is quoted; nothing of a request reaches MATCH as syntax."""

import json
import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.language import ACTIVITIES, KINDS
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Snapshot

# Weights of name, category, tags, description, attributes in BM25.
FIELD_WEIGHTS = (6.0, 4.0, 3.0, 1.0, 2.0)
RESTRICT_BELOW = 5_000  # fitting rows: fewer are handed to FTS, more are filtered after it
LIMIT = 2_000
MAX_WORDS = 24


def search_words(parsed: ParsedRequest) -> tuple[str, ...]:
    """What to search for: kind, terms and the wishes the catalogue may also have in words."""
    words = [*parsed.head, *parsed.terms]
    for phrase in (*parsed.categories, *parsed.colours, *parsed.brands, *(value for _, value in parsed.attributes)):
        words.extend(phrase.split())
    words.extend(key for key, value in parsed.attributes if value == "yes")
    if parsed.occasion:
        words.extend((parsed.occasion, *ACTIVITIES.get(parsed.occasion, ())))
    if parsed.gender:
        words.append(parsed.gender)
    for head in parsed.head:
        words.extend(KINDS.get(head, ())[:2])
    return tuple(dict.fromkeys(word for word in words if word))[:MAX_WORDS]


def match_expression(words: Sequence[str]) -> str:
    """An FTS5 expression that matches any of the words, each quoted."""
    quoted = ["t shirt" if word == "tshirt" else word.replace('"', " ") for word in words]
    return " OR ".join(f'"{word}"' for word in quoted if word.strip())


def text_scores(
    connection: sqlite3.Connection, snapshot: Snapshot, words: Sequence[str], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """BM25 of every row of the catalogue, 0 where it does not match, the best 1.

    Args:
        connection: to the catalogue.
        snapshot: the catalogue's facets.
        words: plain words.
        rows: the rows that fit; others may stay 0.
    """
    scores = np.zeros(len(snapshot), dtype=np.float64)
    expression = match_expression(words)
    if not expression:
        return scores
    weights = ", ".join(str(weight) for weight in FIELD_WEIGHTS)
    if len(rows) <= RESTRICT_BELOW:
        numbers = json.dumps([int(snapshot.product_no[row]) for row in rows])
        found = connection.execute(
            f"SELECT rowid, bm25(product_fts, {weights}) FROM product_fts"
            " WHERE product_fts MATCH ? AND rowid IN (SELECT value FROM json_each(?))",
            (expression, numbers),
        ).fetchall()
    else:
        found = connection.execute(
            f"SELECT rowid, bm25(product_fts, {weights}) AS score FROM product_fts WHERE product_fts MATCH ?"
            " ORDER BY score LIMIT ?",
            (expression, LIMIT),
        ).fetchall()
    if not found:
        return scores
    numbers_found = np.asarray([row[0] for row in found], dtype=np.int64)
    positions = np.searchsorted(snapshot.product_no, numbers_found)
    values = -np.asarray([row[1] for row in found], dtype=np.float64)
    inside = (positions < len(snapshot)) & (
        snapshot.product_no[np.minimum(positions, len(snapshot) - 1)] == numbers_found
    )
    scores[positions[inside]] = np.maximum(values[inside], 0.0)
    best = scores.max()
    return scores / best if best > 0 else scores


def coverage(snapshot: Snapshot, words: Sequence[str]) -> NDArray[np.float64]:
    """Share of the words that each row's text has, rare words counting more; a word in the name counts double."""
    total, out = 0.0, np.zeros(len(snapshot), dtype=np.float64)
    for word in words:
        anywhere, named = snapshot.text_stems.get(word), snapshot.stems.get(word)
        if anywhere is None and named is None:
            continue
        count = len(anywhere) if anywhere is not None else len(named) if named is not None else 0
        weight = float(np.log1p(len(snapshot) / max(1, count)))
        total += weight
        if anywhere is not None:
            out[anywhere] += weight / 2
        if named is not None:
            out[named] += weight / 2
    return out / total if total else out
