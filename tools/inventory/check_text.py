"""Checks that a text says no number that is not among its facts."""

import re
from collections.abc import Iterator

from pydantic import JsonValue

from shopfloor.tools.schemas import InventoryAnswer

LISTED_LENGTHS = (6, 8, 10, 12, 15)  # texts list this many of a longer list and say how many more there are
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def numbers_of(value: JsonValue) -> Iterator[str]:
    """Every number in a JSON value, texts and keys included, as written without trailing zeros."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield _plain(f"{value}")
    elif isinstance(value, str):
        yield from (_plain(found) for found in _NUMBER.findall(value))
    elif isinstance(value, list):
        yield from (str(len(value) - shown) for shown in (0, *LISTED_LENGTHS) if len(value) > shown)
        for item in value:
            yield from numbers_of(item)
    else:
        for key, item in value.items():
            yield from numbers_of(key)
            yield from numbers_of(item)


def _plain(number: str) -> str:
    number = number.lstrip("-").rstrip(".,")
    return number.rstrip("0").rstrip(".") if "." in number else number


def stray_numbers(answer: InventoryAnswer, question: str) -> list[str]:
    """Numbers in the answer's text that are neither in its facts, slots, options or names nor in the question."""
    facts: list[JsonValue] = [question, dict(answer.structured), dict(answer.slots), list(answer.options)]
    if answer.product is not None:
        facts.append(answer.product.model_dump(mode="json"))
    if answer.stock is not None:
        facts.append(answer.stock.model_dump(mode="json", exclude={"answer", "timings_ms", "trace_id", "answer_id"}))
    known = set(numbers_of(facts))
    return [found for found in map(_plain, _NUMBER.findall(answer.answer)) if found not in known]
