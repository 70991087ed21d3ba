"""Price limits in a request: "under 30", "between 20 and 40 euro", "around 50", "my budget is $80"."""

import re
from dataclasses import dataclass

from shopfloor.tools.recommendation.language import NUMBER_WORDS

_SIGN = r"(?:us\$|[$€£₹¥]|rs\.?|eur|usd|gbp|inr|chf|jpy|cad|aud)"
_UNIT = r"(?:euros?|eur|dollars?|usd|pounds?|gbp|quid|bucks?|rupees?|inr|rs|francs?|chf|yen|jpy|cents?|pence|p|[$€£₹¥])"
_HUNDREDTHS = frozenset({"cent", "cents", "pence", "p"})
_WORDS = "|".join(sorted((w for w in NUMBER_WORDS if w != "one"), key=len, reverse=True))
_NUMBER = rf"(?:\d+(?:[.,]\d+)*|(?:a\s+(?=hundred))?(?:{_WORDS})(?:[\s-](?:{_WORDS}))*)"
_MONEY = rf"(?:{_SIGN}\s*)?(?P<{{0}}>{_NUMBER})(?:(?!\w)|(?={_UNIT}(?!\w)))\s*(?P<{{0}}u>{_UNIT}(?!\w))?"
# What makes a number something else than money.
_NOT_MONEY = (
    r"(?!\s*(?:%|percent|years?|yrs?|y/?o\b|months?|cm|mm|m\b|km|l\b|lit(?:re|er)s?|ml|kg|g\b|grams?|lbs?|oz|inch(?:es)?|"
    r"ft|feet|gb|tb|mah|mp|w\b|watts?|pieces?|pcs|people|persons?|stores?|days?|hours?|items?|pairs?|options?|stars?|lumens?|lm\b|volts?|v\b|degrees?|°|celsius|fahrenheit|times?|nights?|weeks?|seasons?))"
)
_A, _B = _MONEY.format("a"), _MONEY.format("b")
_GAP = r"\s*(?:of\s+|is\s+|:\s*|about\s+|around\s+)?"

_RANGE = re.compile(rf"(?<!\w)(?:between|from|in the range of|range)\s+{_A}\s*(?:and|to|-|–|until)\s*{_B}{_NOT_MONEY}")
_DASH = re.compile(rf"(?<!\w)(?:{_SIGN}\s*(?P<s>))?(?P<a>\d+(?:[.,]\d+)?)\s*(?:{_UNIT}\s*)?(?:-|–|to)\s*"
                   rf"(?:{_SIGN}\s*(?P<t>))?(?P<b>\d+(?:[.,]\d+)?)(?!\w)\s*(?P<bu>{_UNIT}(?!\w))?")  # fmt: skip
# Comparisons, by grammar: what goes up, what goes down, and a "not" before either that turns it round.
_UP = r"(?:over|above|beyond|more than|higher than|exceed(?:s|ing)?|(?:dear|pric|cost|fanc|high)[a-z]*er than|more expensive than|upwards of)"
_DOWN = (
    r"(?:under|below|beneath|underneath|less than|fewer than|lower than|(?:cheap|low)[a-z]*er than|less expensive than)"
)
_NOT = r"(?:(?:not|no|nothing|none|never|isn't|without|cannot|can not)\s+(?:(?:go|going|cost|costing|be|much|any|to|anything|priced|pay|spend)\s+){0,3})"
_PLAIN = r"(?<!\bno )(?<!\bnot )(?<!\bnothing )(?<!\bnone )(?<!\bnever )"
_MAX = re.compile(
    rf"(?<!\w)(?:{_NOT}{_UP}|{_PLAIN}{_DOWN}|up to|upto|at (?:the )?(?:very )?most|max(?:imum)?\.?(?: price| budget| of)?|within|not exceeding|"
    r"(?:go|stretch|run|reach|rise)(?: up)? to|(?:price|budget|limit|ceiling|spend|afford|pay)(?:ing)?|<=?|≤|only have|i have|i've got|"
    rf"capped at|cap of|inside|tops at){_GAP}{_A}{_NOT_MONEY}"
)
_MIN = re.compile(
    rf"(?<!\w)(?:{_NOT}{_DOWN}|{_PLAIN}{_UP}|at (?:the )?(?:very )?least|min(?:imum)?\.?(?: price| of)?|start(?:ing|s)? (?:at|from)|"
    rf"upwards of|from|>=?|≥){_GAP}{_A}{_NOT_MONEY}"
)
_ABOUT = re.compile(
    rf"(?<!\w)(?:around|about|roughly|approximately|approx\.?|circa|near(?:ly)?|~){_GAP}{_A}{_NOT_MONEY}"
)
_TRAIL_MAX = re.compile(
    rf"(?<!\w){_A}\s*(?:(?:or|and) (?:less|under|below|cheaper|lower)|max(?:imum)?\b|tops\b|at (?:the )?most|"
    r"(?:is|being|would be) (?:my|the|our) (?:limit|max(?:imum)?|budget|ceiling|most))"
)
_ALTOGETHER = re.compile(
    rf"(?<!\w){_A}\s*(?:for (?:both|the lot|everything|all of (?:it|them)|the (?:two|pair|three))|(?:all )?together|altogether|in total|in all|all in|combined)\b"
)
_TRAIL_MIN = re.compile(
    rf"(?<!\w){_A}\s*(?:(?:or|and) (?:more|above|up|upwards|over|dearer)|upwards?\b|up\b(?! to)|plus\b|minimum)"
)
_BARE = re.compile(
    rf"(?<!\w)(?:for|at)\s+(?:{_SIGN}\s*(?P<s>))?(?P<a>{_NUMBER})(?:(?!\w)|(?={_UNIT}(?!\w)))\s*(?P<au>{_UNIT}(?!\w))?{_NOT_MONEY}"
)

ABOUT_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class PriceBounds:
    """Inclusive bounds found, and the text with what was read blanked out (same length)."""

    low: float | None
    high: float | None
    rest: str


def read_prices(text: str) -> PriceBounds:
    """Read the price limits of a plain (lower-case) text.

    "Under 30" includes 30; ``around 50`` is 20 % either way. A bare "for 30 euro" is an upper limit.
    """
    for pattern, reader in _READERS:
        for match in pattern.finditer(text):
            bounds = reader(match)
            if bounds is not None:
                rest = text[: match.start()] + "," + " " * (match.end() - match.start() - 1) + text[match.end() :]
                more = read_prices(rest)
                low = bounds[0] if bounds[0] is not None else more.low
                high = bounds[1] if bounds[1] is not None else more.high
                return PriceBounds(low, high, more.rest)
    return PriceBounds(None, None, text)


def number(text: str) -> float:
    """ "1,200.50", "1.200,50", "twenty five" → a number."""
    if text[0].isdigit():
        return _digits(text)
    total = 0
    for word in re.split(r"[\s-]+", text.removeprefix("a ")):
        value = NUMBER_WORDS[word]
        total = max(total, 1) * value if value == 100 else total + value
    return float(total)


def _digits(text: str) -> float:
    comma, dot = text.rfind(","), text.rfind(".")
    decimal = "," if comma > dot else "."
    whole, _, part = text.rpartition(decimal) if max(comma, dot) >= 0 else (text, "", "")
    if part and len(part) == 3 and text.count(decimal) >= 1 and min(comma, dot) < 0:
        whole, part = text, ""  # 1,200 and 1.200 are thousands
    return float((whole or "0").replace(",", "").replace(".", "") + ("." + part if part else ""))


def _amount(match: re.Match[str], name: str) -> float:
    """A number of the match in whole units of money: "40p" is 0.4; "from 20 to 40 cents" are both cents."""
    units = {**match.groupdict()}
    unit = units.get(f"{name}u") or units.get("bu")
    value = number(match[name])
    return value / 100 if unit in _HUNDREDTHS else value


def _range(match: re.Match[str]) -> tuple[float | None, float | None] | None:
    low, high = sorted((_amount(match, "a"), _amount(match, "b")))
    return low, high


def _dash(match: re.Match[str]) -> tuple[float | None, float | None] | None:
    marked = match["s"] is not None or match["t"] is not None or match["bu"] is not None
    return _range(match) if marked else None


def _high(match: re.Match[str]) -> tuple[float | None, float | None] | None:
    return None, _amount(match, "a")


def _low(match: re.Match[str]) -> tuple[float | None, float | None] | None:
    return _amount(match, "a"), None


def _about(match: re.Match[str]) -> tuple[float | None, float | None] | None:
    value = _amount(match, "a")
    return value * (1 - ABOUT_SHARE), value * (1 + ABOUT_SHARE)


def _bare(match: re.Match[str]) -> tuple[float | None, float | None] | None:
    return (None, _amount(match, "a")) if match["s"] is not None or match["au"] is not None else None


_READERS = (
    (_RANGE, _range),
    (_DASH, _dash),
    (_ALTOGETHER, _high),
    (_TRAIL_MAX, _high),
    (_TRAIL_MIN, _low),
    (_MAX, _high),
    (_MIN, _low),
    (_ABOUT, _about),
    (_BARE, _bare),
)
