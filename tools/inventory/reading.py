"""A question's words with what each of them belongs to."""

import re
from dataclasses import dataclass, field
from typing import Literal

from shopfloor.tools.inventory.lexicon import NUMBER_WORDS
from shopfloor.tools.matching import Token, plain, tokenise
from shopfloor.tools.places import Place

Label = Literal["product", "place", "zip", "state", "service", "point", "size", "amount", "day", "idiom", "unknown"]


@dataclass(frozen=True, slots=True)
class ProductMention:
    """A product as the question names it, over words ``start`` to ``end`` (end exclusive).

    ``kind``: one product; many that fit equally; none by that description (``skus`` then holds the nearest).
    ``exact``: a SKU or a whole name. ``words``: its content words, plain and singular.
    """

    start: int
    end: int
    text: str
    kind: Literal["one", "many", "none"]
    skus: tuple[str, ...]
    exact: bool = False
    words: tuple[str, ...] = ()
    category: str | None = None  # set when the words name a whole category
    strength: float = 0.0
    plural: bool = False


@dataclass(frozen=True, slots=True)
class PlaceMention:
    """A place as the question names it.

    ``kind``: here (``store_ids`` are candidates); elsewhere (a city without a store); unknown (no such name).
    ``named``: those of ``store_ids`` whose own name it is; ``as_store``: "the X store", so they come first.
    """

    start: int
    end: int
    text: str
    kind: Literal["here", "elsewhere", "unknown"]
    store_ids: tuple[str, ...] = ()
    place: Place | None = None
    named: tuple[str, ...] = ()
    as_store: bool = False
    corrected: bool = False
    nearest: tuple[str, ...] = ()


@dataclass(slots=True)
class Reading:
    """The words of one question and the labels they got so far. Local to one call; never shared."""

    text: str
    tokens: list[Token] = field(default_factory=list[Token])
    words: list[str] = field(default_factory=list[str])
    labels: list[Label | None] = field(default_factory=list["Label | None"])

    @classmethod
    def of(cls, text: str) -> "Reading":
        """Split ``text`` into words without labels."""
        tokens = tokenise(text)
        words = [plain(re.sub(r"['’`]", "", token.surface)) for token in tokens]
        return cls(text, tokens, words, [None] * len(tokens))

    def free(self, start: int, end: int | None = None) -> bool:
        """Whether these words belong to nothing yet."""
        stop = start + 1 if end is None else end
        return stop <= len(self.tokens) and all(label is None for label in self.labels[start:stop])

    def mark(self, start: int, end: int, label: Label) -> None:
        """Label the words ``start`` to ``end``."""
        for position in range(start, end):
            self.labels[position] = label

    def mark_span(self, start: int, end: int, label: Label) -> tuple[int, int]:
        """Label the words that lie within these characters; gives their places."""
        inside = [number for number, token in enumerate(self.tokens) if token.start < end and token.end > start]
        if not inside:
            return 0, 0
        self.mark(inside[0], inside[-1] + 1, label)
        return inside[0], inside[-1] + 1

    def surface(self, start: int, end: int) -> str:
        """The text of these words as it was written, a closing bracket included."""
        first, last = self.tokens[start].start, self.tokens[end - 1].end
        piece = self.text[first:last]
        if piece.count("(") > piece.count(")") and self.text[last : last + 1] == ")":
            piece += ")"
        return piece

    def hyphened(self, position: int) -> bool:
        """Whether a hyphen joins this word to one that is no number: "three-season" counts nothing, "twenty-five" does."""
        if position + 1 == len(self.words) or self.words[position + 1] in NUMBER_WORDS:
            return False
        return self.gap(position + 1) in {"-", "\u2010", "\u2011"} and self.words[position + 1].isalpha()

    def gap(self, position: int) -> str:
        """What stands between this word and the one before."""
        if position == 0:
            return self.text[: self.tokens[0].start]
        return self.text[self.tokens[position - 1].end : self.tokens[position].start]

    def capitalised(self, position: int) -> bool:
        """Whether the word starts with a capital (or is of a script without capitals)."""
        first = self.tokens[position].surface[0]
        return first.isupper() or (not first.islower() and first.isalpha())

    def masked(self) -> str:
        """The question in lower case with every labelled stretch replaced by its label in capitals."""
        parts: list[str] = []
        previous: Label | None = None
        for number, label in enumerate(self.labels):
            if label in (None, "amount", "idiom"):
                parts.append(self.words[number])
            elif label != previous or "," in self.gap(number):
                parts.append(label.upper())
            previous = label
        return " ".join(parts)
