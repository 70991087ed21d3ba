"""What a message means after what was said: tables over pure functions, no model."""

import re
from typing import Literal

import pytest

from shopfloor.graph.conversation import count_in, depends, follow_up, plan_route, split_mixed
from shopfloor.graph.cues import with_name
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.replies import load_replies
from shopfloor.graph.state import Memory, Pending, ShownItem
from shopfloor.tools.schemas import RouteInfo

REPLIES = load_replies()
CITIES = {"tokyo", "new york", "lisbon"}
LEXICON = Lexicon(
    shop_name="Test Shop",
    places=frozenset({"berlin", "delhi", "são paulo", "berlin mitte"}),
    colours=frozenset({"red", "blue", "green"}),
    sizes=frozenset({"s", "m", "l", "xl", "42"}),
    skus=frozenset({"A1", "B2", "C3", "SKU_JCK_01"}),
    not_places=frozenset({"stock", "store", "total", "size"}),
    is_city=lambda name: name in CITIES,
)


def item(sku: str, name: str, price: float, colour: str) -> ShownItem:
    return ShownItem(
        sku=sku, name=name, price=price, currency="EUR", colour=colour, category="Jackets", sizes=["S", "M"]
    )


SHOWN = (
    item("A1", "Aspen Down Jacket", 99.0, "blue"),
    item("B2", "Harbour Rain Jacket", 79.0, "red"),
    item("C3", "Ridge Fleece", 49.0, "green"),
)
AFTER_LIST = Memory(
    shown=SHOWN,
    focus={"sku": "A1", "name": "Aspen Down Jacket"},
    parsed={"text": "jacket"},
    last_route="recommendation",
)
AFTER_STOCK = Memory(
    shown=SHOWN, focus={"sku": "B2", "name": "Harbour Rain Jacket", "city": "Berlin"}, last_route="inventory"
)


@pytest.mark.parametrize(
    ("text", "sku", "city", "size"),
    [
        ("do you have it in Tokyo?", "A1", "Tokyo", None),
        ("Do you have it in tokyo", "A1", "tokyo", None),
        ("what about Berlin", "A1", "Berlin", None),
        ("and in Delhi?", "A1", "Delhi", None),
        ("in são paulo?", "A1", "são paulo", None),
        ("Is it in stock?", "A1", None, None),
        ("how many are left", "A1", None, None),
        ("in XL?", "A1", None, "xl"),
        ("do you have it in size 42", "A1", None, "42"),
        ("is the second one in Berlin?", "B2", "Berlin", None),
        ("the blue one in New York", "A1", "New York", None),
        ("is the cheapest one in Lisbon?", "C3", "Lisbon", None),
        ("is the fleece in stock?", "C3", None, None),
        ("where can I buy the third one?", "C3", None, None),
        ("Is B2 available in Delhi?", "B2", "Delhi", None),
        ("how many in Berlin", "A1", "Berlin", None),
        ("which stores have it?", "A1", None, None),
        ("where can I get it?", "A1", None, None),
    ],
)
def test_stock_follow_ups(text: str, sku: str, city: str | None, size: str | None) -> None:
    plan = follow_up(text, AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None
    assert plan.route == "inventory"
    (task,) = plan.inventory
    assert (task["sku"], task["city"], task["size"]) == (sku, city, size)
    assert task["question"] in {text, re.sub("the (second|third) one", "it", text)}


def test_the_city_spoken_of_is_kept() -> None:
    plan = follow_up("and how many are left?", AFTER_STOCK, LEXICON, REPLIES)
    assert plan is not None
    assert plan.inventory[0]["city"] == "Berlin"
    assert plan.inventory[0]["sku"] == "B2"


def test_several_products_are_asked_about_side_by_side() -> None:
    plan = follow_up("are they in stock in Berlin?", AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None
    assert [task["sku"] for task in plan.inventory] == ["A1", "B2", "C3"]
    assert {task["city"] for task in plan.inventory} == {"Berlin"}


@pytest.mark.parametrize(
    "text",
    [
        "something cheaper",
        "too expensive",
        "and in red?",
        "not red",
        "under 50",
        "something warmer please",
        "show me more",
        "what else do you have?",
        "anything similar?",
        "for my daughter",
        "for my son, 8 years old",
        "do you have a longer one?",
        "without a hood",
    ],
)
def test_refinements(text: str) -> None:
    plan = follow_up(text, AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None
    assert plan.route == "recommendation"
    assert plan.recommend is not None
    assert plan.recommend["refine"] is True
    assert plan.recommend["text"] == text
    assert plan.inventory == ()


def test_a_change_with_a_stock_question_runs_both_in_order() -> None:
    plan = follow_up("something warmer, and is it in Berlin?", AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None
    assert plan.route == "both"
    assert plan.recommend is not None
    assert plan.recommend["refine"] is True
    (task,) = plan.inventory
    assert task["of_top"] is True
    assert task["city"] == "Berlin"


def test_another_colour_of_a_shown_product_starts_from_it() -> None:
    plan = follow_up("do you have the second one in blue?", AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None
    assert plan.recommend is not None
    assert plan.recommend["like"] == "B2"
    assert "blue" in plan.recommend["text"]


@pytest.mark.parametrize(
    ("text", "skus", "reply"),
    [
        ("the second one", ("B2",), "details"),
        ("tell me more about the harbour jacket", ("B2",), "details"),
        ("how much is it?", ("A1",), "details"),
        ("what sizes does it come in", ("A1",), "details"),
        ("compare the first and the third", ("A1", "C3"), "details"),
        ("compare the first two", ("A1", "B2"), "details"),
        ("I'll take the cheaper one", ("C3",), "chosen"),
        ("which one is warmer?", ("A1", "B2", "C3"), "details"),
        ("I'd like the third one please", ("C3",), "chosen"),
        ("I'll take the red one", ("B2",), "chosen"),
        ("yes", ("A1",), "chosen"),
    ],
)
def test_pointing_at_what_is_shown(text: str, skus: tuple[str, ...], reply: str) -> None:
    plan = follow_up(text, AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None
    assert plan.route == "supervisor"
    assert plan.skus == skus
    assert plan.reply == reply


@pytest.mark.parametrize(
    "text",
    [
        "I need hiking boots for wide feet",
        "do you sell tents?",
        "a blue dress for a wedding in June, size M",
        "is SKU_JCK_01 in stock in Delhi?",
        "which store has the most umbrellas?",
    ],
)
def test_new_requests_are_left_to_the_router(text: str) -> None:
    assert follow_up(text, AFTER_LIST, LEXICON, REPLIES) is None


@pytest.mark.parametrize("text", ["something cheaper", "the second one", "do you have it in Berlin?", "and in red?"])
def test_without_a_conversation_nothing_is_a_follow_up(text: str) -> None:
    assert follow_up(text, Memory(), LEXICON, REPLIES) is None


def pending(
    about: Literal["product", "place"], question: str, unclear: str | None, options: list[str], values: list[str]
) -> Pending:
    return Pending(
        about=about, question=question, unclear=unclear, options=options, values=values, sku="A1", city=None, size="M"
    )


NAMES = ["Aspen Down Jacket", "Harbour Rain Jacket", "Ridge Fleece"]
PRODUCTS = pending("product", "is the jacket in Berlin?", "jacket", NAMES, ["A1", "B2", "C3"])
PLACES = pending("place", "is it in Dehli?", "Dehli", ["Delhi", "Delhi Airport"], ["Delhi", "Delhi Airport"])
CONFIRM = pending("product", "have the flece?", "flece", ["Ridge Fleece"], ["C3"])
OPEN = pending("product", "is it in Berlin?", None, [], [])
WHERE = pending("place", "what is the nearest store?", None, [], [])


@pytest.mark.parametrize(
    ("asked", "text", "sku", "question"),
    [
        (PRODUCTS, "the second one", "B2", "is the B2 in Berlin?"),
        (PRODUCTS, "2", "B2", "is the B2 in Berlin?"),
        (PRODUCTS, "harbour", "B2", "is the B2 in Berlin?"),
        (PRODUCTS, "the fleece please", "C3", "is the C3 in Berlin?"),
        (PRODUCTS, "Aspen Down Jacket", "A1", "is the A1 in Berlin?"),
        (PRODUCTS, "the last one", "C3", "is the C3 in Berlin?"),
        (CONFIRM, "yes", "C3", "have the C3?"),
        (CONFIRM, "Yes, please", "C3", "have the C3?"),
        (OPEN, "the Ridge Fleece", "A1", "the Ridge Fleece: is it in Berlin?"),
    ],
)
def test_choosing_a_product(asked: Pending, text: str, sku: str, question: str) -> None:
    plan = follow_up(text, Memory(pending=asked), LEXICON, REPLIES)
    assert plan is not None
    assert plan.route == "inventory"
    (task,) = plan.inventory
    assert (task["sku"], task["question"], task["size"]) == (sku, question, "M")


@pytest.mark.parametrize(
    ("asked", "text", "city", "question"),
    [
        (PLACES, "Delhi", "Delhi", "is it in Delhi?"),
        (PLACES, "the airport", "Delhi Airport", "is it in Delhi Airport?"),
        (PLACES, "2", "Delhi Airport", "is it in Delhi Airport?"),
        (WHERE, "Berlin", None, "what is the nearest store in Berlin?"),
    ],
)
def test_choosing_a_place(asked: Pending, text: str, city: str | None, question: str) -> None:
    plan = follow_up(text, Memory(pending=asked), LEXICON, REPLIES)
    assert plan is not None
    (task,) = plan.inventory
    assert (task["city"], task["question"], task["sku"]) == (city, question, "A1")


@pytest.mark.parametrize(("text", "reply"), [("no", "declined"), ("none of them", "declined"), ("yes", "which")])
def test_other_answers_to_a_choice(text: str, reply: str) -> None:
    plan = follow_up(text, Memory(pending=PRODUCTS), LEXICON, REPLIES)
    assert plan is not None
    assert plan.reply == reply


def test_a_new_wish_drops_the_open_question() -> None:
    assert follow_up("I need a tent for four people", Memory(pending=PRODUCTS), LEXICON, REPLIES) is None


@pytest.mark.parametrize(
    ("text", "wish", "question"),
    [
        ("a warm blue jacket, and is it in the Berlin store?", "a warm blue jacket", "is it in the Berlin store?"),
        ("I want a tent and do you have it in Paris", "I want a tent", "do you have it in Paris"),
        (
            "recommend boots under 90. Are they in stock in Delhi?",
            "recommend boots under 90",
            "Are they in stock in Delhi?",
        ),
        ("is SKU_JCK_01 in stock, and recommend me some socks", "recommend me some socks", "is SKU_JCK_01 in stock"),
        ("a red coat", "a red coat", None),
        ("a coat that is in stock in Berlin", "a coat that is in stock in Berlin", None),
    ],
)
def test_mixed_messages_are_split(text: str, wish: str, question: str | None) -> None:
    assert split_mixed(text) == (wish, question)


def test_a_stock_question_with_its_own_product_does_not_wait() -> None:
    assert depends("is it in the Berlin store?", LEXICON)
    assert not depends("is SKU_JCK_01 in stock?", LEXICON)


def test_a_mixed_route_waits_only_where_it_must() -> None:
    info = RouteInfo(route="both", decided_by="local", confidence=0.9)
    dependent = plan_route("a warm jacket, and is it in Berlin?", info, Memory(), LEXICON, REPLIES)
    assert dependent.inventory[0]["of_top"] is True
    separate = plan_route("is SKU_JCK_01 in stock, and recommend me some socks", info, Memory(), LEXICON, REPLIES)
    assert separate.inventory[0]["of_top"] is False
    assert separate.recommend is not None
    assert separate.recommend["text"] == "recommend me some socks"
    attributive = plan_route("a coat that is in stock in Berlin", info, Memory(), LEXICON, REPLIES)
    assert attributive.recommend is not None
    assert attributive.recommend["city"] == "Berlin"
    assert attributive.inventory[0]["of_top"] is True


@pytest.mark.parametrize(
    ("text", "count"),
    [("show me five coats", 5), ("top 10 gifts", 10), ("a coat under 40", 3), ("recommend 2 hats", 2)],
)
def test_the_count_asked_for(text: str, count: int) -> None:
    assert count_in(text) == count


def test_a_place_past_the_list_is_said_so() -> None:
    plan = follow_up("the fifth one", AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None
    assert plan.reply == "no_such_place"


def test_thanks_is_no_product_name() -> None:
    plan = follow_up("thanks", Memory(pending=OPEN), LEXICON, REPLIES)
    assert plan is not None
    assert plan.reply == "thanks"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("which stores have it?", "which stores have A1?"),
        ("do you have the second one in Berlin?", "do you have A1 in Berlin?"),
        ("is that available?", "is A1 available?"),
        ("are they in stock", "are A1 in stock"),
        ("what about Berlin", "what about Berlin"),
    ],
)
def test_pronouns_get_the_product(text: str, named: str) -> None:
    assert with_name(text, "A1") == named


def test_going_on_with_another_product_keeps_the_question() -> None:
    plan = follow_up("what about the third one?", AFTER_STOCK, LEXICON, REPLIES)
    assert plan is not None
    assert plan.route == "inventory"
    assert (plan.inventory[0]["sku"], plan.inventory[0]["city"]) == ("C3", "Berlin")


def test_a_wish_in_a_chatty_tone_is_no_small_talk() -> None:
    known = Lexicon(product_words=frozenset({"tent"}))
    info = RouteInfo(route="supervisor", decided_by="local", confidence=0.98)
    assert plan_route("ok, a tent for 4 people", info, Memory(), known, REPLIES).route == "recommendation"
    assert plan_route("tell me a joke", info, Memory(), known, REPLIES).route == "supervisor"


def test_a_mixed_message_with_a_sku_is_left_to_the_router() -> None:
    text = "recommend me a backpack and tell me if SKU_JCK_01 is in Delhi"
    assert follow_up(text, Memory(), LEXICON, REPLIES) is None
    assert split_mixed(text) == ("recommend me a backpack", "tell me if SKU_JCK_01 is in Delhi")


@pytest.mark.parametrize(
    "text", ["what's the weather like today?", "whats the weather tomorrow", "tell me a joke", "what time is it"]
)
def test_the_world_outside_is_no_product_fact(text: str) -> None:
    plan = follow_up(text, AFTER_LIST, LEXICON, REPLIES)
    assert plan is not None and plan.reply == "out_of_scope"


def test_what_weather_a_product_is_for_is_one() -> None:
    assert REPLIES.sure_kind("what weather is the first one made for?") is None
