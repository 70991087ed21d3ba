"""When an answer equals the gold one: field by field, a missing field is wrong, an extra one is ignored."""

import math
import unicodedata

from pydantic import JsonValue

MONEY_TOLERANCE = 0.01
DISTANCE_TOLERANCE = 0.01  # a share


def same(gold: JsonValue, got: JsonValue, field: str = "") -> bool:
    """Whether ``got`` says what ``gold`` says.

    Objects: every field of ``gold`` must match. Lists compare as sets. Numbers match to 0.01, those whose field name
    speaks of a distance to 1 %. Texts match without regard to case, outer blanks and Unicode form; an id may be
    written as a number or as text.
    """
    if gold is None or isinstance(gold, bool):
        return got is gold
    if isinstance(gold, dict):
        return isinstance(got, dict) and all(key in got and same(value, got[key], key) for key, value in gold.items())
    if isinstance(gold, list):
        return isinstance(got, list) and _same_set(gold, got, field)
    if got is None or isinstance(got, bool | dict | list):
        return False
    if isinstance(gold, int | float) and isinstance(got, int | float):
        return _same_number(float(gold), float(got), field)
    return _plain(gold) == _plain(got)


def differing_fields(gold: dict[str, JsonValue], got: dict[str, JsonValue]) -> list[str]:
    """Names of gold's fields that ``got`` has wrong or not at all."""
    return [key for key, value in gold.items() if key not in got or not same(value, got[key], key)]


def _same_number(gold: float, got: float, field: str) -> bool:
    if "distance" in field or field.endswith("_km"):
        return math.isclose(gold, got, rel_tol=DISTANCE_TOLERANCE, abs_tol=0.051)
    return abs(gold - got) <= MONEY_TOLERANCE + 1e-9


def _same_set(gold: list[JsonValue], got: list[JsonValue], field: str) -> bool:
    return all(any(same(one, other, field) for other in got) for one in gold) and all(
        any(same(one, other, field) for one in gold) for other in got
    )


def _plain(value: str | float) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return unicodedata.normalize("NFC", str(value)).strip().casefold()
