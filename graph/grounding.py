"""Keeps a remote model's text to the facts: a sentence with a price, SKU, number or stock claim that no fact carries is dropped.

What it does not judge: taste, tone, and claims without numbers that are not about stock or the shop's terms.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue

_SENTENCE = re.compile(r"(?<=[.!?。])\s+|\n+")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:[ ,.]\d{3})*(?:[.,]\d+)?(?!\w)|(?<![\w.,])\d+(?:[.,]\d+)?(?![\w])")
_MONEY = re.compile(
    r"(?:[$€£¥₹]|\b(?:usd|eur|gbp|jpy|inr|chf|cad|aud)\b)\s*\d[\d.,]*|\d[\d.,]*\s*(?:[$€£¥₹]|\b(?:usd|eur|gbp|jpy|inr|chf|cad|aud|euros?|dollars?|pounds?|rupees?)\b)",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Z0-9]+(?:[-_][A-Z0-9]+)+\b")
_IN_STOCK = re.compile(r"\b(in stock|available|on (the )?shel\w+|have it|carry it|ready to pick|left)\b", re.IGNORECASE)
_OUT = re.compile(
    r"\b(out of stock|sold out|not (currently )?(available|in stock)|unavailable|don'?t (have|carry)|none left|isn'?t (available|in stock))\b",
    re.IGNORECASE,
)
_TERMS = re.compile(
    r"\b(free (shipping|delivery|returns?)|refunds?|returns? (policy|within|are)|warrant\w+|guarantee\w*|discount\w*|coupon|promo\w*"
    r"|ships? (within|in|to)|deliver(y|ed|s)? (within|in|is|takes)|gift wrap\w*|price match\w*|open (from|until|daily))\b",
    re.IGNORECASE,
)
_DISCLAIMS = re.compile(
    r"\b(can'?t|cannot|don'?t|do not|unable|not able|no access|staff|ask|please check|unfortunately)\b", re.IGNORECASE
)
_LIMIT = re.compile(
    r"\b(under|below|less than|up to|within|over|above|around|about|budget|at most|maximum)\b", re.IGNORECASE
)
_PRICED = re.compile(r"\b(costs?|price[sd]?|only|pay|yours for|for just|cheap\w*)\b", re.IGNORECASE)
_COUNTS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "dozen": 12,
}  # fmt: skip
_COUNTED = re.compile(
    rf"\b(?P<count>{'|'.join(_COUNTS)})\s+(?:\w+\s+){{0,2}}?(?:left|units?|pieces?|pairs?|in stock|available|stores?)\b",
    re.IGNORECASE,
)


_PRICE_KEYS = frozenset({"price", "price_min", "price_max"})
_NUMBER_KEYS = frozenset(
    {
        "quantity", "total_quantity", "stock_total", "units", "count", "distance_km", "days_of_cover", "reorder_point",
        "rating_mean", "rating_count", "total", "threshold",
    }
)  # fmt: skip
_UNIT_KEYS = frozenset({"quantity", "total_quantity", "stock_total", "units"})


@dataclass
class Facts:
    """What may be said.

    Attributes:
        prices: amounts of money.
        numbers: quantities, distances and the like.
        codes: SKUs and ids.
        some_in_stock: something is known to be in stock; ``some_out``: something is known not to be.
    """

    prices: set[float] = field(default_factory=set[float])
    numbers: set[float] = field(default_factory=set[float])
    codes: set[str] = field(default_factory=set[str])
    some_in_stock: bool = False
    some_out: bool = False

    def add(self, value: JsonValue) -> None:
        """Take up a result's prices, quantities, codes and texts by their names."""
        for key, leaf in _leaves(value, ""):
            if isinstance(leaf, bool):
                self._add_flag(key, leaf)
            elif isinstance(leaf, int | float):
                self._add_number(key, float(leaf))
            elif isinstance(leaf, str):
                self.add_text(leaf)

    def add_text(self, text: str) -> None:
        """Take up what a text that is itself a fact says: a name, a description, an agent's own answer."""
        money = _money(text)
        self.prices |= money
        self.numbers |= _numbers(text) - money
        self.codes.update(code.upper() for code in _CODE.findall(text))

    def _add_number(self, key: str, value: float) -> None:
        if key in _PRICE_KEYS:
            self.prices.add(round(value, 2))
        elif key in _NUMBER_KEYS:
            self.numbers.add(round(value, 2))
        if key in _UNIT_KEYS:
            self._add_flag("available", value > 0)

    def _add_flag(self, key: str, value: bool) -> None:
        if key in {"in_stock", "available"}:
            self.some_in_stock |= value
            self.some_out |= not value


def grounded(text: str, facts: Facts, *, asked: str = "") -> str:
    """The text without the sentences that claim what no fact carries; empty when none is left.

    Args:
        text: what the remote model wrote.
        facts: what is known.
        asked: the shopper's message: its numbers may be repeated as limits ("under 30"), never as prices.
    """
    allowed = _numbers(asked)
    kept = [sentence for sentence in sentences(text) if is_grounded(sentence, facts, allowed)]
    return " ".join(kept).strip()


def sentences(text: str) -> list[str]:
    """Split at sentence ends and line breaks."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def is_grounded(sentence: str, facts: Facts, asked: set[float]) -> bool:
    """Whether facts carry everything checkable that a sentence says."""
    if any(code.upper() not in facts.codes for code in _CODE.findall(sentence)):
        return False
    limits = asked if _LIMIT.search(sentence) else set[float]()
    money = _money(sentence)
    if not _known(money, facts.prices | limits):
        return False
    # "It costs 1" is a price too, whatever the currency is called.
    bare = _numbers(_CODE.sub(" ", sentence)) - money
    allowed = facts.prices | limits if _PRICED.search(sentence) else facts.numbers | facts.prices | asked
    if not _known(bare, allowed):
        return False
    counted = {float(_COUNTS[match["count"].casefold()]) for match in _COUNTED.finditer(sentence)}
    if not _known(counted, facts.numbers):
        return False
    if _OUT.search(sentence):
        return facts.some_out
    if _IN_STOCK.search(sentence) and not _DISCLAIMS.search(sentence) and not sentence.rstrip().endswith("?"):
        return facts.some_in_stock
    return not (_TERMS.search(sentence) and not _DISCLAIMS.search(sentence))


def _known(values: Iterable[float], facts: set[float]) -> bool:
    return all(any(abs(value - fact) < 0.005 for fact in facts) for value in values)


def _money(text: str) -> set[float]:
    return {value for match in _MONEY.findall(text) for value in _numbers(match)}


def _numbers(text: str) -> set[float]:
    found: set[float] = set()
    for match in _NUMBER.findall(text):
        value = _number(match)
        if value is not None:
            found.add(value)
    return found


def _number(text: str) -> float | None:
    raw = text.strip(" .,")
    # "1,299.50", "1.299,50", "12,5": the last mark with one or two digits behind it is the decimal one.
    match = re.fullmatch(r"(?P<whole>[\d ,.]*?\d)(?:[.,](?P<cents>\d{1,2}))?", raw)
    if match is None:
        return None
    whole = re.sub(r"[ ,.]", "", match["whole"])
    return round(float(f"{whole}.{match['cents'] or 0}"), 2)


def _leaves(value: JsonValue, key: str) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, str(name))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in cast(Sequence[JsonValue], value):
            yield from _leaves(inner, key)
    else:
        yield key, value
