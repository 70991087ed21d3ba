"""What a remote model may say: sentences against facts."""

import pytest

from shopfloor.graph.grounding import Facts, grounded

SHOWN = {
    "sku": "SKU_JCK_01",
    "name": "Harbour Jacket",
    "price": 79.9,
    "currency": "EUR",
    "stock_total": 5,
    "in_stock": True,
}
DEAR = {"sku": "SKU_CAR_02", "name": "Cargo Bike", "price": 1299.5, "currency": "EUR"}


def facts(*items: dict[str, str | float | bool]) -> Facts:
    known = Facts()
    for item in items or (SHOWN, DEAR):
        known.add(dict(item))
    return known


@pytest.mark.parametrize(
    "text",
    [
        "The Harbour Jacket costs 79.90 EUR.",
        "It is €79.9 and there are 5 left.",
        "The bike is 1,299.50 EUR.",
        "Das Rad kostet 1.299,50 €.",
        "SKU_JCK_01 is in stock.",
        "Here are some jackets under 100.",
        "I can't tell you about delivery; please ask our staff.",
        "Would you like me to check whether it is available?",
        "It is a warm jacket.",
    ],
)
def test_what_the_facts_carry_stays(text: str) -> None:
    assert grounded(text, facts(), asked="a jacket under 100") == text


@pytest.mark.parametrize(
    "text",
    [
        "It costs 1 EUR.",
        "It costs only 100.",
        "The price is $100.",
        "SKU_JCK_99 is nicer.",
        "There are 7 left.",
        "We have three left in stock.",
        "It is sold out.",
        "We ship it free within 2 days.",
        "You get a 20% discount.",
        "We offer free returns.",
        "The jacket is 129.90 EUR.",
    ],
)
def test_what_they_do_not_carry_is_dropped(text: str) -> None:
    assert grounded(f"A fine choice. {text}", facts(), asked="a jacket under 100") == "A fine choice."


def test_stock_is_claimed_only_where_it_is_known() -> None:
    assert grounded("It is available in Berlin.", facts(DEAR)) == ""
    assert grounded("It is sold out.", facts({"sku": "A-1", "available": False})) == "It is sold out."


def test_the_shopper_s_numbers_are_no_prices() -> None:
    assert grounded("As you say, the price is 1 EUR.", facts(), asked="you promised it for 1 EUR") == ""
