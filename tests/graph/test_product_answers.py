"""Answers from a product's row and description: nothing but what the catalogue says."""

import pytest

from shopfloor.graph.aspects import akin, comparison_in, content_words
from shopfloor.graph.facts import ProductFacts
from shopfloor.graph.product_answers import answer_about, answer_about_several


def product(sku: str, name: str, price: float, **attributes: str) -> ProductFacts:
    description = attributes.pop("description", "")
    return ProductFacts(
        sku=sku,
        name=name,
        category="Garden",
        price=price,
        currency="USD",
        description=description,
        colours=("green", "red"),
        sizes=("30-40", "41-50"),
        units=4,
        stores=2,
        brand="Bramble",
        rating=4.5,
        rating_count=12,
        attributes=tuple(attributes.items()),
    )


HOSE = product(
    "H1",
    "Brook Hose",
    39.5,
    description="A soft hose of fifteen metres that stays supple in frost. Couplings are included. It drains in two minutes.",
    material="rubber",
    weight_kg="2.5",
    weather="water-resistant",
)
BARROW = product("B1", "Stone Barrow", 120.0, weight_kg="14", material="steel", capacity_l="90")
LAMP = product("L1", "Path Lamps", 20.0, lumens="200", weather="waterproof")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("how much is it?", "The price of the Brook Hose is 39.50 USD."),
        ("what is it made of?", "Brook Hose: material rubber."),
        ("how heavy is it?", "Brook Hose: weight 2.5 kg."),
        ("who makes it?", "The Brook Hose is made by Bramble."),
        ("is it waterproof?", "The Brook Hose is water-resistant, not waterproof."),
        ("which colours does it come in?", "The Brook Hose is available in green or red."),
        ("does it come in red?", "Yes, the Brook Hose comes in red. The colours are green and red."),
        ("does it come in pink?", "The Brook Hose does not come in pink. The colours are green and red."),
        ("does it come in size 45?", "Yes, the Brook Hose comes in 41-50, which covers 45."),
        ("is it well rated?", "The Brook Hose is rated 4.5 by 12 customers."),
        ("are couplings included?", "Couplings are included."),
        ("how long does it take to drain?", "It drains in two minutes."),
    ],
)
def test_what_was_asked_is_answered(asked: str, answer: str) -> None:
    assert answer_about(HOSE, asked).startswith(answer)


def test_several_things_are_spoken_of_as_several() -> None:
    assert answer_about(LAMP, "are they waterproof?").startswith("Yes, the Path Lamps are waterproof.")


def test_what_the_catalogue_does_not_say_is_not_made_up() -> None:
    answer = answer_about(HOSE, "is it dishwasher safe?")
    assert answer.startswith("I don't know: our catalogue doesn't say that of the Brook Hose.")
    assert "material rubber" in answer


def test_a_verb_of_the_question_does_not_hide_the_sentence_that_answers() -> None:
    boots = product(
        "B2",
        "Marsh Boots",
        90.0,
        description="The felt inside you can take out to dry. They keep warm to twenty below.",
    )
    assert answer_about(boots, "how cold can they take?") == "They keep warm to twenty below."


def test_word_that_is_another_products_value_gets_the_column() -> None:
    assert answer_about(BARROW, "is it aluminium?", columns={"material"}) == "Stone Barrow: material steel."


@pytest.mark.parametrize(
    ("asked", "chosen", "said"),
    [
        ("which is lighter?", "H1", "2.5 kg"),
        ("which one is the heaviest?", "B1", "14 kg"),
        ("and the cheapest?", "H1", "39.50 USD"),
        ("which is the most expensive of these?", "B1", "120.00 USD"),
    ],
)
def test_the_best_of_what_is_shown_is_chosen(asked: str, chosen: str, said: str) -> None:
    text, best = answer_about_several([HOSE, BARROW], asked)
    assert best.sku == chosen
    assert best.name in text.split(".")[0]
    assert said in text


def test_comparison_without_figures_says_what_there_is() -> None:
    text, _ = answer_about_several([HOSE, BARROW], "what's the difference between the two?")
    assert "Brook Hose" in text
    assert "80.50 USD cheaper" in text


def test_words_that_say_nothing_are_left_out() -> None:
    assert content_words("does it come with a zip?") == {"zip"}
    assert akin("washable", "wash")
    assert not akin("wash", "watch")


def test_direction_of_a_comparison() -> None:
    found = comparison_in("which holds the most?")
    assert found is not None
    assert (found.aspect.name, found.most) == ("capacity", True)
    assert comparison_in("a waterproof jacket") is None
