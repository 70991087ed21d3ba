"""What a question about a product asks for: its weight, its material, which is warmer. Pure, for any kind of shop.

The aspects are data (``prompts/aspects.toml``). What they do not cover is found by the question's own words: a column
named like one of them, a sentence of the description that has them.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, cast

from shopfloor.graph.cues import words
from shopfloor.graph.prompts import load_words

_NEVER = re.compile("(?!)")
_STEM = 5  # letters that two forms of a word share: protect, protection


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that can be asked; see aspects.toml for the fields."""

    name: str
    ask: re.Pattern[str]
    say: re.Pattern[str]
    more: re.Pattern[str]
    less: re.Pattern[str]
    columns: tuple[str, ...]
    inverse: tuple[str, ...]
    scale: tuple[str, ...]

    def owns(self, column: str) -> bool:
        """Whether a column of the catalogue belongs to it."""
        return any(one in self.columns for one in column_words(column))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of several has the most or the least of an aspect; ``word`` as the shopper said it."""

    aspect: Aspect
    most: bool
    word: str


@cache
def load_aspects() -> tuple[Aspect, ...]:
    """Read the package's aspects, in the file's order."""
    text = (resources.files("shopfloor.graph") / "prompts" / "aspects.toml").read_text(encoding="utf-8")
    return tuple(_aspect(name, cast(dict[str, object], table)) for name, table in tomllib.loads(text).items())


def aspects_in(lowered: str) -> list[Aspect]:
    """The aspects a question speaks of."""
    return [aspect for aspect in load_aspects() if aspect.ask.search(lowered)]


def comparison_in(lowered: str) -> Comparison | None:
    """The comparison a question asks for: the cheapest, which is lighter."""
    for aspect in load_aspects():
        for pattern, most in ((aspect.more, True), (aspect.less, False)):
            if match := pattern.search(lowered):
                return Comparison(aspect, most, match[0])
    return None


def column_words(column: str) -> list[str]:
    """``weight_g`` as its words."""
    return [part for part in re.split(r"[\W_]+", column.casefold()) if part]


def content_words(text: str) -> frozenset[str]:
    """The words of a question that say what it is about."""
    left = words(text.replace("-", " "))
    return frozenset(word for word in left if len(word) > 2 and word not in load_words("question_fillers"))


def akin(one: str, other: str) -> bool:
    """Whether two words are forms of one: washable and wash, protects and protection."""
    shared = min(len(one), len(other), _STEM)
    return shared >= 3 and one[:shared] == other[:shared] and (shared >= 4 or abs(len(one) - len(other)) <= 1)


def rank(comparison: Comparison, column: str, value: str) -> float | None:
    """Where a value stands for a comparison, larger is better; None where it can't be told."""
    size: float | None
    try:
        size = float(value)
    except ValueError:
        scale = comparison.aspect.scale
        size = float(scale.index(value.casefold())) if value.casefold() in scale else None
    if size is None:
        return None
    turned = any(word in comparison.aspect.inverse for word in column_words(column))
    return size if comparison.most != turned else -size


def speaks_of_product(lowered: str) -> bool:
    """Whether a question asks for something that a product's row could say."""
    return bool(aspects_in(lowered)) or not content_words(lowered).isdisjoint(_all_columns())


@cache
def _all_columns() -> frozenset[str]:
    return frozenset(column for aspect in load_aspects() for column in aspect.columns if len(column) > 3)


def kind_of(lowered: str) -> Literal["yes_no", "open"]:
    """Whether a question wants yes or no."""
    asked = (
        r"^(?:\W*(?:so|and|but|ok|okay|hmm|well|also|then)\b)*\W*(is|are|was|does|do|can|could|will|would|has|have)\b"
    )
    return "yes_no" if re.match(asked, lowered) else "open"


def sentences(text: str) -> Sequence[str]:
    """A description's sentences."""
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", text.strip()) if part.strip()]


def _aspect(name: str, table: dict[str, object]) -> Aspect:
    ask = re.compile(str(table["ask"]))
    return Aspect(
        name=name,
        ask=ask,
        say=_pattern(table, "say") or ask,
        more=_pattern(table, "more") or _NEVER,
        less=_pattern(table, "less") or _NEVER,
        columns=_strings(table.get("columns")),
        inverse=_strings(table.get("inverse")),
        scale=_strings(table.get("scale")),
    )


def _pattern(table: dict[str, object], key: str) -> re.Pattern[str] | None:
    return re.compile(str(table[key])) if key in table else None


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in cast("list[object]", value or []))
