"""Finding products in a question: SKUs, whole names, free descriptions, misspellings."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from shopfloor.tools.inventory.lexicon import (
    CONNECTORS,
    DETERMINERS,
    FRAME,
    HARD_FRAME,
    NUMBER_WORDS,
    SPLITTERS,
    WEARERS,
    WORN_BY,
    is_inflected,
)
from shopfloor.tools.inventory.reading import ProductMention, Reading
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import COLOURS, code_shape, nearest_word, stem, tokenise
from shopfloor.tools.product_matcher import ProductMatch

_CHUNK = re.compile(r"[^\s,;?!()\"“”]+")
_CODE_WORDS = frozenset({"sku", "skus", "item", "product", "code", "article", "no", "number", "id", "model", "ref"})
MAX_GAP = 2


@dataclass(slots=True)
class Run:
    """Words of one description: places of content words, of numbers among them, and where "and" divides them."""

    content: list[int] = field(default_factory=list[int])
    weak: list[int] = field(default_factory=list[int])
    numbers: list[int] = field(default_factory=list[int])
    splits: list[int] = field(default_factory=list[int])

    @property
    def start(self) -> int:
        """First word."""
        return min((*self.content, *self.weak))

    @property
    def end(self) -> int:
        """One past the last word."""
        return max((*self.content, *self.weak)) + 1


class ProductFinder:
    """Finds products in one reading; labels the words it uses."""

    def __init__(self, reading: Reading, names: ShopNames) -> None:
        self._reading = reading
        self._names = names
        self._matcher = names.matcher

    def codes(self) -> list[ProductMention]:
        """SKUs in any case, and codes shaped like the shop's SKUs that it does not have."""
        found: list[ProductMention] = []
        shapes = self._matcher.shapes
        for chunk in _CHUNK.finditer(self._reading.text):
            text = chunk.group().rstrip(".:'’").lstrip("'’#")
            start = chunk.start() + chunk.group().find(text)
            sku = self._matcher.sku_of(text) or self._matcher.sku_of(re.sub(r"['’]s$", "", text))
            named = self._after_code_word(start)
            if (
                sku is not None
                and (not text.isdigit() or len(text) >= 4 or named)
                and not (text.isalpha() and len(text) < 4)
            ):
                first, end = self._reading.mark_span(start, start + len(text), "product")
                found.append(ProductMention(first, end, text, "one", (sku,), exact=True, strength=1.0))
            elif sku is None and code_shape(text) in shapes and (not text.isdigit() or named) and not text.isalpha():
                first, end = self._reading.mark_span(start, start + len(text), "product")
                nearest = tuple(self._matcher.nearest(text))
                found.append(ProductMention(first, end, text, "none", nearest, exact=True))
        return found

    def _after_code_word(self, start: int) -> bool:
        before = [token for token in self._reading.tokens if token.end <= start]
        return bool(before) and before[-1].stem in _CODE_WORDS

    def names(self) -> list[ProductMention]:
        """Whole product names of two words or more, word for word, that only one product has."""
        found: list[ProductMention] = []
        stems = [token.stem for token in self._reading.tokens]
        position = 0
        while position < len(stems):
            if not self._reading.free(position):
                position += 1
                continue
            length, skus = self._matcher.phrase_at(stems, position)
            if length >= 2 and len(skus) == 1 and self._reading.free(position, position + length):
                end = position + length
                worn = self._worn_by(stems, position, end)
                if worn is not None:
                    skus, end = worn
                if not self._goes_on(position, end):
                    colours = self._colours_after(end)
                    end = colours or end
                    self._reading.mark(position, end, "product")
                    text = self._reading.surface(position, end)
                    words = tuple(stems[position:end])
                    found.append(ProductMention(position, end, text, "one", tuple(skus), True, words, strength=1.0))
                    position = end
                    continue
            position += 1
        return found

    def _worn_by(self, stems: list[str], start: int, end: int) -> tuple[list[str], int] | None:
        """The product of the same name with the wearer in it: "Running Shoes for women" where one ends with Women."""
        if end + 1 >= len(stems) or self._reading.words[end] != "for":
            return None
        wearer = WORN_BY.get(stems[end + 1], stems[end + 1])
        length, skus = self._matcher.phrase_at([*stems[:end], wearer], start)
        return (list(skus), end + 2) if length == end - start + 1 and len(skus) == 1 else None

    def _colours_after(self, end: int) -> int | None:
        """Where the colours end that follow a name ("... in light blue"), or None."""
        tokens = self._reading.tokens
        start = end + 1 if end < len(tokens) and tokens[end].stem == "in" else end
        stop = start
        while stop < len(tokens) and self._reading.free(stop) and tokens[stop].stem in COLOURS | {"light", "dark"}:
            stop += 1
        return stop if stop > start else None

    def _goes_on(self, start: int, end: int) -> bool:
        """Whether a word of the catalogue stands right beside: then the name may be part of a longer description."""
        for position in (start - 1, end):
            if 0 <= position < len(self._reading.tokens) and self._reading.free(position):
                word = self._reading.tokens[position].stem
                closed = any(mark in self._reading.gap(end if position == end else start) for mark in ",;:()")
                if word not in FRAME and self._matcher.knows(word) and not closed:
                    return True
        return False

    def descriptions(self, *, named: bool, is_city: Callable[[int], bool] = lambda _: False) -> list[ProductMention]:
        """Free descriptions among the words that are still unexplained.

        Everyday words that the catalogue happens to use count only where no product is ``named`` otherwise; a word at
        the end that ``is_city`` knows may be no part of a description ("claw hammer Denver").
        """
        found: list[ProductMention] = []
        runs = self._runs()
        strong = [run for run in runs if run.content]
        for run in strong:
            found.extend(self._without_city(run, is_city) or self._resolve(run))
        if not strong and not named:
            for run in runs:
                for mention in self._resolve(run):
                    if mention.kind == "one" or mention.category is not None:
                        found.append(mention)
        return found

    def _runs(self) -> list[Run]:
        runs: list[Run] = []
        current: Run | None = None
        gap = 0
        split_at: int | None = None
        for position in range(len(self._reading.tokens)):
            kind = self._kind(position)
            if kind == "stop" or (kind != "connector" and self._hard_break(position)):
                current, gap, split_at = None, 0, None
                if kind == "stop":
                    continue
            if kind == "connector":
                gap += 1
                if self._reading.words[position] in SPLITTERS:
                    split_at = position
                if gap > MAX_GAP:
                    current = None
                continue
            if kind == "number" and current is not None and not self._any_known(current):
                current = None  # "require 5 black shorts": the words before a quantity are no product
            if current is None:
                if kind == "number":
                    continue
                current = Run()
                runs.append(current)
                split_at = None
            if split_at is not None or (
                position
                and any(mark in self._reading.gap(position) for mark in ",+&")
                and (current.content or current.weak)
            ):
                current.splits.append(position)
            gap, split_at = 0, None
            {"content": current.content, "weak": current.weak, "number": current.numbers}[kind].append(position)
        return [run for run in runs if run.content or run.weak]

    def _any_known(self, run: Run) -> bool:
        tokens = self._reading.tokens
        return any(self._matcher.resolve_word(tokens[position].stem) for position in (*run.content, *run.weak))

    def _hard_break(self, position: int) -> bool:
        return any(mark in self._reading.gap(position) for mark in ".;:?!–—") if position else False

    def _kind(self, position: int) -> str:
        reading = self._reading
        if not reading.free(position):
            return "stop"
        word, token = reading.words[position], reading.tokens[position].stem
        if word in CONNECTORS or word in SPLITTERS:
            return "connector"
        if token.isdigit() or token in NUMBER_WORDS:
            return "number"
        if token in HARD_FRAME or word in HARD_FRAME:
            return "stop"
        if len(token) < 2:
            return "weak" if self._matcher.knows(token) else "stop"
        if token in FRAME or word in FRAME:
            return "weak" if self._matcher.knows(token) else "stop"
        if not self._matcher.knows(token) and is_inflected(token, FRAME):
            return "stop"
        if not self._matcher.knows(token) and self._misspelt_frame(token):
            return "stop"
        return "content"

    def _misspelt_frame(self, word: str) -> bool:
        """A slip in a function word ("avalable"), unless it is as near to a word of the catalogue."""
        if len(word) < 5 or self._matcher.resolve_word(word) is not None:
            return False
        return nearest_word(word, FRAME) is not None

    def _resolve(self, run: Run) -> list[ProductMention]:
        before = self._before_for(run)
        if before is not None and self._match(before).kind == "one":
            return [self._mention(before, self._match(before))]  # "bottles for an office": whom they are for
        whole = self._match(run)
        if whole.kind == "none" and run.splits:
            parts = [self._match(part) for part in _divide(run)]
            if len(parts) > 1 and all(part.kind != "none" for part in parts):
                mentions: list[ProductMention] = []
                for part, match in zip(_divide(run), parts, strict=True):
                    mentions.append(self._mention(part, match))
                return mentions
        return [self._mention(run, whole)]

    def _without_city(self, run: Run, is_city: Callable[[int], bool]) -> list[ProductMention]:
        """The product of a run whose last word is a city's name and none of the catalogue's; else nothing."""
        last = run.end - 1
        if last not in run.content or len(run.content) < 2 or not is_city(last):
            return []
        if self._matcher.knows(self._reading.tokens[last].stem) or self._match(run).kind != "none":
            return []
        before = Run([p for p in run.content if p < last], [p for p in run.weak if p < last], list(run.numbers))
        match, city = self._match(before), Run([last])
        return [self._mention(before, match), self._mention(city, self._match(city))] if match.kind == "one" else []

    def _before_for(self, run: Run) -> Run | None:
        """The words of a run before "for a …", where some are several; None without such a tail."""
        words = self._reading.words
        cut = next(
            (p for p in range(run.start + 1, run.end - 1) if words[p] == "for" and words[p + 1] in DETERMINERS), None
        )
        if cut is None:
            return None
        part = Run(
            [p for p in run.content if p < cut], [p for p in run.weak if p < cut], [p for p in run.numbers if p < cut]
        )
        return part if len(part.content) > 1 else None

    def _match(self, run: Run) -> ProductMatch:
        tokens = self._reading.tokens
        numbers = [tokens[position].stem for position in run.numbers]
        words = [tokens[position].stem for position in sorted((*run.content, *run.weak))]
        match = self._matcher.match(words, numbers)
        if match.kind == "none" and run.weak and run.content:
            strong = self._matcher.match([tokens[position].stem for position in run.content], numbers)
            if strong.kind != "none":
                return strong
        return match

    def _mention(self, run: Run, match: ProductMatch) -> ProductMention:
        reading = self._reading
        words = tuple(reading.tokens[position].stem for position in sorted((*run.content, *run.weak)))
        words = tuple(match.corrected.get(word, word) for word in words)
        last = reading.words[max((*run.content, *run.weak))]
        category = next(
            (name for key, name in self._names.categories.items() if set(key) == set(words)),
            None,
        )
        reading.mark(run.start, run.end, "product")
        if match.kind == "one":
            in_name = {token.stem for token in tokenise(self._matcher.by_sku[match.skus[0]].name)}
            for position in run.numbers:
                if reading.tokens[position].stem in in_name:
                    reading.mark(position, position + 1, "product")
        text = reading.surface(run.start, run.end)
        return ProductMention(
            run.start, run.end, text, match.kind, match.skus, False, words, category, match.score,
            plural=last.endswith("s") and not last.endswith("ss") and stem(last) not in WEARERS,
        )  # fmt: skip


def _divide(run: Run) -> list[Run]:
    """The run cut at its splits; numbers go with the words that follow or hold them."""
    bounds = [run.start, *run.splits, run.end]
    parts: list[Run] = []
    for low, high in itertools.pairwise(bounds):
        part = Run(
            [position for position in run.content if low <= position < high],
            [position for position in run.weak if low <= position < high],
            [position for position in run.numbers if low <= position < high],
        )
        if part.content or part.weak:
            parts.append(part)
    return parts
