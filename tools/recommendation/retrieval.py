"""What a request's words find: BM25 and the share of the words, for the rows that fit, the promising ones of many.

Facets come first: only rows that keep every constraint are scored. Where very many fit, those are kept that the words
or the shop's sales speak for, and the costlier signals (taste, season, likeness) order only them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.language import ACTIVITIES, KINDS
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Snapshot

Scores = NDArray[np.float64]
MAX_WORDS = 24
KEPT = 5_000  # of more fitting rows than this, the best by words and sales are kept


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Rows worth ranking, rising; for each its BM25 (the best 1) and the share of the request's words it has."""

    rows: NDArray[np.int64]
    text: Scores
    words: Scores


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
    spelt = ("t-shirt" if word == "tshirt" else word for word in words if word)
    return tuple(dict.fromkeys(spelt))[:MAX_WORDS]


def retrieve(
    snapshot: Snapshot, parsed: ParsedRequest, rows: NDArray[np.int64], personal: Sequence[str] = ()
) -> Retrieved:
    """Score the rows that fit by the request's words.

    Args:
        snapshot: the catalogue's facets and its index.
        parsed: the request.
        rows: those that keep every constraint, rising.
        personal: SKUs that the shopper's past speaks for; they are kept whatever the words say.
    """
    text = snapshot.search.scores(search_words(parsed), rows)
    best = text.max() if len(text) else 0.0
    if best > 0:
        text /= best
    words = coverage(snapshot, (*parsed.head, *parsed.terms), rows)
    if parsed.terms and not (parsed.categories or parsed.head):
        spoken = (text > 0) | (words > 0)
        if spoken.any():  # who names a thing wants no padding
            rows, text, words = rows[spoken], text[spoken], words[spoken]
    everything_counts = parsed.order is not None or parsed.quality is not None or parsed.like_sku is not None
    if len(rows) > KEPT and not everything_counts:
        promise = text + words
        if np.count_nonzero(promise) < KEPT:
            promise += snapshot.popular[rows] + snapshot.liked[rows]
        else:
            matched = np.flatnonzero(promise)
            promise[matched] += snapshot.popular[rows[matched]] + snapshot.liked[rows[matched]]
        kept = np.zeros(len(rows), dtype=np.bool_)
        kept[_best(promise, KEPT)] = True
        kept[_best(text, KEPT // 10)] = True
        mine = [snapshot.row_of[sku] for sku in personal if sku in snapshot.row_of]
        kept |= np.isin(rows, np.asarray(mine, dtype=np.int64))
        rows, text, words = rows[kept], text[kept], words[kept]
    return Retrieved(rows, text, words)


def _best(scores: Scores, count: int) -> NDArray[np.int64]:
    """Places of the ``count`` best; the many zeros are not sorted where others are enough."""
    places = np.flatnonzero(scores)
    if len(places) <= count:
        return places if len(places) == count else np.argpartition(scores, len(scores) - count)[len(scores) - count :]
    return places[np.argpartition(scores[places], len(places) - count)[len(places) - count :]]


def coverage(snapshot: Snapshot, words: Sequence[str], rows: NDArray[np.int64]) -> Scores:
    """Share of the words that each row's text has, rare words counting more; a word in the name counts double."""
    total, out = 0.0, np.zeros(len(snapshot), dtype=np.float32)
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
    return out[rows].astype(np.float64) / total if total else np.zeros(len(rows), dtype=np.float64)
