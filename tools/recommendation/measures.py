"""Measures in a request ("at least 25 litres", "under 400 g", "an 18 V drill"), matched with columns and names of a shop.

A shop states a measure in a column whose name has the unit ("weight_g"), with the unit in its value ("18 V"), or in the
product's name ("Flask 0.5 L").
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.snapshot import Snapshot

Values = NDArray[np.float64]

# Unit → what it measures, and how many of the base unit it is.
_UNITS: Mapping[str, tuple[str, float]] = MappingProxyType({
    **dict.fromkeys(("g", "gram", "grams", "gramme", "grammes"), ("weight", 1.0)),
    **dict.fromkeys(("kg", "kilo", "kilos", "kilogram", "kilograms"), ("weight", 1000.0)),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("weight", 28.35)), **dict.fromkeys(("lb", "lbs"), ("weight", 453.6)),
    **dict.fromkeys(("l", "litre", "litres", "liter", "liters", "ltr"), ("volume", 1.0)), "ml": ("volume", 0.001), "cl": ("volume", 0.01),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), ("length", 1.0)),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), ("length", 0.1)),
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), ("length", 100.0)), **dict.fromkeys(("inch", "inches", '"'), ("length", 2.54)), **dict.fromkeys(("ft", "foot", "feet"), ("length", 30.48)),
    **dict.fromkeys(("lumen", "lumens", "lm"), ("light", 1.0)), **dict.fromkeys(("w", "watt", "watts"), ("power", 1.0)), "kw": ("power", 1000.0),
    **dict.fromkeys(("v", "volt", "volts"), ("voltage", 1.0)), "mah": ("charge", 1.0), "ah": ("charge", 1000.0),
    "gb": ("storage", 1.0), "tb": ("storage", 1000.0), "nm": ("torque", 1.0), "rpm": ("speed", 1.0),
    **dict.fromkeys(("hour", "hours", "h"), ("time", 60.0)), **dict.fromkeys(("minute", "minutes", "min"), ("time", 1.0)),
    **dict.fromkeys(("page", "pages"), ("pages", 1.0)), **dict.fromkeys(("piece", "pieces", "pcs"), ("pieces", 1.0)),
    **dict.fromkeys(("degree", "degrees", "°", "°c", "celsius", "centigrade"), ("temperature", 1.0)),
})  # fmt: skip
_OF_COLUMNS: Mapping[str, tuple[str, float]] = MappingProxyType({**_UNITS, "c": ("temperature", 1.0)})  # "comfort_c"
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_NUMBER = r"-?\d+(?:[.,]\d+)?"
_AMOUNT = rf"(?P<n>(?<![\d-]){_NUMBER})\s?-?(?P<u>{_UNIT})(?![\w])"
_ADVERB = r"(?:(?:than|about|around|roughly|approximately|some|maybe|even|exactly|as)\s+)*"
# What compares: "more than", "heavier than", "exceed"; a "not" before it turns it round.
_UP = r"(?:over|above|beyond|more than|greater than|exceed(?:s|ing)?|(?:heavi|bright|bigg|larg|long|tall|wid|strong|high|great|thick|deep|roomi)[a-z]*er than)"
_DOWN = r"(?:under|below|beneath|less than|fewer than|(?:light|small|short|thinn|narrow|low|few|slimm|shallow)[a-z]*er than)"
_NOT = r"(?:(?:not|no|never|nothing|none|cannot|without)\s+(?:\w+\s+){0,2}?)"
_LEAST = (
    rf"(?:{_NOT}{_DOWN}|at least|min(?:imum)?(?: of)?|from|as (?:much|big|large|long) as|>=?|(?<!not )(?<!no ){_UP})"
)
_MOST = rf"(?:{_NOT}{_UP}|at most|max(?:imum)?(?: of)?|up to|<=?|within|(?<!not )(?<!no ){_DOWN})"
_SPAN = re.compile(
    rf"(?<!\w)(?:between|from)?\s*(?P<a>{_NUMBER})\s*(?:{_UNIT})?\s*(?:-|–|to|and|until)\s*(?P<b>\d+(?:[.,]\d+)?)\s?-?(?P<u>{_UNIT})(?![\w])"
)
_WANTED = re.compile(
    rf"(?<!\w)(?:(?P<most>{_MOST})\s+{_ADVERB}|(?P<least>{_LEAST})\s+{_ADVERB}|(?P<about>about|around|roughly|circa|approx\.?)\s+)?{_AMOUNT}"
    r"(?P<more>\s*(?:\+|or (?:more|above|over|bigger|larger|heavier|longer)|and (?:up|more|above)|upwards|plus\b|minimum))?"
    r"(?P<less>\s*(?:or (?:less|under|below|smaller|lighter|shorter)|and (?:less|under)|at most|max(?:imum)?\b))?"
)
_COLD = re.compile(r"(?<![\w.,-])(?P<n>-\d{1,2})(?![\w.,%]|\s*(?:[€$£]|eur|usd|gbp))")  # "good to -8": degrees
_TOLD = re.compile(rf"(?<![\w.,])(?P<n>{_NUMBER})\s?-?(?P<u>{_UNIT})(?![\w])")
_OF_LABELS: Mapping[str, tuple[str, float]] = MappingProxyType({
    **_UNITS, **dict.fromkeys(("in", "in.", '"', "″"), ("length", 2.54)), **dict.fromkeys(("ft", "foot", "feet", "'"), ("length", 30.48)),
})  # fmt: skip
_LABEL = re.compile(
    rf"(?P<n>{_NUMBER})\s?-?(?P<u>{'|'.join(map(re.escape, sorted(_OF_LABELS, key=len, reverse=True)))})"
)
_NOMINAL = frozenset({"inch", "inches", '"'})
_NEAR, _EXACT = 0.15, 0.03


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured, in its base unit, from ``low`` to ``high`` (None: open)."""

    kind: str
    low: float | None
    high: float | None


def read_measures(text: str, sizes: Mapping[str, object]) -> tuple[tuple[Measure, ...], str]:
    """The measures of a plain text, and the text without them (same length). What the shop has as a size stays."""
    found: list[Measure] = []
    rest = text
    for match in _SPAN.finditer(text):
        kind, scale = _UNITS[match["u"]]
        low, high = sorted((_number(match["a"]) * scale, _number(match["b"]) * scale))
        if f"{match['a']}-{match['b']}" in sizes:
            continue
        found.append(Measure(kind, low, high))
        rest = _blank(rest, match)
    for match in _WANTED.finditer(rest):
        if match["u"] in {"cm", "inch"} and match["n"] in sizes:
            continue
        kind, scale = _UNITS[match["u"]]
        found.append(_bounded(kind, _number(match["n"]) * scale, match))
        rest = _blank(rest, match)
    for match in _COLD.finditer(rest):
        found.append(Measure("temperature", None, _number(match["n"])))
        rest = _blank(rest, match)
    return tuple(found), rest


def _blank(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + "," + " " * (match.end() - match.start() - 1) + text[match.end() :]


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _bounded(kind: str, value: float, match: re.Match[str]) -> Measure:
    if kind == "temperature" and not match["more"]:
        return Measure(kind, None, value)  # what is comfortable down to -9 is so at -5
    if match["least"] or match["more"]:
        return Measure(kind, value, None)
    if match["most"] or match["less"]:
        return Measure(kind, None, value)
    if match["u"] in _NOMINAL and not match["about"] and "." not in match["n"]:
        return Measure(kind, value * (1 - _EXACT), value + 0.9 * _UNITS[match["u"]][1])  # a 15 inch screen has 15.6
    slack = _NEAR if match["about"] else _EXACT
    return Measure(kind, value * (1 - slack), value * (1 + slack))


def labels_within(measure: Measure, labels: Iterable[str]) -> tuple[str, ...]:
    """Size labels that state this measure and keep it: "95 cm" from 90 to 100 cm."""
    out: list[str] = []
    for label in labels:
        told = _LABEL.fullmatch(label)
        if told is None or _OF_LABELS[told["u"]][0] != measure.kind:
            continue
        value = _number(told["n"]) * _OF_LABELS[told["u"]][1]
        if (measure.low is None or value >= measure.low) and (measure.high is None or value <= measure.high):
            out.append(label)
    return tuple(out)


def measure_rows(measures: Sequence[Measure], snapshot: Snapshot, rows: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Which of the catalogue's rows keep the measures, looked at among ``rows`` only; None: none of them states any."""
    out, stated = np.ones(len(snapshot), dtype=np.bool_), False
    for measure in measures:
        values = _values(measure.kind, snapshot, rows)
        if np.isnan(values[rows]).all():
            continue
        stated = True
        if measure.low is not None:
            out &= values >= measure.low - 1e-9
        if measure.high is not None:
            out &= values <= measure.high + 1e-9
    return out if stated else None


def _values(kind: str, snapshot: Snapshot, rows: NDArray[np.int64]) -> Values:
    out = np.full(len(snapshot), np.nan, dtype=np.float64)
    listed: list[int] = rows.tolist()
    for row in listed:
        told = next((m for m in _TOLD.finditer(snapshot.names[row].lower()) if _UNITS[m["u"]][0] == kind), None)
        if told is not None:
            out[row] = _number(told["n"]) * _UNITS[told["u"]][1]
    for (key, value), posting in snapshot.attributes.items():
        amount = _amount(kind, key, value)
        if amount is not None:
            out[posting] = amount
    return out


def _amount(kind: str, key: str, value: str) -> float | None:
    told = _TOLD.search(value)
    if told is not None:
        own, scale = _UNITS[told["u"]]
        return _number(told["n"]) * scale if own == kind else None
    unit = next((word for word in reversed(key.split()) if word in _OF_COLUMNS), None)
    if unit is None or _OF_COLUMNS[unit][0] != kind or re.fullmatch(_NUMBER, value) is None:
        return None
    return _number(value) * _OF_COLUMNS[unit][1]
