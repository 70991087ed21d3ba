"""Superlatives: "the warmest", "the lightest", "the brightest you have", over whatever attributes a shop has.

A superlative names a quality; a quality is measured by attributes whose name says it, by number ("weight_g": 390) or by
words of degree ("warmth": "very warm").
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.snapshot import Snapshot

Scores = NDArray[np.float64]

# Quality → words of an attribute's name that measure it, and whether more of it is wanted (1) or less (-1).
_MEASURES: Mapping[str, tuple[frozenset[str], int]] = MappingProxyType({
    "warm": (frozenset({"warmth", "warm", "insulation"}), 1),
    "cool": (frozenset({"warmth"}), -1),
    "light": (frozenset({"weight"}), -1),
    "heavy": (frozenset({"weight"}), 1),
    "bright": (frozenset({"lumen", "brightness", "lux"}), 1),
    "big": (frozenset({"capacity", "volume", "sleep", "size", "seat"}), 1),
    "small": (frozenset({"capacity", "volume", "sleep", "size", "seat", "weight"}), -1),
    "long": (frozenset({"length", "battery", "runtime", "duration"}), 1),
    "short": (frozenset({"length"}), -1),
    "tall": (frozenset({"height"}), 1),
    "wide": (frozenset({"width"}), 1),
    "thin": (frozenset({"thickness"}), -1),
    "thick": (frozenset({"thickness"}), 1),
    "strong": (frozenset({"strength", "load", "power"}), 1),
    "fast": (frozenset({"speed"}), 1),
    "powerful": (frozenset({"power", "watt"}), 1),
    "quiet": (frozenset({"noise", "decibel"}), -1),
    "soft": (frozenset({"softness"}), 1),
})  # fmt: skip
_SAME = MappingProxyType({"large": "big", "roomy": "big", "spacious": "big", "tiny": "small", "compact": "small",
                          "cosy": "warm", "cozy": "warm", "lightweight": "light", "slim": "thin"})  # fmt: skip
MEASURED = frozenset({*_MEASURES, *_SAME}) - {"light"}  # words of degree; "light" is also a lamp
_WORDS = "|".join(sorted({*_MEASURES, *_SAME}, key=len, reverse=True))
_SUPERLATIVE = re.compile(rf"\b(?:(?:most|very) (?P<most>{_WORDS})|(?P<stem>[a-z]{{3,}}?)(?P<end>i?est))\b")
_COMPARATIVE = re.compile(
    rf"\b(?:more (?P<more>{_WORDS})|(?P<stem>[a-z]{{3,}}?)(?P<end>i?er))\b(?! (?:size|than \d|price))"
)
_NOT_TOO = re.compile(rf"\b(?:not|nothing) (?:too|overly) (?P<too>{_WORDS})\b")
_TOO = re.compile(rf"\b(?:(?<!not )(?<!nothing )too|less|not (?:so|as|quite so)) (?P<too>{_WORDS})\b")
_OPPOSITE = MappingProxyType({"warm": "cool", "cool": "warm", "heavy": "light", "light": "heavy", "big": "small", "small": "big",
                              "long": "short", "short": "long", "thick": "thin", "thin": "thick"})  # fmt: skip
_MORE_OF = ("extremely", "extra", "super", "very", "most", "ultra")
_LESS_OF = ("not", "low", "slightly", "light", "little", "cool", "thin")
_MIDDLE = ("medium", "moderate", "mid", "average", "normal")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def read_superlative(text: str) -> str | None:
    """The quality that a plain text wants the most of ("the warmest you have" → "warm"), None without one."""
    for match in _NOT_TOO.finditer(text):
        word = _SAME.get(match["too"], match["too"])
        if word in _OPPOSITE:
            return _OPPOSITE[word]
    for match in _SUPERLATIVE.finditer(text):
        word = match["most"]
        if word is None:
            word = _base(match["stem"], match["end"] == "iest")
        if word is not None and not match.group().startswith("very"):
            return _SAME.get(word, word)
    return None


def read_comparative(text: str) -> str | None:
    """The quality that a plain text wants more of ("something warmer", "too cool" → "warm"), None without one."""
    for match in _TOO.finditer(text):
        word = _SAME.get(match["too"], match["too"])
        if word in _OPPOSITE:
            return _OPPOSITE[word]
    for match in _COMPARATIVE.finditer(text):
        word = match["more"] or _base(match["stem"], match["end"] == "ier")
        if word is not None:
            return _SAME.get(word, word)
    return None


def comparative(quality: str) -> str:
    """How more of a quality is said: "warmer", "bigger", "more powerful"."""
    odd = {"big": "bigger", "thin": "thinner", "wide": "wider", "powerful": "more powerful", "heavy": "heavier"}
    return odd.get(quality, quality + "er")


def quality_of(word: str) -> str | None:
    """The quality that a plain adjective names ("roomy" → "big"); None for "light", which is also a lamp or a colour."""
    return _SAME.get(word, word) if word in MEASURED else None


def _base(stem: str, with_y: bool) -> str | None:
    options = (stem + "y",) if with_y else (stem, stem + "e", stem[:-1])
    return next((option for option in options if option in _MEASURES or option in _SAME), None)


def without_superlatives(text: str) -> str:
    """The text with superlatives and comparatives blanked out (same length): they describe, they never name a thing."""
    text = _SUPERLATIVE.sub(lambda m: " " * len(m.group()) if read_superlative(m.group()) else m.group(), text)
    return _COMPARATIVE.sub(lambda m: " " * len(m.group()) if read_comparative(m.group()) else m.group(), text)


def degree_scores(quality: str, snapshot: Snapshot, rows: NDArray[np.int64]) -> Scores | None:
    """How much each of ``rows`` has of a quality, by the attribute that tells it of most of them.

    NaN where the shop does not say; None: no attribute measures it.
    """
    names, sign = _MEASURES[quality]
    by_key: dict[str, Scores] = {}
    for (key, value), posting in snapshot.attributes.items():
        amount = _amount(quality, value) if names & set(key.split()) else None
        if amount is not None:
            by_key.setdefault(key, np.full(len(snapshot), np.nan, dtype=np.float64))[posting] = sign * amount
    told = {key: values[rows] for key, values in by_key.items()}
    best = max(told, key=lambda key: int((~np.isnan(told[key])).sum()), default=None)
    return None if best is None or np.isnan(told[best]).all() else told[best]


def _amount(quality: str, value: str) -> float | None:
    number = _NUMBER.search(value)
    if number is not None:
        return float(number.group())
    words = value.split()
    if any(word in _MIDDLE for word in words):
        return 2.0
    if quality not in words and any(word in _LESS_OF for word in words):
        return 1.0
    if quality in words or any(word in _MORE_OF for word in words):
        return 4.0 if any(word in _MORE_OF for word in words) else 3.0
    return None
