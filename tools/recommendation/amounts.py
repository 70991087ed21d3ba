"""Numbers in words, made figures where they count something: "half a kilo", "a hundred and sixty", "size forty".

By grammar, not by list: a number phrase is joined from units, tens, hundreds and thousands, halves and quarters. A single
small number word ("two pans") is left alone unless a unit, a currency or a size stands beside it.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from shopfloor.tools.recommendation.language import NUMBER_WORDS

_TEN = 10
_WORDS = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
_WORD = rf"(?:{_WORDS}|thousand)"
_MONEY = r"(?:euros?|eur|dollars?|usd|pounds?|gbp|quid|bucks?|rupees?|francs?|yen|cents?|pence|[$€£₹¥])"
_MEASURED = (
    r"(?:degrees?|celsius|centigrade|kilos?|kilograms?|kg|gram(?:me)?s?|litres?|liters?|ml|cl|millilitres?|milliliters?|cm|mm|"
    r"cent?imet(?:re|er)s?|millimet(?:re|er)s?|met(?:re|er)s?|inch(?:es)?|lumens?|watts?|volts?|hours?|minutes?|pages?|ounces?|lbs?|gigabytes?|gb|tb)"
)
_UNIT = rf"(?=[\s-]*(?:{_MONEY}|{_MEASURED})(?!\w))"
_RUN = re.compile(rf"(?<!\w)(?<!\w-)(?:a\s+(?=hundred|thousand))?{_WORD}(?:(?:[\s-]+and)?[\s-]+{_WORD})*(?![\w])")
_HALVES = (
    (re.compile(rf"(?<![\w-])({_WORD}|\d+)\s+and\s+(?:a|one)\s+half(?![\w])"), 0.5),
    (re.compile(rf"(?<![\w-])({_WORD}|\d+)\s+and\s+a\s+quarter(?![\w])"), 0.25),
)
_PARTS = (
    (re.compile(rf"(?<![\w-])(?:half(?:\s+an?)?|a half|1/2|½){_UNIT}"), "0.5"),
    (re.compile(rf"(?<![\w-])(?:(?:a\s+)?quarter(?:\s+of)?(?:\s+an?)?|1/4|¼){_UNIT}"), "0.25"),
    (re.compile(rf"(?<![\w-])(?:three[\s-]quarters?(?:\s+of)?(?:\s+an?)?|3/4|¾){_UNIT}"), "0.75"),
    (re.compile(r"(?<=\d)\s?½"), ".5"),
)
_MINUS = re.compile(rf"(?<![\w-])(?:minus|negative|below zero)\s+(?=\d|{_WORD})")
_SIZE_BEFORE = re.compile(r"(?:\bsizes?|\bsized|\bsize is|\bwaist(?: is)?|\bsize of)\s+(?:an?\s+)?$")
_UNIT_AFTER = re.compile(rf"[\s-]*(?:{_MONEY}|{_MEASURED})(?!\w)")
# "From thirty to forty euros": the unit stands once, after the second number.
_SPAN_AFTER = re.compile(
    rf"\s*(?:to|and|-|–|or)\s*(?:{_WORD}|[\d.]+)(?:[\s-]+{_WORD})?[\s-]*(?:{_MONEY}|{_MEASURED})(?!\w)"
)


_NOTES = re.compile(r"\b(?:an? |one )(tenner|fiver)\b")


def in_figures(text: str, *, small_prices: Callable[[], bool] = lambda: False) -> str:
    """A plain text with its number phrases in figures where they count something.

    Args:
        text: plain (lower case) text.
        small_prices: whether "two fifty" is 2.50 here and not 250: asked only where it matters.
    """
    for pattern, part in _HALVES:
        text = pattern.sub(lambda m, p=part: f"{_value(m[1]) + p:g}", text)
    for pattern, written in _PARTS:
        text = pattern.sub(written, text)
    text = _NOTES.sub(lambda m: "10 pounds" if m[1] == "tenner" else "5 pounds", text)
    text = _MINUS.sub("-", text)
    return _RUN.sub(lambda m: _figures(m, text, small_prices=small_prices), text)


def _figures(match: re.Match[str], text: str, *, small_prices: Callable[[], bool]) -> str:
    words = re.split(r"[\s-]+", match.group().removeprefix("a "))
    words = [word for word in words if word != "and"]
    several = len(words) > 1
    beside = _UNIT_AFTER.match(text, match.end()) or _SPAN_AFTER.match(text, match.end())
    sized = _SIZE_BEFORE.search(text[: match.start()])
    negative = text[: match.start()].endswith("-") and not text[: match.start()].endswith("--")
    if not (several or beside or sized or negative or words[0] in {"hundred", "thousand"}):
        return match.group()
    if " and " in match.group() and "hundred" not in words and "thousand" not in words:
        parts = match.group().split(" and ")  # "between twenty and thirty": two numbers
        return " and ".join(f"{_value(part):g}" for part in parts)
    if _is_price_by_halves(words):
        whole, cents = _value(words[0]), _value(" ".join(words[1:]))
        return f"{whole:g}.{cents:02.0f}" if small_prices() else f"{whole * 100 + cents:g}"
    if not _is_one_number(words):
        return match.group()
    return f"{_value(match.group()):g}"


def _is_price_by_halves(words: list[str]) -> bool:
    """ "Two fifty", "one ninety nine": units, then cents."""
    values = [NUMBER_WORDS.get(word, 1000) for word in words]
    return 2 <= len(values) <= 3 and values[0] < _TEN and _TEN <= values[1] < 100 and (
        len(values) == 2 or (values[1] % _TEN == 0 and values[2] < _TEN)
    )  # fmt: skip


def _is_one_number(words: list[str]) -> bool:
    """Whether the words follow each other as in one number: "twenty five", never "five six"."""
    values = [NUMBER_WORDS.get(word, 1000) for word in words]
    for first, second in pairwise(values):
        tens = first >= 20 and first < 100 and first % _TEN == 0 and second < _TEN
        if not (tens or second >= 100 or first >= 100):
            return False
    return True


def _value(text: str) -> float:
    total, part = 0.0, 0.0
    for word in re.split(r"[\s-]+", text.strip().removeprefix("a ")):
        if word.isdigit():
            part += float(word)
        elif word == "and":
            continue
        elif word == "hundred":
            part = max(part, 1.0) * 100
        elif word == "thousand":
            total, part = total + max(part, 1.0) * 1000, 0.0
        else:
            part += NUMBER_WORDS[word]
    return total + part
