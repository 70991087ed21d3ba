"""Which rows are of a kind of thing, and for whom: by the shop's categories, else by their names and what else the thing is called."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.compounds import apart_rows
from shopfloor.tools.recommendation.language import FITS, KINDS, SAME, WIDE
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Rows, Snapshot

Mask = NDArray[np.bool_]


def kind_rows(parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Rows of any wanted category, else rows that the head words name."""
    if parsed.categories:
        return snapshot.mask(snapshot.categories[name] for name in parsed.categories if name in snapshot.categories)
    return named_rows(parsed, snapshot)


def named_rows(parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Rows whose name or category has every head word."""
    out = np.ones(len(snapshot), dtype=np.bool_)
    for word in parsed.head:
        other = len(parsed.head) == 1 and word in KINDS and word in snapshot.before_only  # a fridge is no fridge magnet
        rows = phrase_rows("" if other else word, snapshot)
        for phrase in SAME.get(word, ()):
            rows |= phrase_rows(phrase, snapshot)
        if word in WIDE:
            rows |= snapshot.mask(
                snapshot.categories[name]
                for name, stems in snapshot.category_stems.items()
                if set(stems[-1:]) & set(KINDS[word])
            )
        if word in snapshot.stems:
            rows[apart_rows(word, snapshot)] = True
        out &= rows
    return out


def near_rows(heads: Sequence[str], snapshot: Snapshot) -> Mask:
    """Rows of what the thing is also called: of a category of that name, or with it in their own."""
    out = np.zeros(len(snapshot), dtype=np.bool_)
    for phrase in (near for word in heads for near in KINDS.get(word, ())):
        words = phrase.split()
        names = [name for name, stems in snapshot.category_stems.items() if set(words) <= set(stems)]
        out |= snapshot.mask(snapshot.categories[name] for name in names) | phrase_rows(phrase, snapshot)
    if len(heads) > 1:
        out |= phrase_rows(heads[-1], snapshot)  # of "oxford shoe" any shoe
    return out


def phrase_rows(phrase: str, snapshot: Snapshot) -> Mask:
    """Rows whose name or category has all the words of a phrase."""
    words = phrase.split()
    if not words or any(word not in snapshot.stems for word in words):
        return np.zeros(len(snapshot), dtype=np.bool_)
    return np.logical_and.reduce([snapshot.mask([snapshot.stems[word]]) for word in words])


def gender_rows(gender: str, snapshot: Snapshot) -> Mask:
    """Rows for this person; products that say nothing fit everybody."""
    return snapshot.mask(snapshot.genders[g] for g in (*FITS.get(gender, ()), gender, "") if g in snapshot.genders)


def attribute_postings(snapshot: Snapshot, key: str, value: str) -> list[Rows]:
    """Rows whose value of an attribute has all the words: "warm" is also "very warm"."""
    words = set(value.split())
    return [rows for (name, text), rows in snapshot.attributes.items() if name == key and words <= set(text.split())]
