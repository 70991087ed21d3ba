"""Requests are understood in the catalogue's own words."""

import pytest

from shopfloor.tools.recommendation.ages import age_range, read_age
from shopfloor.tools.recommendation.parsing import parse
from shopfloor.tools.recommendation.prices import read_prices
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import stem, stems
from shopfloor.tools.recommendation.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("a jacket under 30", None, 30),
        ("between 20 and 40", 20, 40),
        ("from 20 to 40 euros", 20, 40),
        ("around 50", 40, 60),
        ("my budget is $80", None, 80),
        ("20-40€ jeans", 20, 40),
        ("size 10-12 under £15", None, 15),
        ("no more than thirty five dollars", None, 35),
        ("less than 1,200.50", None, 1200.5),
        ("nothing over 100 eur", None, 100),
        ("over 100", 100, None),
        ("no less than 20", 20, None),
        ("30 or less", None, 30),
        ("jeans for 30 euros", None, 30),
        ("shoes under 100 in 43", None, 100),
        ("for my daughter, 5 years", None, None),
        ("a set of 6 mugs", None, None),
        ("a pole under 120 cm", None, None),
        ("a tent for 4 people", None, None),
        ("a pullover 20", None, None),
    ],
)
def test_price_limits(text: str, low: float | None, high: float | None) -> None:
    bounds = read_prices(text)
    assert (bounds.low, bounds.high) == (low, high)
    assert len(bounds.rest) == len(text)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("my daughter, 5 years", 5),
        ("a boy aged 7", 7),
        ("my 3 year old son", 3),
        ("he is 10", 10),
        ("a baby of 6 months", 0.5),
        ("guaranteed for 5 years", None),
        ("size 42", None),
    ],
)
def test_ages(text: str, age: float | None) -> None:
    assert read_age(text)[0] == age


@pytest.mark.parametrize(
    ("label", "ages"),
    [("5-6 Yr", (5, 6)), ("1 Yr", (1, 1)), ("110", (5, 5)), ("42", None), ("M", None), ("6m", (0.5, 0.5))],
)
def test_sizes_that_stand_for_ages(label: str, ages: tuple[float, float] | None) -> None:
    assert age_range(label) == ages


@pytest.mark.parametrize(
    ("word", "singular"),
    [
        ("dresses", "dress"),
        ("shoes", "shoe"),
        ("scarves", "scarf"),
        ("parties", "party"),
        ("boots", "boot"),
        ("glass", "glass"),
    ],
)
def test_singulars(word: str, singular: str) -> None:
    assert stem(word) == singular


def test_words_are_unified() -> None:
    assert stems("Men's T-Shirts, I'm looking") == ("man", "tshirt", "i", "looking") or stems("T-Shirts") == ("tshirt",)
    assert "m" not in stems("I'm looking")


CASES: list[tuple[str, dict[str, object]]] = [
    ("a blue jacket", {"colours": ("blue",), "categories": ("jackets",)}),
    ("I'm looking for jackets", {"sizes": (), "categories": ("jackets",)}),
    ("jaket in blak", {"colours": ("black",), "categories": ("jackets",)}),
    ("gray hoodie", {"colours": ("grey",)}),
    ("men's shirt in M, not blue", {"sizes": ("m",), "gender": "men", "not_colours": ("blue",), "colours": ()}),
    (
        "not red or black, a women's skirt",
        {"not_colours": ("red", "black"), "categories": ("skirts",), "gender": "women"},
    ),
    ("no black shoes please", {"not_colours": ("black",), "categories": ("shoes",)}),
    ("something for my daughter, 5 years", {"gender": "girls", "age": 5.0, "categories": ()}),
    ("a dress for my daughter, 20 years", {"gender": "women", "categories": ("dresses",)}),
    ("hiking boots size 42", {"sizes": ("42",), "categories": ("boots",)}),
    ("boots in 42 under 150", {"sizes": ("42",), "price_max": 150.0}),
    ("pants for my husband", {"categories": ("trousers",), "gender": "men"}),
    ("kids wear in green", {"categories": ("kids wear",), "colours": ("green",)}),
    ("kids shoes", {"categories": ("kids shoes",), "gender": "kids"}),
    ("a waterproof jacket", {"attributes": (("weather", "waterproof"),)}),
    ("boots, no leather", {"not_attributes": (("material", "leather"),), "categories": ("boots",)}),
    ("a coat without a hood", {"not_terms": ("hood",), "categories": ("coats",)}),
    ("something from Fjellvik", {"brands": ("fjellvik",), "categories": ()}),
    ("anything but jeans for women", {"not_categories": ("jeans",), "gender": "women"}),
    ("a medium t-shirt", {"sizes": ("m",), "categories": ("t-shirts",)}),
    ("warm gloves and a hat", {"categories": ("gloves", "hats")}),
    ("cheap socks", {"order": "price_low"}),
    ("best rated boots", {"order": "rating"}),
    ("not too expensive scarf", {"order": "price_low", "not_terms": ()}),
    ("a tent for 4 people", {"attributes": (("sleep", "4"),), "categories": ("tents",)}),
    ("do you have laptops?", {"head": ("laptop",), "categories": ()}),
    ("two jackets for the office", {"quantity": 2, "occasion": "office"}),
    ("", {"categories": (), "terms": ()}),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text or "empty" for text, _ in CASES])
def test_requests(text: str, expected: dict[str, object], facets: tuple[Snapshot, Vocabulary]) -> None:
    parsed = parse(text, *facets)
    assert {name: getattr(parsed, name) for name in expected} == expected


@pytest.mark.parametrize(("text", "_expected"), CASES, ids=[text or "empty" for text, _ in CASES])
def test_json_round_trip(text: str, _expected: object, facets: tuple[Snapshot, Vocabulary]) -> None:
    parsed = parse(text, *facets)
    assert ParsedRequest.from_json(parsed.to_json()) == parsed
