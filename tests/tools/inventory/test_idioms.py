"""Turns of phrase: their words name no product and no amount, and a span of time ahead is read in days."""

import pytest

from shopfloor.tools.inventory.idioms import find_idioms
from shopfloor.tools.inventory.mentions import _find_point  # pyright: ignore[reportPrivateUsage]
from shopfloor.tools.inventory.numbers import find_amounts
from shopfloor.tools.inventory.reading import Reading


def read(text: str, sizes: dict[str, str] | None = None) -> tuple[int | None, str]:
    reading = Reading.of(text)
    days = find_idioms(reading, sizes or {})
    return days, " ".join(word for word, label in zip(reading.words, reading.labels, strict=True) if label is None)


@pytest.mark.parametrize(
    ("text", "days", "left"),
    [
        ("what sells out this week", 7, "what sells out"),
        ("gone within 30 days", 30, "gone"),
        ("gone in the next sixty days", 60, "gone"),
        ("gone in twenty five days", 25, "gone"),
        ("sold out in a fortnight", 14, ""),
        ("sold out over the coming two months", 60, ""),
        ("none sold for the last 2 weeks", None, "none sold"),
        ("what is down to two", None, "what is two"),
        ("how long at this pace", None, "how long at"),
        ("any chairs", None, "any chairs"),
    ],
)
def test_spans_and_phrases(text: str, days: int | None, left: str) -> None:
    assert read(text) == (days, left)


def test_a_size_in_months_is_no_span() -> None:
    assert read("romper in 6 months", {"6 months": "6 months"}) == (None, "romper in 6 months")


@pytest.mark.parametrize(
    ("text", "value", "sense"),
    [
        ("down to 3", 3, "at_most"),
        ("down to their last two", 2, "at_most"),
        ("down to a single unit", 1, "at_most"),
        ("a pair of two", 1, "exactly"),
    ],
)
def test_amounts_of_phrases(text: str, value: int, sense: str) -> None:
    words = text.split()
    amounts = find_amounts(words, [False] * len(words))
    assert (amounts[0].value, amounts[0].sense) == (value, sense)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("closest to 48.85,2.35 with a rake", (48.85, 2.35)),
        ("at 48.85 near 2.35", None),
        ("51.5 N, 0.12 W", (51.5, -0.12)),
        ("33.9°S 18.4°E", (-33.9, 18.4)),
        ("40.7, -74.0 east of it", (40.7, -74.0)),
    ],
)
def test_letters_after_coordinates(text: str, point: tuple[float, float] | None) -> None:
    assert _find_point(Reading.of(text)) == point
