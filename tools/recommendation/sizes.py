"""Sizes and ages in a request, matched with the labels the catalogue has ("M", "42", "5-6 Yr", "EU 38")."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from shopfloor.tools.recommendation.language import SIZE_WORDS
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import Token

_AGE = re.compile(
    r"(?:(?:aged?|turning|turns)\s+(?P<a>\d{1,2})(?!\w)(?:\s*(?:years?|yrs?)(?:\s+old)?)?|"
    r"(?P<b>\d{1,2})\s*-?\s*(?P<unit>years?|yrs?|y/?o|months?)(?!\w)(?:[\s-]*olds?)?|(?P<c>\d{1,2})\s*-?\s*year\s*-?\s*olds?|"
    r"\bis\s+(?P<d>\d{1,2})(?!\w)(?=\s*(?:$|[,.!?]|and\b|now\b)))"
)
_AGE_LABEL = re.compile(
    r"(?:age[ds]?\s*)?(\d{1,2})(?:\s*(?:-|–|to|/)\s*(\d{1,2}))?\s*(y(?:ea)?rs?|y|m(?:onths?)?|mths?)?\b", re.IGNORECASE
)
_LETTERS = frozenset({"xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl", "2xl", "3xl", "4xl"})
_BEFORE = frozenset({"size", "in", "sized", "uk", "us", "eu", "wear", "wears", "a", "an", "is", "sizes", "take"})
_SYSTEMS = frozenset({"uk", "us", "eu"})


def read_age(text: str) -> tuple[float | None, str]:
    """The age of whom it is for, in years, and the text without it ("my daughter, 5 years" → 5.0)."""
    match = _AGE.search(text)
    if match is None:
        return None, text
    value = float(match["a"] or match["b"] or match["c"] or match["d"])
    if (match["unit"] or "").startswith("month"):
        value /= 12
    return value, text[: match.start()] + " " * (match.end() - match.start()) + text[match.end() :]


def age_range(label: str) -> tuple[float, float] | None:
    """The ages a size label stands for, in years: "5-6 Yr" → (5, 6); None when it is not an age."""
    match = _AGE_LABEL.fullmatch(label.strip())
    if match is None or (match[3] is None and not label.strip().lower().startswith("age")):
        return None
    scale = 1 / 12 if (match[3] or "y").lower().startswith("m") else 1.0
    low = float(match[1]) * scale
    return low, float(match[2]) * scale if match[2] else low


def labels_for_age(snapshot: Snapshot, age: float) -> tuple[str, ...]:
    """The catalogue's size labels that fit an age, the nearest label where none holds it exactly."""
    ranges = {label: found for label in snapshot.sizes if (found := age_range(label)) is not None}
    inside = tuple(label for label, (low, high) in ranges.items() if low <= age < high + 1 or (low <= age <= high))
    if inside or not ranges:
        exact = tuple(label for label in inside if ranges[label][0] <= age <= ranges[label][1])
        return exact or inside
    distance = {label: min(abs(low - age), abs(high - age)) for label, (low, high) in ranges.items()}
    best = min(distance.values())
    return tuple(label for label, gap in distance.items() if gap == best) if best <= 1 else ()


def read_sizes(
    tokens: Sequence[Token], free: Sequence[int], snapshot: Snapshot
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield (label of the catalogue, indices of the tokens it was read from)."""
    labels = snapshot.sizes
    if not labels:
        return
    usable = set(free)
    taken: set[int] = set()
    for index in free:
        if index in taken:
            continue
        for length in (3, 2, 1):
            span = tuple(range(index, index + length))
            if not usable.issuperset(span):
                continue
            words = " ".join(tokens[i].word for i in span)
            label = _label(words, labels)
            if label is not None and _is_meant(tokens, span, words):
                taken.update(span)
                yield label, (*_introduction(tokens, index), *span)
                break


def _label(words: str, labels: "dict[str, np.ndarray] | object") -> str | None:
    known: dict[str, object] = labels  # type: ignore[assignment]
    forms = (words, *SIZE_WORDS.get(words, ()), words.replace(" ", "-"), words.replace(" ", "/"))
    if words.replace(".", "").isdigit():
        forms += tuple(f"{system} {words}" for system in ("eu", "uk", "us"))
    for form in forms:
        if form in known:
            return form
    return None


def _is_meant(tokens: Sequence[Token], span: tuple[int, ...], words: str) -> bool:
    before = tokens[span[0] - 1].word if span[0] else ""
    after = tokens[span[-1] + 1].word if span[-1] + 1 < len(tokens) else ""
    if before in {"size", "sizes", "sized"} or after in {"size", "sized", "sizes"} or before in _SYSTEMS:
        return True
    if words in _LETTERS:
        return len(words) > 1 or before in _BEFORE or after == "" or tokens[span[0]].word in {"m", "l"}
    if words in SIZE_WORDS or words.replace(".", "").isdigit():
        return before in {"in", "a", "wear", "wears", "is"} and (
            after in {"", "please", "and", "or", "for", "under"} or before == "in"
        )
    return len(words) > 2


def _introduction(tokens: Sequence[Token], index: int) -> tuple[int, ...]:
    out: list[int] = []
    while index > 0 and tokens[index - 1].word in {"size", "sizes", *_SYSTEMS}:
        index -= 1
        out.append(index)
    return tuple(out)
