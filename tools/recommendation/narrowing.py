"""Of the rows that fit, those that also answer to the words around the thing: a *lunch* bag, a jigsaw *with dinosaurs*.

Such words are no columns of the catalogue, so nothing is given up for them: where no row that fits has a word, it is
passed over, and where none has all of them, those stay that have most.
"""

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.compounds import side_by_side
from shopfloor.tools.recommendation.language import (
    COMMON_WORDS,
    DOERS,
    EMPTY_WORDS,
    KINDS,
    MAIN_KINDS,
    OCCASIONS,
    SHADES,
)
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Snapshot

Mask = NDArray[np.bool_]
# Words that are adjectives by their end, whatever a shop sells; others may as well be things.
_QUALITY = re.compile(
    r"..(?:able|ible|proof|resistant|less|friendly|padded|lined|insulated|reinforced|quilted|stretchy|vegan|organic|recycled|handmade|foldaway)$"
)
CHILDREN = ("kids", "boys", "girls", "baby")
_CHILD_WORDS = ("child", "kid", "boy", "girl", "baby", "toddler", "junior")
_CHILD_AGE = 16
ENOUGH = 0.5
_LONG_ENOUGH = 4  # letters of a word that is said back; "non-" is none
_TELLING_DIGITS = 3  # of a number that tells products apart: a power bank of 20000
_QUOTED = 3  # unknown words that are said back
READ = 5_000  # rows whose names are read one by one
_JOINS = re.compile(r"&|/|,|\band\b")
DESCRIBED = 1.25  # "decorations in silver" says silver more than it says decorations


def is_for_child(parsed: ParsedRequest) -> bool:
    """Whether the request says that it is for a child."""
    return parsed.gender in CHILDREN or (parsed.age is not None and parsed.age < _CHILD_AGE)


def narrowed(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """The rows of ``mask`` that answer best to the request's own words; never empty where ``mask`` is not."""
    if not mask.any():
        return mask
    if parsed.categories or parsed.head:
        mask = _with_words(mask, parsed, snapshot)
    elif parsed.terms:
        mask = _telling_most(mask, parsed, snapshot)
    mask = _as_things(mask, parsed, snapshot)
    for word in parsed.not_terms:
        free = free_rows(word, snapshot) & mask
        mask = free if free.any() else mask
    return _for_whom(mask, parsed, snapshot)


def has_word(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> bool:
    """Whether some row of ``mask`` has a word that stands before the thing; also true where there is no such word."""
    words = parsed.modifiers if parsed.head else ()
    return not words or any(
        bool((rows & mask).any()) for word in words for rows in (name_rows(word, snapshot), value_rows(word, snapshot))
    )


def colour_unmet(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> tuple[str, ...]:
    """Colours that were asked for in words the shop has no colours for, and that no row of ``mask`` has in its text."""
    words = [word for word in (*parsed.modifiers, *parsed.described) if word in SHADES]
    return tuple(word for word in words if not (mask & (text_rows(word, snapshot) | name_rows(word, snapshot))).any())


def unsaid(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> tuple[str, ...]:
    """What was asked for around the thing and no row of ``mask`` speaks of.

    Qualities ("breathable"), and the word before a thing that makes another thing of it here ("jewellery" box).
    """
    if not mask.any():
        return ()
    if _tells_only_words(parsed):
        known = [word for word in parsed.terms if (name_rows(word, snapshot) | text_rows(word, snapshot)).any()]
        return () if known else parsed.terms[:_QUOTED]
    words = [word for word in dict.fromkeys((*parsed.modifiers, *parsed.terms)) if _QUALITY.search(word)]
    if len(parsed.head) == 1 and parsed.modifiers and side_by_side(parsed.modifiers[0], parsed.head[0], snapshot):
        words.append(parsed.modifiers[0])
    if len(parsed.categories) > 1 and len({snapshot.category_stems[name][-1:] for name in parsed.categories}) == 1:
        words += [word for word in parsed.modifiers[:1] if _is_strange(word, snapshot)]  # "parrot" food
    return tuple(
        word
        for word in dict.fromkeys(words)
        if not (mask & (text_rows(word, snapshot) | name_rows(word, snapshot) | value_rows(word, snapshot))).any()
    )


def _is_strange(word: str, snapshot: Snapshot) -> bool:
    """Whether a word before a thing is none of the shop's nor of general language: "parrot" food."""
    if len(word) < _LONG_ENOUGH:
        return False
    general = word in COMMON_WORDS or word in EMPTY_WORDS or word in OCCASIONS or word in SHADES or word in DOERS
    return not general and word not in KINDS and word not in snapshot.text_stems and word not in snapshot.stems


def _tells_only_words(parsed: ParsedRequest) -> bool:
    """Whether a request says nothing that is understood but for words to search for."""
    asked = (parsed.categories, parsed.head, parsed.colours, parsed.sizes, parsed.attributes, parsed.brands, parsed.measures, parsed.like_sku)  # fmt: skip
    return bool(parsed.terms) and not any(asked) and parsed.gender is None and parsed.occasion is None


def _with_words(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    hits = np.zeros(len(snapshot), dtype=np.float64)
    for word in parsed.modifiers:
        for rows in (name_rows(word, snapshot), value_rows(word, snapshot), text_rows(word, snapshot)):
            if (rows & mask).any():
                hits += rows
                break
    numbers = (term for term in parsed.terms if term.isdigit() and len(term) >= _TELLING_DIGITS)
    for word in (*parsed.described, *numbers):
        for rows in (name_rows(word, snapshot), value_rows(word, snapshot), text_rows(word, snapshot)):
            if (rows & mask).any():
                hits += DESCRIBED * rows
                break
    best = float(hits[mask].max())
    return mask & (hits >= best) if best > 0 else mask


def _telling_most(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Where no thing is named: the rows that speak of at least half of what the best speaks of, rare words counting more."""
    told = np.zeros(len(snapshot), dtype=np.float64)
    for word in parsed.terms:
        rows = name_rows(word, snapshot) | text_rows(word, snapshot) | name_rows(DOERS.get(word, word), snapshot)
        told += rows * np.log1p(len(snapshot) / max(1, int(rows.sum())))
    best = float(told[mask].max())
    return mask & (told >= ENOUGH * best) if best > 0 else mask


def _as_things(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Hammers rather than hammer drills, and of "coffee and tea" the teas: rows whose name has the thing as its thing."""
    rows = np.flatnonzero(mask)
    if len(parsed.head) != 1 or len(rows) > READ:
        return mask
    word = parsed.head[0]
    out = mask.copy()
    things = set(MAIN_KINDS).union(*snapshot.category_stems.values()) if not parsed.categories else set[str]()
    mixed = any(_JOINS.search(name) for name in parsed.categories)
    for row in rows.tolist():
        name = snapshot.name_stems[row]
        if word not in name:
            out[row] = not mixed
            continue
        after = name[name.index(word) + 1 :][:1]
        out[row] = parsed.categories != () or not after or after[0] == word or after[0] not in things
    return out if out.any() else mask


def free_rows(word: str, snapshot: Snapshot) -> Mask:
    """Rows that say they are free of something: "lactose free" in their name or a column."""
    out = np.zeros(len(snapshot), dtype=np.bool_)
    for (key, value), rows in snapshot.attributes.items():
        words = (key if value == "yes" else value).split()
        if "free" in words and word in words:
            out[rows] = True
    if word in snapshot.stems and "free" in snapshot.stems:
        both: list[int] = np.intersect1d(snapshot.stems[word], snapshot.stems["free"]).tolist()
        for row in both:
            name = snapshot.name_stems[row]
            out[row] |= (word, "free") in pairwise(name)
    return out


def name_rows(word: str, snapshot: Snapshot) -> Mask:
    """Rows with the word in their name or category."""
    return snapshot.mask([snapshot.stems[word]] if word in snapshot.stems else [])


def value_rows(word: str, snapshot: Snapshot) -> Mask:
    """Rows with the word in a value of an attribute."""
    return snapshot.mask(rows for (_, value), rows in snapshot.attributes.items() if word in value.split())


def text_rows(word: str, snapshot: Snapshot) -> Mask:
    """Rows with the word anywhere in their text."""
    return snapshot.mask([snapshot.text_stems[word]] if word in snapshot.text_stems else [])


def child_rows(snapshot: Snapshot) -> Mask:
    """Rows that say they are for children: by their gender, an age, or their name."""
    by_gender = snapshot.mask(snapshot.genders[name] for name in CHILDREN if name in snapshot.genders)
    by_name = snapshot.mask(snapshot.stems[word] for word in _CHILD_WORDS if word in snapshot.stems)
    silent = snapshot.mask([snapshot.genders[""]] if "" in snapshot.genders else [])
    return by_gender | (np.nan_to_num(snapshot.age_low, nan=_CHILD_AGE) < _CHILD_AGE) | (by_name & silent)


def _for_whom(mask: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Things for children to whom asks for a child; to whom asks for nobody and for no kind, things for grown-ups."""
    child = child_rows(snapshot)
    if is_for_child(parsed):
        wanted = mask & child
    elif parsed.is_vague and parsed.gender is None:
        wanted = mask & ~child
    else:
        return mask
    return wanted if wanted.any() else mask
