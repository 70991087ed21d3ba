"""Sentences over a list: what all have, how they differ, and nothing that the facts do not hold."""

from dataclasses import replace

import pytest

from shopfloor.tools.recommendation.cards import Facts
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.sentences import explanations, the
from shopfloor.tools.recommendation.wording import Why

KETTLE = Facts(
    sku="K1", name="Brook Kettle", category="Kettles", price=40.0, currency="EUR", description="", colours=("Red",),
    gender=None, brand="Brook", sizes=(), rating_mean=4.2, rating_count=10, units_sold=50, stock=3, in_stock=True,
    attributes={"material": "steel", "weight_g": "900"},
)  # fmt: skip
TALL = replace(
    KETTLE,
    sku="K2",
    name="Heron Kettle",
    price=35.0,
    rating_mean=4.6,
    attributes={"material": "glass", "weight_g": "1200"},
)
CUPS = replace(
    KETTLE,
    sku="K3",
    name="Tern Cups",
    price=60.0,
    units_sold=90,
    colours=("Red", "Blue"),
    attributes={"material": "clay"},
)


def said(*facts: Facts, **parsed: object) -> str:
    request = ParsedRequest(**parsed)  # type: ignore[arg-type]
    return " ".join(options[0] for options in explanations([Why(one, {}) for one in facts], request))


def test_what_all_have_comes_first() -> None:
    text = said(KETTLE, TALL, colours=("red",), price_max=50.0, text="a red kettle up to 50")
    assert text.startswith("Both kettles come in red and stay within 50 EUR.")
    assert "the Heron Kettle" in text.partition(".")[2]


def test_what_only_some_have_is_not_said_of_all() -> None:
    text = said(KETTLE, CUPS, colours=("blue",), price_max=50.0, text="blue up to 50")
    assert "Both" not in text
    assert "50 EUR" not in text


def test_differences_are_true_and_said_once() -> None:
    text = said(KETTLE, TALL, CUPS, text="something for tea")
    assert "the Heron Kettle is rated highest" in text or "The Heron Kettle is rated highest" in text
    assert "Tern Cups are the best sellers of the three" in text
    assert text.count("rated highest") == text.count("best sellers") == 1


def test_equal_products_are_told_apart_by_nothing_false() -> None:
    twin = replace(KETTLE, sku="K9", name="Brook Kettle Mark Two")
    text = said(KETTLE, twin, text="kettle")
    for word in ("better", "best", "least", "less", "highest", "lighter"):
        assert word not in text


def test_for_whom_and_for_what() -> None:
    assert "For your dad, I'd start with the Brook Kettle" in said(KETTLE, CUPS, text="a present for my dad")
    hiking = replace(KETTLE, attributes={"occasion": "camping|tea"})
    assert "For camping, I'd start with" in said(hiking, TALL, terms=("camping",), text="camping kettle")
    assert "For camping" not in said(KETTLE, TALL, terms=("camping",), text="camping kettle")


def test_sold_out_is_said_and_not_put_first() -> None:
    text = said(replace(KETTLE, in_stock=False), TALL, text="kettle")
    assert "Brook Kettle is sold out right now" in text
    assert text.index("Heron") < text.index("Brook")


def test_one_product() -> None:
    gone = replace(CUPS, in_stock=False)
    assert said(gone, text="cups").endswith("cost 60 EUR. They are sold out right now.")
    assert "the Brook Kettle" in said(KETTLE, text="kettle").replace("The", "the")
    assert "costs 40 EUR, within your 50 EUR" in said(KETTLE, price_max=50.0, text="kettle up to 50")
    assert "within" not in said(KETTLE, price_max=50.0, price_implied=True, text="and in red?")
    assert said() == ""


def test_what_the_cards_say_is_not_said_again() -> None:
    cards = ["Made of steel.", "", ""]
    whys = [Why(one, {}) for one in (KETTLE, TALL, CUPS)]
    options = explanations(whys, ParsedRequest(text="tea"), cards)[-1]
    assert not any("made of steel" in option for option in options)
    assert any("made of steel" in option for option in explanations(whys, ParsedRequest(text="tea"))[-1])


@pytest.mark.parametrize(("name", "wanted"), [("The Old Lamp", "The Old Lamp"), ("Old Lamp", "the Old Lamp")])
def test_articles(name: str, wanted: str) -> None:
    assert the(name) == wanted
