"""Which values of a product's options a text gives: "60m", "linen liner", "size: XL", "without a stand".

A longer value is read first and then hidden, so that "extra fine" is not also "fine"; what is hidden can be left out
when the rest of the text is read, for instance for a price.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shopfloor.tools.recommendation.text import plain

YES, NO, NONE = "yes", "no", "none"
_UNITS = (
    ("l", "litres?|liters?|ltrs?"), ("ml", "millilitres?|milliliters?"), ("kg", "kilos?|kilograms?"), ("g", "grams?|gr"),
    ("m", "metres?|meters?|mtrs?"), ("cm", "centimetres?|centimeters?"), ("mm", "millimetres?|millimeters?"),
    ("in", "inch|inches|\""), ("inch", "in|inches|\""), ("ft", "foot|feet"), ("w", "watts?"), ("v", "volts?"),
    ("h", "hours?|hrs?"), ("hours", "h|hrs?|hour"), ("gb", "gigabytes?|gigs?"), ("tb", "terabytes?"), ("mah", "milliamp hours?"),
    ("oz", "ounces?"), ("lb", "lbs|pounds?"), ("pcs", "pieces?"), ("pieces", "pcs|piece"),
)  # fmt: skip
_UNIT = {unit: f"(?:{unit}|{others})" for unit, others in _UNITS}
_SPOKEN = {
    "1/2": "half", "1/4": "quarter", "xxs": "extra extra small", "xs": "extra small|x small", "s": "small", "m": "medium",
    "l": "large", "xl": "extra large|x large", "xxl": "extra extra large|xx large", "3xl": "xxxl",
}  # fmt: skip
_WITHOUT = r"\b(?:(?:not|no longer) (?:want|like|need)|without|no|not|non|lacks?|lacking|minus|sans|instead of|isn't|aren't|is not|are not|not in|nothing)"
_FILLER = r"(?:an? |any |the |its |with |of |in )?"


@dataclass(frozen=True, slots=True)
class GivenValues:
    """Values by option: one ``wanted``, all ``mentioned`` in the order they stand, those ``denied``.

    ``rest`` is the text with all of them blanked out.
    """

    wanted: Mapping[str, str]
    mentioned: Mapping[str, tuple[str, ...]]
    denied: Mapping[str, frozenset[str]]
    rest: str


def given_values(text: str, choices: Mapping[str, Sequence[str]]) -> GivenValues:
    """The values of ``choices`` (option → its values) that a text gives."""
    reader = _Reader(plain(text), text, choices)
    reader.beside_their_names()
    reader.alone()
    reader.had_or_not()
    mentioned = {key: tuple(value for _, value in sorted(places)) for key, places in reader.mentions.items()}
    return GivenValues(reader.wanted, mentioned, {k: frozenset(v) for k, v in reader.denied.items()}, reader.text)


def names_of(key: str) -> str:
    """A pattern for an option's name: singular or plural, with either spelling of colour."""
    words = plain(key).replace("_", " ").split()
    last = words[-1].removesuffix("s") if len(words[-1]) > 3 and not words[-1].endswith("ss") else words[-1]
    plural = (
        f"{re.escape(last[:-1])}(?:y|ies)" if last.endswith("y") and len(last) > 3 else f"{re.escape(last)}(?:e?s)?"
    )
    pattern = r"[\s-]+".join([*(re.escape(word) for word in words[:-1]), plural])
    return pattern.replace("colour", "colou?r") if "colour" in pattern else re.sub(r"\bcolor", "colou?r", pattern)


@lru_cache(maxsize=4096)
def value_pattern(value: str) -> str:
    """A pattern for a value as people write it: "60 m" is also "60m", "60-metre"."""
    text = plain(value)
    found = re.fullmatch(r"(\d+(?:[.,]\d+)?)[\s-]*([a-z\"]+)", text)
    if found is not None:
        number = re.escape(found[1]).replace(r"\.", "[.,]")
        return rf"(?<![\w.,/-]){number}[\s-]?{_UNIT.get(found[2], re.escape(found[2]))}(?!\w)"
    words = [re.escape(word) for word in re.split(r"[\s-]+", text) if word]
    spelt = r"[\s-]?".join(words) if words else re.escape(text)
    if text in _SPOKEN:
        others = _SPOKEN[text].replace(" ", r"[\s-]?")
        spelt = f"(?:{spelt}|{others})"
    plural = "s?" if text.isalpha() and len(text) > 3 else ""
    return rf"(?<![\w/-]){spelt}{plural}(?![\w/]|[.,]\d)"


class _Reader:
    def __init__(self, text: str, raw: str, choices: Mapping[str, Sequence[str]]) -> None:
        self.text = text
        self.wanted: dict[str, str] = {}
        self.mentions: dict[str, list[tuple[int, str]]] = {}
        self.denied: dict[str, set[str]] = {}
        self._raw = raw if len(raw) == len(text) else text
        self._choices = choices
        pairs = {(key, value) for key, values in choices.items() for value in values}
        self._pairs = sorted(pairs, key=lambda pair: (-len(pair[1]), pair))

    def beside_their_names(self) -> None:
        """ "size: XL", "pile is long", "a broad nib", "linen liner"."""
        for key, value in self._pairs:
            name, said = names_of(key), value_pattern(value)
            before = rf"(?<!\w){name}\s*(?::|=|\bis\b|\bare\b|\bof\b|\bin\b)?\s*(?P<value>{said})"
            after = rf"(?P<value>{said})\s+{name}(?!\w)"
            if plain(value) in {YES, NO}:
                after = "(?!)"
            for pattern in (before, after):
                for found in re.finditer(pattern, self.text):
                    self._take(key, value, found.span("value"))

    def alone(self) -> None:
        """Values that only one option has, wherever they stand."""
        owners: dict[str, set[str]] = {}
        for key, value in self._pairs:
            owners.setdefault(plain(value), set()).add(key)
        for key, value in self._pairs:
            if len(owners[plain(value)]) > 1 or plain(value) in {YES, NO, NONE}:
                continue
            for found in re.finditer(value_pattern(value), self.text):
                if len(found.group()) == 1 and not self._raw[found.start()].isupper():
                    continue
                self._take(key, value, found.span())

    def had_or_not(self) -> None:
        """Options that a thing has or has not: "with a stand", "no liner"."""
        for key, values in self._choices.items():
            known = {plain(value): value for value in values}
            if key in self.wanted or not known.keys() & {YES, NO, NONE}:
                continue
            name = names_of(key)
            if re.search(rf"{_WITHOUT}\s+{_FILLER}{name}(?!\w)", self.text):
                lacking = known.get(NO, known.get(NONE))
                if lacking is not None:
                    self._want(key, lacking, 0)
            elif YES in known and re.search(rf"(?<!\w){name}(?!\w)", self.text):
                self._want(key, known[YES], 0)

    def _take(self, key: str, value: str, span: tuple[int, int]) -> None:
        if self._is_denied(span[0]):
            self.denied.setdefault(key, set()).add(value)
        else:
            self._want(key, value, span[0])
        self.text = self.text[: span[0]] + " " * (span[1] - span[0]) + self.text[span[1] :]

    def _want(self, key: str, value: str, place: int) -> None:
        self.wanted.setdefault(key, value)
        self.mentions.setdefault(key, []).append((place, value))

    def _is_denied(self, start: int) -> bool:
        before = self.text[:start]
        return (
            re.search(rf"(?:{_WITHOUT}|\b(?:anything|any \w+|all) (?:but|except)|\bother than)\s+{_FILLER}$", before)
            is not None
        )
