"""Wishes by comparison, over a product's options: "one size bigger", "the thinnest", "as tall as you make them", "too small".

An option's values have an order where they are numbers or stand on a known scale (low, medium, high). A word of
comparison is about an option whose name stands beside it, that the word can only mean ("wider": width), or on whose scale
the word itself stands ("lighter roast").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from shopfloor.tools.recommendation.option_values import names_of
from shopfloor.tools.recommendation.text import plain

_SCALES = (
    ("low", "medium", "high"),
    ("beginner", "intermediate", "expert"),
    ("beginner", "intermediate", "advanced", "expert"),
    ("easy", "medium", "hard"),
    ("light", "medium", "heavy"),
    ("light", "medium", "dark"),
    ("soft", "medium", "firm", "hard"),
    ("thin", "medium", "thick"),
    ("short", "medium", "long"),
    ("extra fine", "fine", "medium", "broad"),
    ("fine", "medium", "coarse"),
    ("narrow", "regular", "medium", "wide", "extra wide"),
    ("slim", "regular", "relaxed", "loose"),
    ("mild", "medium", "hot"),
    ("twin", "single", "double", "full", "queen", "king"),
    ("xxs", "xs", "extra small", "mini", "s", "small", "m", "medium", "l", "large", "xl", "extra large", "xxl", "3xl"),
    ("720p", "1080p", "2k", "4k", "5k", "8k"),
)
# Word of comparison → towards more (1) or less (-1), and the options it speaks of by itself.
_BODY = "size capacity volume frame width"
_WORDS: Mapping[str, tuple[int, str]] = MappingProxyType({
    "big": (1, _BODY), "large": (1, _BODY), "roomy": (1, _BODY), "small": (-1, _BODY), "compact": (-1, _BODY),
    "long": (1, "length"), "short": (-1, "length height pile"), "tall": (1, "height length"), "high": (1, "height"),
    "low": (-1, "height"), "wide": (1, "width"), "narrow": (-1, "width"), "broad": (1, "width"),
    "thick": (1, "thickness diameter gauge"), "thin": (-1, "thickness diameter gauge"), "deep": (1, "depth"),
    "heavy": (1, "weight"), "light": (-1, "weight"), "bright": (1, "brightness"), "dim": (-1, "brightness"),
    "hard": (1, "difficulty firmness"), "easy": (-1, "difficulty"), "firm": (1, "firmness"), "soft": (-1, "firmness"),
    "fast": (1, "speed"), "slow": (-1, "speed"), "strong": (1, "power strength"), "weak": (-1, "power strength"),
    "powerful": (1, "power wattage"), "dark": (1, ""), "fine": (-1, ""), "coarse": (1, ""), "loud": (1, "volume noise"),
    "quiet": (-1, "noise"), "warm": (1, "warmth"), "few": (-1, "piece pieces"), "hot": (1, "heat"), "mild": (-1, "heat"),
})  # fmt: skip
_GENERIC = frozenset({"big", "large", "small"})
_PLAIN_MORE = {"more": (1, False), "less": (-1, False), "most": (1, True), "least": (-1, True), "maximum": (1, True),
               "max": (1, True), "maximised": (1, True), "maximized": (1, True), "minimum": (-1, True), "best": (1, True),
               "fewer": (-1, False), "fewest": (-1, True), "higher": (1, False), "lower": (-1, False),
               "highest": (1, True), "lowest": (-1, True)}  # fmt: skip
_FAULT = re.compile(r"\btoo (?P<word>[a-z]+)\b")
_AS = re.compile(r"\bas (?P<word>[a-z]+) as (?:you|possible|it|they|can|there)\b")
_NEXT = re.compile(r"\b(?:(?:next|one|a) size (?P<up>up|bigger|larger)|(?:next|one|a) size (?P<down>down|smaller))\b")


@dataclass(frozen=True, slots=True)
class Aim:
    """A comparison: towards more or less of an option, as far as it goes or by one step."""

    up: bool
    extreme: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """The order of an option's values; ``names`` are the words of a known scale, empty for numbers."""

    names: tuple[str, ...]

    def place(self, value: str) -> float:
        """Where a value stands."""
        text = plain(value)
        if self.names:
            return float(self.names.index(text)) if text in self.names else -1.0
        return _number(text) or 0.0

    def side(self, word: str) -> int:
        """Whether a word is itself on the upper (1) or lower (-1) half of the scale; 0: it is not on it."""
        if word not in self.names:
            return 0
        return 1 if self.names.index(word) > (len(self.names) - 1) / 2 else -1


@dataclass(frozen=True, slots=True)
class _Said:
    """A word of comparison in a text. ``base`` is empty for "more", "most" and the like."""

    base: str
    sign: int
    extreme: bool
    start: int
    end: int


def scale_of(values: Sequence[str]) -> Scale | None:
    """The order of an option's values, None where they have none."""
    texts = [plain(value) for value in values]
    for names in _SCALES:
        if all(text in names for text in texts):
            return Scale(names)
    return Scale(()) if texts and all(_number(text) is not None for text in texts) else None


def without_faults(text: str) -> str:
    """The text with "too small", "a smaller flat" and the like blanked out: they name no value."""
    return re.sub(
        r"(?i)\btoo [a-z]+\b|\bfor (?:a|my|our) (?:small|large|big) \w+", lambda m: " " * len(m.group()), text
    )


def aims_of(text: str, scales: Mapping[str, Scale]) -> dict[str, Aim]:
    """What a plain text compares, by option. A plain wish counts for more than a complaint ("too thin")."""
    out: dict[str, Aim] = {}
    for said in _comparisons(text):
        for key in _meant(said, text, scales):
            side = scales[key].side(said.base)
            out.setdefault(key, Aim((side or said.sign) > 0, said.extreme))
    for found in _FAULT.finditer(text):
        word = found["word"]
        if word not in _WORDS:
            continue
        fault = _Said(word, _WORDS[word][0], False, found.start(), found.end())
        for key in _meant(fault, text, scales):
            out.setdefault(key, Aim((scales[key].side(word) or fault.sign) < 0, False))
    return out


def _comparisons(text: str) -> list[_Said]:
    found: list[_Said] = []
    for match in re.finditer(r"[a-z]+", text):
        word = match.group()
        base, extreme = _base(word)
        if base:
            found.append(_Said(base, _WORDS[base][0], extreme, match.start(), match.end()))
        if word in _PLAIN_MORE:
            sign, far = _PLAIN_MORE[word]
            found.append(_Said("", sign, far, match.start(), match.end()))
    for match in _AS.finditer(text):
        if match["word"] in _WORDS:
            found.append(_Said(match["word"], _WORDS[match["word"]][0], True, match.start(), match.end()))
    for match in _NEXT.finditer(text):
        found.append(
            _Said("big" if match["up"] else "small", 1 if match["up"] else -1, False, match.start(), match.end())
        )
    return found


def _base(word: str) -> tuple[str, bool]:
    """ "thinner" → ("thin", False), "easiest" → ("easy", True), anything else → ("", False)."""
    for ending, extreme in (("est", True), ("er", False)):
        stem = word.removesuffix(ending)
        if stem == word:
            continue
        for base in (
            stem,
            stem + "e",
            stem[:-1] if stem[-1:] == stem[-2:-1] else "",
            stem[:-1] + "y" if stem.endswith("i") else "",
        ):
            if base in _WORDS:
                return base, extreme
    return "", False


def _meant(said: _Said, text: str, scales: Mapping[str, Scale]) -> list[str]:
    """The options that a comparison is about."""
    before = " ".join(re.split(r"[.,;]", text[: said.start])[-1].split()[-4:])
    after = " ".join(re.split(r"[.,;]", text[said.end :])[0].split()[:3])
    beside = [
        key
        for key in scales
        if any(re.search(rf"\b{word}\b", part) for word in _parts(key) for part in (before, after))
    ]
    if said.base:
        on = [key for key, scale in scales.items() if scale.side(said.base) and key in beside]
        if on or beside:
            return on or beside
        hinted = [
            key for key in scales if set(_WORDS[said.base][1].split()) & set(plain(key).replace("_", " ").split())
        ]
        if hinted:
            return hinted[:1]
        named = [key for key, scale in scales.items() if scale.side(said.base)]
        if len(named) == 1:
            return named
        return list(scales) if said.base in _GENERIC and len(scales) == 1 else []
    hinted = [key for key in scales for word in after.split()[:1] if _hints(word, key)]
    return beside or hinted


def _hints(word: str, key: str) -> bool:
    """ "more powerful", "least bright": whether the word after means the option."""
    return word in _WORDS and bool(set(_WORDS[word][1].split()) & set(plain(key).split()))


def _parts(key: str) -> list[str]:
    words = plain(key).replace("_", " ").split()
    return [names_of(word) for word in words if len(word) > 2]


def _number(text: str) -> float | None:
    fraction = re.match(r"(\d+)/(\d+)", text)
    if fraction is not None and int(fraction[2]):
        return int(fraction[1]) / int(fraction[2])
    number = re.search(r"\d+(?:\.\d+)?", text)
    return float(number.group()) if number is not None else None
