"""Everything the shop's data say of one product, ready to be looked up by the words of a question."""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from shopfloor.tools.inventory import queries
from shopfloor.tools.matching import IRREGULAR, SYNONYMS, stem, stems, word_set

_UNITS = {
    "g": "g", "kg": "kg", "mg": "mg", "l": "l", "ml": "ml", "cl": "cl", "cm": "cm", "mm": "mm", "m": "m", "km": "km", "in": "in",
    "inch": "in", "inches": "in", "ft": "ft", "oz": "oz", "lb": "lb", "lbs": "lb", "c": "°C", "f": "°F", "w": "W", "v": "V", "kw": "kW",
    "kwh": "kWh", "mah": "mAh", "hz": "Hz", "h": "hours", "hours": "hours", "min": "minutes", "minutes": "minutes", "months": "months",
    "years": "years", "days": "days", "gb": "GB", "tb": "TB", "mb": "MB", "pct": "%", "percent": "%", "lumens": "lumens", "litres": "litres",
    "liters": "litres", "watts": "watts", "lm": "lm", "kcal": "kcal", "db": "dB", "m2": "m²", "sqm": "m²",
}  # fmt: skip
_GRADES = (
    ("none", "no", "nil"),
    ("very light", "very low", "very thin", "minimal"),
    ("light", "low", "thin", "cool", "mild", "soft", "easy", "basic", "small", "slight"),
    ("medium", "mid", "moderate", "normal", "average", "standard"),
    ("warm", "high", "heavy", "strong", "thick", "hard", "good", "large"),
    ("very warm", "very high", "very heavy", "very strong", "extra warm", "very good", "hot", "extra large"),
    ("extreme", "maximum", "max", "extremely warm", "highest", "excellent"),
)
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing the data say: the name of its column, its values as the shop writes them, a unit or ""."""

    key: str
    values: tuple[str, ...]
    unit: str = ""

    @property
    def label(self) -> str:
        """The column's name in words."""
        return _label(self.key)

    @property
    def said(self) -> str:
        """The values in words: "640 g", "spring and autumn"."""
        texts = [f"{value} {self.unit}".strip() for value in self.values]
        return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"

    def words(self) -> set[str]:
        """The roots of the values' words."""
        return {root(word) for value in self.values for word in stems(value)}

    def key_words(self) -> set[str]:
        """The roots of the name's words, and of the unit it ends in."""
        return {root(word) for word in stems(self.key.replace("_", " "))}

    def number(self) -> float | None:
        """The value as a number: itself, or its place on an everyday scale ("light" before "warm")."""
        if len(self.values) != 1:
            return None
        text = self.values[0].strip().casefold()
        found = _NUMBER.match(text)
        if found is not None:
            return float(found.group().replace(",", "."))
        for place, grade in enumerate(_GRADES):
            if text in grade:
                return float(place)
        return None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The data of one product. ``low`` and ``high`` are the lowest and highest price of its variants."""

    sku: str
    name: str
    category: str
    currency: str
    description: str
    low: float | None
    high: float | None
    colours: tuple[str, ...]
    sizes: tuple[str, ...]
    gender: str
    brand: str
    rating: float | None
    rating_count: int
    units_sold: int
    facts: tuple[Fact, ...]  # every attribute and option
    sized_prices: tuple[tuple[str, float], ...] = ()

    def all_facts(self) -> list[Fact]:
        """Attributes, options and the columns that describe."""
        columns = (("brand", self.brand), ("category", self.category), ("gender", self.gender))
        return [*self.facts, *(Fact(key, tuple(value.split("|"))) for key, value in columns if value)]

    def sentences(self, words: Iterable[str]) -> list[str]:
        """Sentences of the description that use every one of these roots."""
        wanted = set(words)
        found = re.split(r"(?<=[.!?])\s+", self.description.strip())
        return [part for part in found if part and wanted <= {root(word) for word in stems(part)}]


def root(word: str) -> str:
    """A word without its commonest endings: hiking, hike and hikes are one, so are lightest, lighter and light."""
    text = IRREGULAR.get(word, word)
    for ending in ("ing", "able", "est", "ed", "er", "ly"):
        if text.endswith(ending) and len(text) - len(ending) >= 4 and text not in _WHOLE:
            text = text[: -len(ending)]
            break
    if len(text) > 3 and text[-1] == text[-2] and text[-1] in "bdgmnprt":
        text = text[:-1]
    if len(text) > 3 and text.endswith("e"):
        text = text[:-1]
    return text[:-1] + "y" if len(text) > 3 and text.endswith("i") else text


_WHOLE = word_set(
    "winter summer leather water weather polyester silver copper rubber paper power number cover filter outer inner under timber"
    " ginger pepper butter interest forest travel family jersey table cable lumber amber"
)


def like(word: str) -> set[str]:
    """The roots that mean the same as a plain singular word."""
    groups = [group for group in SYNONYMS if word in group]
    return {root(other) for group in groups for other in group} | {root(word)}


def read_sheet(connection: sqlite3.Connection, sku: str) -> Sheet | None:
    """The data of one product, None when there is no such product."""
    rows = queries.run(connection, "product_sheet", sku=sku)
    if not rows:
        return None
    row = rows[0]
    options = queries.run(connection, "variant_options", sku=sku)
    prices = [float(item["price"]) for item in options if item["price"] is not None]
    if row["price"] is not None and (not prices or any(item["price"] is None for item in options)):
        prices.append(float(row["price"]))
    sized = {str(item["size"]): float(item["price"]) for item in options if item["size"] and item["price"] is not None}
    return Sheet(
        sku=row["sku"],
        name=row["name"],
        category=row["category"] or "",
        currency=row["currency"],
        description=row["description"],
        low=min(prices, default=None),
        high=max(prices, default=None),
        colours=_distinct([*_split(row["colour"]), *(item["colour"] for item in options if item["colour"])]),
        sizes=_distinct(_split(row["sizes"])) or _distinct(item["size"] for item in options if item["size"]),
        gender=row["gender"] or "",
        brand=row["brand"] or "",
        rating=row["rating_mean"],
        rating_count=int(row["rating_count"]),
        units_sold=int(row["units_sold"]),
        facts=_facts(row["attributes"], [item["options"] for item in options]),
        sized_prices=tuple(sized.items()),
    )


def attributes_with(connection: sqlite3.Connection, word: str) -> set[str]:
    """Names of the attributes in which this shop's products use a word."""
    clean = "".join(char for char in word if char.isalnum())
    if not clean:
        return set()
    rows = queries.run(connection, "word_holders", query=f'attributes : "{clean}"')
    found: set[str] = set()
    for row in rows:
        for fact in _facts(row["attributes"], []):
            if root(word) in fact.words():
                found.add(fact.key)
    return found


def _facts(attributes: str, options: Sequence[str]) -> tuple[Fact, ...]:
    found: dict[str, list[str]] = {}
    for position, text in enumerate((attributes, *options)):
        parsed: object = json.loads(text or "{}")
        if not isinstance(parsed, dict):
            continue
        for key, value in cast("dict[str, object]", parsed).items():
            if position and key.casefold() in ("size", "colour", "color"):
                continue
            for part in _texts(value):
                if part not in found.setdefault(key, []):
                    found[key].append(part)
    return tuple(Fact(key, tuple(values), _unit(key)) for key, values in found.items() if values)


def _texts(value: object) -> list[str]:
    if value is None or isinstance(value, dict):
        return []
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, list):
        return [text for item in cast("list[object]", value) for text in _texts(item)]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    parts = [part.strip() for part in text.split("|") if part.strip()]
    return [] if any("://" in part for part in parts) else parts


def _label(key: str) -> str:
    words = [word for word in re.split(r"[_\s]+", key) if word]
    if len(words) > 1 and words[-1].casefold() in _UNITS:
        words = words[:-1]
    return " ".join(words).casefold() or key


def _unit(key: str) -> str:
    words = [word.casefold() for word in re.split(r"[_\s]+", key) if word]
    if not words:
        return ""
    if len(words) > 1:
        return _UNITS.get(words[-1], "")
    return words[0] if words[0] in ("lumens", "litres", "liters", "watts") else ""


def _split(value: str | None) -> list[str]:
    return [part.strip() for part in (value or "").split("|") if part.strip()]


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def plain_stem(word: str) -> str:
    """The root of a word as written."""
    return root(stem(word))
