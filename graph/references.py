"""Which thing on the screen, or which offered option, a message means. Pure functions."""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz

from shopfloor.graph.aspects import Comparison, comparison_in, rank
from shopfloor.graph.cues import normal, words
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.state import Memory, ShownItem

_ORDINALS = {
    "first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5,
    "sixth": 6, "6th": 6, "seventh": 7, "7th": 7, "eighth": 8, "8th": 8, "ninth": 9, "9th": 9, "tenth": 10, "10th": 10,
}  # fmt: skip
_CARDINALS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_ORDINAL = re.compile(rf"\b(?P<word>{'|'.join(_ORDINALS)})\b(?! (time|of all|thing|half|floor|name))")
_NUMBERED = re.compile(
    r"(?:\b(?:number|no\.?|option|item|product|nr)\s*|#)(?P<number>\d{1,2}|one|two|three|four|five)\b"
)
_FIRST_FEW = re.compile(r"\b(first|top) (?P<few>two|three|four|[234])\b")
_LAST = re.compile(r"\b(the|that|your) last( one)?\b(?! (time|order|week|month|year|purchase))")
_ENDS = r"( one)?(?= (?:in|at|is|are|you|please|near|of|available)\b|$)"
_CHEAPEST = re.compile(rf"\bthe (cheapest|cheaper|least expensive|less expensive|lowest[- ]priced){_ENDS}")
_DEAREST = re.compile(rf"\bthe (dearest|most expensive|priciest){_ENDS}")
_DEFINITE = re.compile(r"\b(the|that|this|those|these|your)\b|\bones\b")
_ADJECTIVE_ONE = re.compile(r"\b(?:the|that|this|your) (?P<word>[a-z-]+) (?:ones?|pair|version|model)\b")
_SEVERAL = re.compile(r"\b(and|or|vs|versus|between|than)\b")
_FUZZY = 86
_AROUND_SIZES = frozenset({"and", "or", "in", "at", "near", "the", "a", "an", "size", "please", "what", "about", "ok"})


def position_in(text: str, count: int) -> int | None:
    """The place a message points at ("the second one", "#2", "the last one"), from 1; None if none within ``count``."""
    lowered = normal(text)
    position: int | None = None
    if match := _ORDINAL.search(lowered):
        position = _ORDINALS[match["word"]]
    elif match := _NUMBERED.search(lowered):
        number = match["number"]
        position = _CARDINALS[number] if number in _CARDINALS else int(number)
    elif _LAST.search(lowered) and count:
        position = count
    return position if position is not None and 1 <= position <= count else None


def own_size(text: str, memory: Memory) -> str | None:
    """A size of the product in focus that a message names, if it is one that can't be another word (116, 42, XL)."""
    item = next((item for item in memory.shown if item["sku"] == memory.focus_sku), None)
    said = set(words(text))
    sizes = item["sizes"] if item is not None else []
    return next((size for size in sizes if size.casefold() in said and (size.isdecimal() or len(size) > 1)), None)


def size_beside(text: str, place: str, lexicon: Lexicon) -> str | None:
    """M in New York: the one word beside a place, where it is a size."""
    beside = re.sub(re.escape(place), " ", text, count=1, flags=re.IGNORECASE)
    left = [word for word in words(beside) if word not in _AROUND_SIZES]
    return left[0] if len(left) == 1 and lexicon.is_size(left[0]) else None


def points_past(text: str, count: int) -> bool:
    """Whether a short message is only a place in the list, and the list is not that long."""
    lowered = normal(text)
    match = _ORDINAL.search(lowered)
    return match is not None and _ORDINALS[match["word"]] > count and len(words(lowered)) <= 7


def shown_in(text: str, shown: Sequence[ShownItem]) -> list[ShownItem]:
    """Products on the screen that a message points at: by SKU, position, price rank, name or colour."""
    lowered = normal(text)
    by_sku = [item for item in shown if re.search(rf"(?<!\w){re.escape(item['sku'].casefold())}(?!\w)", lowered)]
    if by_sku:
        return by_sku
    if (first := _FIRST_FEW.search(lowered)) and shown:
        return list(shown[: _CARDINALS.get(first["few"]) or int(first["few"])])
    positions = [_ORDINALS[match["word"]] for match in _ORDINAL.finditer(lowered)]
    several = [shown[place - 1] for place in dict.fromkeys(positions) if place <= len(shown)]
    if len(several) > 1:
        return several
    place = position_in(lowered, len(shown))
    if place is not None:
        return [shown[place - 1]]
    priced = [item for item in shown if item["price"] is not None]
    if priced and _CHEAPEST.search(lowered):
        return [min(priced, key=lambda item: item["price"] or 0.0)]
    if priced and _DEAREST.search(lowered):
        return [max(priced, key=lambda item: item["price"] or 0.0)]
    return _by_name(lowered, shown) or _by_degree(lowered, shown)


def _by_degree(lowered: str, shown: Sequence[ShownItem]) -> list[ShownItem]:
    """The cheap one, the light one: the one that is the most so of what is shown."""
    match = _ADJECTIVE_ONE.search(lowered)
    comparison = _most(match["word"]) if match is not None else None
    if comparison is None:
        return []
    judged: list[tuple[float, ShownItem]] = []
    for item in shown:
        columns = {"price": str(item["price"] or ""), **item.get("traits", {})}
        places = [
            place
            for column, value in columns.items()
            if comparison.aspect.owns(column) and (place := rank(comparison, column, value)) is not None
        ]
        judged += [(places[0], item)] if places else []
    judged.sort(key=lambda one: -one[0])
    clear = len(judged) > 1 and judged[0][0] > judged[1][0]
    return [judged[0][1]] if clear else []


def _most(word: str) -> Comparison | None:
    """The comparison of a plain adjective: cheapest for cheap, biggest for big, heaviest for heavy."""
    forms = (f"{word}est", f"{word}st", f"{word}{word[-1]}est", f"{word.removesuffix('y')}iest", f"most {word}", word)
    return next((found for form in forms if (found := comparison_in(form)) is not None), None)


def _by_name(lowered: str, shown: Sequence[ShownItem]) -> list[ShownItem]:
    full = [item for item in shown if re.search(rf"\b{re.escape(item['name'].casefold())}\b", lowered)]
    if full:
        return full
    if not _DEFINITE.search(lowered):
        return []
    said = set(words(lowered))
    found: list[ShownItem] = []
    for item in shown:
        own = _own_words(item)
        others: set[str] = set()
        for other in shown:
            if other["sku"] != item["sku"]:
                others |= _own_words(other)
        if said & {word for word in own - others if len(word) > 2}:
            found.append(item)
    several = len(found) < len(shown) or len(found) == 2
    return found if len(found) == 1 or (several and _SEVERAL.search(lowered)) else []


def _own_words(item: ShownItem) -> set[str]:
    """Words of a product's name, colours and columns."""
    said = " ".join([item["name"], item["colour"] or "", *item.get("traits", {}).values()])
    return {word for word in words(said.replace("-", " ")) if not word.isdecimal()}


def option_in(text: str, options: Sequence[str]) -> str | None:
    """The offered option that a message chooses: by number, position or name."""
    lowered = normal(text)
    if lowered.isdigit() and 1 <= int(lowered) <= len(options):
        return options[int(lowered) - 1]
    if lowered in _CARDINALS and _CARDINALS[lowered] <= len(options):
        return options[_CARDINALS[lowered] - 1]
    for option in options:
        if option.casefold() in lowered or lowered == option.casefold():
            return option
    place = position_in(lowered, len(options))
    if place is not None:
        return options[place - 1]
    return _by_words(lowered, options)


def _by_words(lowered: str, options: Sequence[str]) -> str | None:
    said = set(words(lowered)) - {"the", "one", "in", "at", "store", "shop", "please", "i", "mean", "meant"}
    if not said:
        return None
    # A word that only one option has points at it; then near spellings of the whole.
    hits = [option for option in options if said & (set(words(option)) - _shared(option, options))]
    if len(hits) == 1 and len(said) <= 6:
        return hits[0]
    scored = sorted(((fuzz.token_set_ratio(lowered, option.casefold()), option) for option in options), reverse=True)
    if scored and scored[0][0] >= _FUZZY and (len(scored) == 1 or scored[0][0] > scored[1][0]):
        return scored[0][1]
    return None


def _shared(option: str, options: Sequence[str]) -> set[str]:
    return {word for other in options if other != option for word in words(other)}
