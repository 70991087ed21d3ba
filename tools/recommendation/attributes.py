"""A product's attributes, as the catalogue keeps them (a JSON object), made comparable."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache

from pydantic import JsonValue

from shopfloor.tools.recommendation.ages import age_range
from shopfloor.tools.recommendation.text import label_stems

MAX_ATTRIBUTE_WORDS = 4
COUNTED = frozenset({"sleep", "person", "people", "seat", "serve", "capacity persons"})  # for how many; a 1 is no flag
_BELOW_ZERO = re.compile(r"-\d+(?:\.\d+)?")
_TRUE = frozenset({"yes", "true", "1", "y", "t"})
_FALSE = frozenset({"no", "false", "0", "n", "f", "none", "null", ""})
_NOT_ATTRIBUTES = ("colour", "color", "url", "link", "image", "photo", "review", "rating", "price", "id", "date")


def age_of(attributes: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """The years that an attribute whose name speaks of age gives, (NaN, NaN) without one."""
    for key, value in attributes:
        if "age" in key and {"age", "ages"} & set(key.replace("_", " ").split()):
            found = age_range(value)
            if found is not None:
                return found
    return float("nan"), float("nan")


def attribute_pairs(text: str) -> list[tuple[str, str]]:
    """(key, value) stems of a JSON object of attributes; a true flag is (key, "yes"); long texts are left out."""
    return pairs_of(attribute_texts(text))


def pairs_of(texts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same from names and values that were read already."""
    out: list[tuple[str, str]] = []
    for key, value in texts:
        label = _attribute_label(key)
        if label is None:
            continue
        for part in value.split("|"):
            plain = part.strip() if label in COUNTED and part.strip() in {"0", "1"} else _attribute_value(part)
            if plain is not None:
                out.append((label, plain))
    return out


@lru_cache(maxsize=65_536)
def _attribute_label(key: str) -> str | None:
    """Stems of an attribute's name; None for what is no attribute of the thing itself."""
    words = label_stems(key.replace("_", " "))
    return None if set(words).intersection(_NOT_ATTRIBUTES) else " ".join(words)


@lru_cache(maxsize=65_536)
def _attribute_value(part: str) -> str | None:
    if _BELOW_ZERO.fullmatch(part.strip()):
        return part.strip()
    plain = " ".join(label_stems(part))
    if plain in _TRUE:
        return "yes"
    if plain in _FALSE:
        return "no"
    return plain if len(plain.split()) <= MAX_ATTRIBUTE_WORDS else None


def attribute_texts(text: str) -> list[tuple[str, str]]:
    """The JSON object's entries as text, lists joined by "|"; nothing when it is not an object."""
    try:
        data: JsonValue = json.loads(text or "{}")
    except ValueError:
        return []
    if not isinstance(data, dict):
        return []
    return [(key, "|".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in data.items()]
