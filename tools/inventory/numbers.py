"""Quantities and thresholds in words and figures: ``a dozen``, ``3 or fewer``, ``at least 4``, ``2 x``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shopfloor.tools.inventory.lexicon import NUMBER_WORDS

Sense = Literal["at_least", "more_than", "at_most", "fewer_than", "exactly"]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of a text, over the words ``start`` to ``end`` (end exclusive)."""

    start: int
    end: int
    value: int
    sense: Sense
    plural_unit: bool = False  # "two pairs", "4 x", "3 units": surely a quantity

    def at_least(self) -> int:
        """The smallest quantity that satisfies it."""
        return self.value + 1 if self.sense == "more_than" else self.value

    def at_most(self) -> int:
        """The largest quantity that satisfies it."""
        return self.value - 1 if self.sense == "fewer_than" else self.value


_UNITS = frozenset(
    [
        "x",
        "unit",
        "units",
        "piece",
        "pieces",
        "pcs",
        "pc",
        "pair",
        "pairs",
        "set",
        "sets",
        "copies",
        "items",
        "of",
        "off",
        "times",
        "pack",
        "packs",
    ]
)
_BEFORE: tuple[tuple[str, Sense], ...] = (
    (r"down to( (a|an|the|its|their|just|only))*( last)?$", "at_most"),
    (r"(at least|minimum of|minimum|min|no (fewer|less) than|not (fewer|less) than|as many as)$", "at_least"),
    (
        r"(at most|not (above|over|exceeding|beyond)|no more than|not more than|up to|maximum of|maximum|max|threshold( of| at| is)?|limit( of)?)$",
        "at_most",
    ),
    (
        r"(more than|(?<!hand )(?<!hands )(?<!send )(?<!bring )(?<!pass )(?<!give )(?<!carry )(?<!ship )over|above|exceeding|greater than|in excess of)$",
        "more_than",
    ),
    (r"(fewer than|less than|below|under|beneath|lower than|smaller than|short of|not even|within)$", "fewer_than"),
)
_AFTER: tuple[tuple[str, Sense], ...] = (
    (r"((units?|pieces?|items?|pairs?|pcs) )?(left )?(or|and) (fewer|less|lower|under|below)\b", "at_most"),
    (r"((units?|pieces?|items?|pairs?|pcs) )?(left )?(at most|maximum|max|tops|inclusive)\b", "at_most"),
    (r"((units?|pieces?|items?|pairs?|pcs) )?(or|and) (more|over|above|higher)\b", "at_least"),
    (r"((units?|pieces?|items?|pairs?|pcs) )?(at least|minimum)\b", "at_least"),
)


def find_amounts(words: Sequence[str], blocked: Sequence[bool]) -> list[Amount]:
    """The numbers among lower-case ``words``; those at ``blocked`` places belong to something else."""
    amounts: list[Amount] = []
    position = 0
    while position < len(words):
        read = None if blocked[position] else _read_number(words, position, blocked)
        if read is None:
            position += 1
            continue
        value, end = read
        amounts.append(_with_sense(words, position, end, value))
        position = end
    return amounts


def _with_sense(words: Sequence[str], start: int, end: int, value: int) -> Amount:
    before = " ".join(words[max(0, start - 4) : start])
    after = " ".join(words[end : end + 5])
    unit = end < len(words) and words[end] in _UNITS
    for pattern, sense in _AFTER:
        if re.match(pattern, after):
            return Amount(start, end, value, sense, unit)
    for pattern, sense in _BEFORE:
        if re.search(rf"\b{pattern}", before):
            return Amount(start, end, value, sense, unit)
    return Amount(start, end, value, "exactly", unit)


def _read_number(words: Sequence[str], at: int, blocked: Sequence[bool]) -> tuple[int, int] | None:
    """The number that starts at word ``at``: its value and where it ends."""
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) and not blocked[at + 1] else ""
    if re.fullmatch(r"\d{1,6}x", word):
        return int(word[:-1]), at + 1
    if re.fullmatch(r"x\d{1,6}", word):
        return int(word[1:]), at + 1
    if re.fullmatch(r"\d{1,6}", word):
        return (int(word) * 12, at + 2) if following == "dozen" else (int(word), at + 1)
    if word == "half" and words[at + 1 : at + 3] == ["a", "dozen"]:
        return 6, at + 3
    if word in ("a", "one") and following in ("dozen", "couple", "hundred", "pair"):
        return {"dozen": 12, "couple": 2, "hundred": 100, "pair": 1}[following], at + 2
    if word == "single" and re.fullmatch(r"units?|pieces?|items?|pairs?|one", following):
        return 1, at + 1
    if word in ("dozen", "couple"):
        return {"dozen": 12, "couple": 2}[word], at + 1
    return _read_words(words, at, following)


def _read_words(words: Sequence[str], at: int, following: str) -> tuple[int, int] | None:
    value = NUMBER_WORDS.get(words[at])
    if value is None:
        return None
    if words[at] == "one" and not _counts(words, at):
        return None
    if following == "dozen":
        return value * 12, at + 2
    if following == "hundred":
        return value * 100, at + 2
    if value >= 20 and following in NUMBER_WORDS and 0 < NUMBER_WORDS[following] < 10:
        return value + NUMBER_WORDS[following], at + 2
    return value, at + 1


def _counts(words: Sequence[str], at: int) -> bool:
    """Whether "one" is a number here, not a pronoun ("which one", "the second one")."""
    before = words[at - 1] if at else ""
    after = words[at + 1] if at + 1 < len(words) else ""
    return before in ("least", "most", "than", "only", "just", "threshold", "under", "below") or after in (
        "or", "unit", "piece", "item", "of", "left", "pair",
    )  # fmt: skip
