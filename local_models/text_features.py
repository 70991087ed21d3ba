"""Hashed word and character n-grams of a text: small, stable across machines and versions, numpy only.

A text becomes a sparse vector of two blocks, each weighted by IDF and of length 1: words (one and two at a time) and
characters (two to five at a time, within a word and its blanks). CRC-32 is the hash, because it is the same everywhere
and runs in C.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

WORD_BUCKETS = 1 << 13
CHAR_BUCKETS = 1 << 15
BUCKETS = WORD_BUCKETS + CHAR_BUCKETS
CHAR_SIZES = (2, 3, 4, 5)
LENGTH_MARKS = (1, 2, 3, 5, 8, 12, 20)

Floats = NDArray[np.float32]

_WORD = re.compile(r"[^\W\d_]+|\d+|[?]")


@dataclass(frozen=True, slots=True)
class SparseText:
    """A text's features: bucket numbers (words first, then characters) and their weights."""

    buckets: NDArray[np.int64]
    weights: Floats


def normalise(text: str) -> list[str]:
    """Words of a text in lower case; every number becomes its number of digits, so that prices and sizes share."""
    words = _WORD.findall(text.casefold())
    return [f"0{len(word)}" if word.isdecimal() else word for word in words]


def count_features(text: str) -> Counter[int]:
    """How often each bucket occurs in a text."""
    words = normalise(text)
    counts: Counter[int] = Counter(_bucket(token, 0, WORD_BUCKETS) for token in _word_tokens(words))
    counts.update(_bucket(token, WORD_BUCKETS, CHAR_BUCKETS) for token in _char_tokens(words))
    return counts


def inverse_frequencies(texts: Sequence[str]) -> Floats:
    """Smoothed IDF of every bucket over ``texts``, shape (BUCKETS,)."""
    seen = np.zeros(BUCKETS, dtype=np.float64)
    for text in texts:
        seen[list(count_features(text))] += 1
    return (np.log((1 + len(texts)) / (1 + seen)) + 1).astype(np.float32)


def featurise(text: str, idf: Floats) -> SparseText:
    """Sublinear counts times IDF, each block scaled to length 1."""
    counts = count_features(text)
    if not counts:
        return SparseText(np.zeros(0, np.int64), np.zeros(0, np.float32))
    buckets = np.fromiter(counts.keys(), np.int64, len(counts))
    weights = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * idf[buckets]
    words = buckets < WORD_BUCKETS
    for block in (words, ~words):
        length = float(np.linalg.norm(weights[block]))
        if length > 0:
            weights[block] /= length
    return SparseText(buckets, weights.astype(np.float32))


def _word_tokens(words: Sequence[str]) -> Iterable[str]:
    yield from words
    framed = ["^", *words, "$"]
    yield from (f"{left} {right}" for left, right in pairwise(framed))
    yield f"\x00{sum(len(words) >= mark for mark in LENGTH_MARKS)}"


def _char_tokens(words: Sequence[str]) -> Iterable[str]:
    for word in words:
        framed = f" {word} "
        for size in CHAR_SIZES:
            for start in range(max(1, len(framed) - size + 1)):
                yield framed[start : start + size]


def _bucket(token: str, offset: int, buckets: int) -> int:
    return offset + zlib.crc32(token.encode()) % buckets
