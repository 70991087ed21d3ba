"""BM25 over the whole catalogue from arrays in memory: every word with the share it gives each product.

The same words and the same formula as FTS5 (its tokenizer cuts and stems them, its ``bm25`` is what the shares are
worked out from), so the order is that of ``ORDER BY bm25(product_fts, …)``; but a word's shares are ready, and
a request adds up a few arrays where FTS5 reads and sorts every match. Exact: nothing is left out for speed.
"""

import re
import sqlite3
import threading
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]
Shares = NDArray[np.float32]
Scores = NDArray[np.float64]

# Weights of name, category, tags, description, attributes in BM25.
FIELD_WEIGHTS = (6.0, 4.0, 3.0, 1.0, 2.0)
K1, B = 1.2, 0.75  # FTS5's own
TOKENIZER = "porter unicode61 remove_diacritics 2"  # as product_fts has it
SPARSE_COST = 12  # looking a row up in a list costs about as much as adding this many
REMEMBERED = 65_536  # words of requests whose stem is remembered
_WORD = re.compile(r"[^\W_]+")


class Stemmer:
    """FTS5's own tokenizer, asked through an index that holds nothing else. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, ...]] = {}
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._connection.execute(f"CREATE VIRTUAL TABLE word USING fts5 (text, tokenize = '{TOKENIZER}')")
        self._connection.execute("CREATE VIRTUAL TABLE part USING fts5vocab (word, instance)")

    def stem_all(self, words: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The stems of each word; most have one."""
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO word (rowid, text) VALUES (?, ?)", enumerate(words))
            found: list[list[tuple[int, str]]] = [list[tuple[int, str]]() for _ in words]
            for term, doc, offset in self._connection.execute("SELECT term, doc, offset FROM part"):
                found[int(doc)].append((int(offset), str(term)))
            self._connection.execute("ROLLBACK")
        return {word: tuple(term for _, term in sorted(parts)) for word, parts in zip(words, found, strict=True)}

    def stems(self, word: str) -> tuple[str, ...]:
        """The stems of a word of a request."""
        known = self._known.get(word)
        if known is None:
            known = self.stem_all([word])[word]
            if len(self._known) < REMEMBERED:
                self._known[word] = known
        return known

    def forget(self) -> None:
        """Remember no word of a request."""
        with self._lock:
            self._known.clear()

    def close(self) -> None:
        """Close the index it asks."""
        self._connection.close()

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """Shares of N products by word, row numbers rising within a word.

    Attributes:
        places: a word's stem → its number.
        starts: shape (words + 1,): where each word's part of ``rows`` and ``shares`` begins.
        rows, shares: the products that have the word, and what it adds to their BM25.
        stemmer: for the words of requests.
    """

    places: Mapping[str, int]
    starts: NDArray[np.int64]
    rows: Rows
    shares: Shares
    size: int
    stemmer: Stemmer

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.starts.nbytes + self.rows.nbytes + self.shares.nbytes

    def scores(self, words: Iterable[str], rows: NDArray[np.int64]) -> Scores:
        """BM25 of each of ``rows`` (rising) for any of the words; 0 where none matches. Shape (len(rows),)."""
        found = self._postings(words)
        total = sum(len(posting) for posting, _ in found)
        if len(found) * len(rows) * SPARSE_COST > total + self.size:
            out = np.zeros(self.size, dtype=np.float32)
            for posting, shares in found:
                places = posting.astype(np.intp)  # once: each of the two lookups would do it again
                out[places] = out.take(places) + shares
            return (out if len(rows) == self.size else out.take(rows)).astype(np.float64)
        sparse = np.zeros(len(rows), dtype=np.float64)
        for posting, shares in found:
            at = np.minimum(np.searchsorted(posting, rows), len(posting) - 1)
            hit = posting[at] == rows
            sparse[hit] += shares[at[hit]]
        return sparse

    def _postings(self, words: Iterable[str]) -> list[tuple[Rows, Shares]]:
        """One list a word; a word that the tokenizer cuts in several ("t-shirt") matches where all of them are."""
        out: list[tuple[Rows, Shares]] = []
        for stems in (self.stemmer.stems(word) for word in words):  # as FTS5, one stem twice counts twice
            parts = [self._posting(self.places[stem]) for stem in stems if stem in self.places]
            if not parts or len(parts) < len(stems):
                continue
            rows, shares = parts[0] if len(parts) == 1 else self._together(parts)
            if len(rows):
                out.append((rows, shares))
        return out

    def _together(self, parts: Sequence[tuple[Rows, Shares]]) -> tuple[Rows, Shares]:
        """Rows that have every part, with the shares that a word of its own as rare as that would give."""
        rows = parts[0][0]
        for other, _ in parts[1:]:
            rows = rows[np.isin(rows, other, assume_unique=True)]
        amounts = [
            shares[np.searchsorted(posting, rows)] / float(rarity(self.size, len(posting))) for posting, shares in parts
        ]
        return rows, (np.min(amounts, axis=0) * float(rarity(self.size, len(rows)))).astype(np.float32)

    def _posting(self, place: int) -> tuple[Rows, Shares]:
        part = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return self.rows[part], self.shares[part]


def rarity(size: int, documents: "int | NDArray[np.int64]") -> NDArray[np.float64]:
    """BM25's weight of a word that ``documents`` of ``size`` products have, as FTS5 has it."""
    found = np.asarray(documents, dtype=np.float64)
    return np.maximum(np.log((size - found + 0.5) / (found + 0.5)), 1e-6)


def build_index(connection: sqlite3.Connection) -> SearchIndex:
    """Read the texts of the active products, in the order of their numbers. Run it off the event loop."""
    numbers: dict[str, int] = {}
    found: list[array[int]] = [array("i") for _ in FIELD_WEIGHTS]  # word numbers, field by field
    counts: list[array[int]] = [array("i") for _ in FIELD_WEIGHTS]  # how many of them each product has
    query = "SELECT name, category, tags, description, attributes FROM product_text ORDER BY product_no"
    for texts in connection.execute(query):
        for field, text in enumerate(texts):
            words = _WORD.findall(text.lower()) if text else []
            found[field].extend([numbers.setdefault(word, len(numbers)) for word in words])
            counts[field].append(len(words))
    stemmer = Stemmer()
    stems = stemmer.stem_all(list(numbers))
    places = {term: place for place, term in enumerate(sorted({part for parts in stems.values() for part in parts}))}
    first = np.asarray([places[parts[0]] if parts else -1 for parts in stems.values()], dtype=np.int64)
    return _index(places, first, found, counts, stemmer)


def _index(
    places: Mapping[str, int],
    first: NDArray[np.int64],
    found: Sequence["array[int]"],
    counts: Sequence["array[int]"],
    stemmer: Stemmer,
) -> SearchIndex:
    size = len(counts[0])
    keys: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float32]] = []
    lengths = np.zeros(size, dtype=np.float64)
    for field, weight in enumerate(FIELD_WEIGHTS):
        many = np.frombuffer(counts[field], dtype=np.int32) if size else np.zeros(0, dtype=np.int32)
        rows = np.repeat(np.arange(size, dtype=np.int64), many)
        words = first[np.frombuffer(found[field], dtype=np.int32)] if len(found[field]) else np.zeros(0, dtype=np.int64)
        kept = words >= 0
        keys.append((words[kept] << 32) | rows[kept])
        weights.append(np.full(int(kept.sum()), weight, dtype=np.float32))
        lengths += many
    key, weight = np.concatenate(keys), np.concatenate(weights)
    order = np.argsort(key, kind="stable")
    key, weight = key[order], weight[order]
    begins = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.zeros(0, dtype=np.int64)
    amount = np.add.reduceat(weight, begins) if len(begins) else weight
    word, rows = key[begins] >> 32, (key[begins] & 0xFFFFFFFF).astype(np.int32)
    documents = np.bincount(word, minlength=len(places))
    norm = K1 * (1 - B + B * lengths / max(1e-9, float(lengths.mean()) if size else 1.0))
    shares = (rarity(size, documents)[word] * amount * (K1 + 1) / (amount + norm[rows])).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(documents)]).astype(np.int64)
    return SearchIndex(places, starts, rows, shares, size, stemmer)
