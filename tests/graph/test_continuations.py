"""Messages that go on with what was said without naming it: tables over pure functions, no model."""

from dataclasses import replace

import pytest

from shopfloor.graph.conversation import follow_up
from shopfloor.graph.cues import for_grown_ups
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.replies import load_replies
from shopfloor.graph.spelling import mended, understood
from shopfloor.graph.state import Memory, ShownItem

REPLIES = load_replies()
LEXICON = Lexicon(
    shop_name="Pots & Plants",
    places=frozenset({"berlin", "lyon"}),
    colours=frozenset({"red", "blue"}),
    sizes=frozenset({"12", "14", "16", "s", "m"}),
    product_words=frozenset({"pot", "spade", "glove", "trowel"}),
    vocabulary=frozenset({"clay", "pot", "steel", "spade", "hand", "trowel", "solo"}),
    names={"clay pot": "POT", "steel spade": "SPADE", "hand spade": "HAND", "clay trowel": "TROWEL"},
    is_city=lambda name: name == "oslo",
)


def item(sku: str, name: str, colour: str = "red") -> ShownItem:
    return ShownItem(
        sku=sku, name=name, price=9.0, currency="EUR", colour=colour, category="Pots", sizes=["12", "14", "16"]
    )


LISTED = Memory(
    shown=(item("POT", "Clay Pot"), item("SPADE", "Steel Spade")),
    focus={"sku": "POT", "name": "Clay Pot"},
    parsed={"text": "pots for men", "categories": ["Pots"], "head": ["pot"]},
    last_route="recommendation",
)
STOCK = Memory(focus={"sku": "POT", "name": "Clay Pot", "city": "Berlin", "before": "SPADE"}, last_route="inventory")


@pytest.mark.parametrize("text", ["and a 13?", "and 6?", "what about 14", "ok, 30 then", "size 15?", "and in 16?"])
def test_a_number_alone_is_about_what_we_spoke_of(text: str) -> None:
    plan = follow_up(text, STOCK, LEXICON, REPLIES)
    assert plan is not None and plan.route == "inventory"
    assert [(task["sku"], task["city"]) for task in plan.inventory] == [("POT", "Berlin")]


@pytest.mark.parametrize("text", ["women's", "for men only", "the blue ones", "kids please"])
def test_a_person_or_a_colour_narrows_the_list(text: str) -> None:
    plan = follow_up(text, LISTED, LEXICON, REPLIES)
    assert plan is not None and plan.recommend is not None and plan.recommend["refine"]


def test_a_thing_after_a_broad_wish_keeps_that_wish() -> None:
    broad = Memory(
        shown=LISTED.shown, focus=LISTED.focus, parsed={"text": "gear for men under 60"}, last_route="recommendation"
    )
    plan = follow_up("a trowel", broad, LEXICON, REPLIES)
    assert plan is not None and plan.recommend is not None
    assert plan.recommend["text"] == "trowel, gear for men under 60"


def test_another_thing_is_for_the_same_person() -> None:
    plan = follow_up("ok, a trowel then", LISTED, LEXICON, REPLIES)
    assert plan is not None and plan.recommend is not None and plan.recommend["refine"]
    assert plan.recommend["text"].endswith(" too")


@pytest.mark.parametrize(("text", "sku"), [("and the trowel?", "TROWEL"), ("what about the spade", None)])
def test_the_same_is_asked_of_another_product(text: str, sku: str | None) -> None:
    plan = follow_up(text, STOCK, LEXICON, REPLIES)
    assert plan is not None and plan.route == "inventory"
    assert [(task["sku"], task["city"]) for task in plan.inventory] == [(sku, "Berlin")]


@pytest.mark.parametrize(
    ("text", "memory", "skus"),
    [
        ("what do they cost together?", LISTED, ("POT", "SPADE")),
        ("how much would both be", STOCK, ("SPADE", "POT")),
        ("the Clay Pot and the Hand Spade, total price?", STOCK, ("POT", "HAND")),
    ],
)
def test_a_sum_is_of_what_is_named_shown_or_was_spoken_of(text: str, memory: Memory, skus: tuple[str, ...]) -> None:
    plan = follow_up(text, memory, LEXICON, REPLIES)
    assert plan is not None and plan.reply == "details"
    assert plan.skus == skus


@pytest.mark.parametrize(
    "text",
    [
        "my parcel still hasn't arrived",
        "I bought a pot two weeks ago and it never came",
        "I ordered gloves 10 days ago and still nothing",
        "still waiting for my things",
        "where's my refund",
    ],
)
def test_a_late_parcel_is_for_the_staff(text: str) -> None:
    plan = follow_up(text, Memory(), LEXICON, REPLIES)
    assert plan is not None and plan.reply == "order_status"


@pytest.mark.parametrize(
    "text", ["I bought a pot last week, do you have a spade", "has it come in red?", "do they come in red"]
)
def test_a_past_purchase_alone_is_no_late_parcel(text: str) -> None:
    assert REPLIES.sure_kind(text) is None


def test_the_same_matter_goes_on() -> None:
    memory = Memory(last_text="my package never showed up")
    plan = follow_up("this is taking forever, where is it", memory, LEXICON, REPLIES)
    assert plan is not None and plan.reply == "order_status"


def test_the_same_language_goes_on() -> None:
    memory = Memory(last_text="quiero una chaqueta roja por favor")
    plan = follow_up("para hombre", memory, LEXICON, REPLIES)
    assert plan is not None and plan.reply == "language"


def test_the_range_is_told_by_its_kinds() -> None:
    assert REPLIES.sure_kind("so what do you sell?") == "range"
    said = REPLIES.say("range", shop="Pots & Plants", text="what do you sell", turn=0, categories=("Pots", "Tools"))
    assert said == "Pots & Plants has pots and tools. Tell me what you need, and I'll pick something out."


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("hwo much is teh frist one", "how much is the first one"),
        ("is it availble in belrin", "is it available in Berlin"),
        ("anyting chepaer", "anything cheaper"),
        ("do yuo hav it in Lyon", "do you have it in Lyon"),
        ("a solo in oslo", "a solo in oslo"),
        ("clay pots for the garden", "clay pots for the garden"),
        ("", ""),
    ],
)
def test_slips_in_small_words_are_put_right(text: str, read: str) -> None:
    assert mended(text, LEXICON) == read


def test_other_languages_are_left_alone() -> None:
    text = "ich suche einen Topf, haben Sie das in Berlni"
    assert understood(text, LEXICON, REPLIES) == text


def test_long_texts_are_left_alone() -> None:
    text = "teh " * 200
    assert mended(text, LEXICON) == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("backpacks for adults", "backpacks, no kids"),
        ("show me three backpacks for adults", "show me three backpacks, no kids"),
        ("grown ups only", "no kids"),
        ("t-shirts, but not for kids", "t-shirts, no kids"),
        ("a tent for two adults and two kids", "a tent for two adults and two kids"),
        ("a tent for 2 adults", "a tent for 2 adults"),
        ("an adult ticket wallet", "an adult ticket wallet"),
        ("a warm hat for adults, and is it in stock in Lyon?", "a warm hat, no kids, and is it in stock in Lyon?"),
    ],
)
def test_grown_ups_are_read_as_no_kids(text: str, read: str) -> None:
    assert for_grown_ups(text) == read


def test_two_products_named_in_turn_are_compared() -> None:
    memory = Memory(focus={"sku": "HAND", "name": "Hand Spade", "before": "SPADE"}, last_text="and the Hand Spade?")
    plan = follow_up("which is lighter?", memory, LEXICON, REPLIES)
    assert plan is not None and plan.skus == ("SPADE", "HAND")


def test_a_fresh_list_is_compared_by_itself() -> None:
    memory = Memory(
        shown=LISTED.shown, focus={"sku": "POT", "name": "Clay Pot", "before": "HAND"}, parsed={"text": "x"}
    )
    plan = follow_up("which is the cheapest?", memory, LEXICON, REPLIES)
    assert plan is not None and plan.skus == ("POT", "SPADE")


def test_a_colour_after_stock_is_of_that_product() -> None:
    plan = follow_up("in red?", STOCK, LEXICON, REPLIES)
    assert plan is not None and plan.route == "inventory"
    assert plan.inventory[0]["sku"] == "POT" and "red" in plan.inventory[0]["question"]


def test_values_alone_narrow_the_list() -> None:
    known = Lexicon(values={"ceramic": frozenset({"material"}), "garden": frozenset({"use"})})
    plan = follow_up("ceramic, for the garden".replace("for the ", ""), LISTED, known, REPLIES)
    assert plan is not None and plan.recommend is not None and plan.recommend["refine"]


def test_a_product_s_word_is_no_city() -> None:
    words = Lexicon(vocabulary=frozenset({"duffel"}), is_city=lambda name: name in {"duffel", "oslo"})
    assert not words.is_place("the duffel")
    assert words.is_place("Oslo")


def test_price_and_stock_are_two_questions_about_one_product() -> None:
    plan = follow_up("What does the Clay Pot cost and do you have it in Lyon?", Memory(), LEXICON, REPLIES)
    assert plan is not None and [task["sku"] for task in plan.inventory] == ["POT", "POT"]
    assert [task["city"] for task in plan.inventory] == [None, "Lyon"]


@pytest.mark.parametrize("text", ["online?", "right. online then?", "is it available online"])
def test_online_is_a_store(text: str) -> None:
    plan = follow_up(text, STOCK, LEXICON, REPLIES)
    assert plan is not None and plan.route == "inventory" and plan.inventory[0]["sku"] == "POT"


@pytest.mark.parametrize("text", ["sizes?", "and the price?", "what about the weight"])
def test_one_bare_fact_is_of_what_we_spoke_of(text: str) -> None:
    plan = follow_up(text, LISTED, LEXICON, REPLIES)
    assert plan is not None and (plan.reply, plan.skus) == ("details", ("POT",))


def test_a_service_is_known_by_its_words() -> None:
    words = Lexicon(services=frozenset({"tool hire"}))
    memory = Memory(focus={"store_id": "L1", "city": "Lyon"}, last_route="inventory")
    plan = follow_up("can I hire a tool there?", memory, words, REPLIES)
    assert plan is not None and plan.inventory[0]["question"] == "Do you have tool hire?"
    assert plan.inventory[0]["store_id"] == "L1"


@pytest.mark.parametrize(
    "text",
    [
        "hmm what if I went up to 80?",
        "I could stretch to 90 euros",
        "my brother is coming too, so for two",
        "then for 4",
    ],
)
def test_more_money_or_more_people_change_the_last_wish(text: str) -> None:
    plan = follow_up(text, LISTED, LEXICON, REPLIES)
    assert plan is not None and plan.recommend is not None and plan.recommend["refine"]


@pytest.mark.parametrize("text", ["M in Berlin", "16, Berlin", "and size S in Berlin?"])
def test_a_size_beside_a_place_is_about_what_we_spoke_of(text: str) -> None:
    memory = Memory(shown=LISTED.shown, focus={"sku": "POT", "name": "Clay Pot"}, last_route="supervisor")
    plan = follow_up(text, memory, LEXICON, REPLIES)
    assert plan is not None and plan.route == "inventory"
    (task,) = plan.inventory
    assert (task["sku"], (task["city"] or "").casefold()) == ("POT", "berlin")
    assert (task["size"] or "").casefold() in {"m", "s", "16"}


@pytest.mark.parametrize("text", ["what other cities have at least 20?", "which stores have 5"])
def test_a_quantity_names_no_product(text: str) -> None:
    plan = follow_up(text, STOCK, LEXICON, REPLIES)
    assert plan is not None and plan.route == "inventory"
    assert [(task["sku"], task["city"]) for task in plan.inventory] == [("POT", None)]


def test_the_most_of_one_product_is_asked_of_its_kind() -> None:
    named = Memory(shown=LISTED.shown[:1], focus=LISTED.focus, last_route="supervisor")
    plan = follow_up("which is lightest?", named, LEXICON, REPLIES)
    assert plan is not None and plan.recommend is not None
    assert (plan.recommend["text"], plan.recommend["refine"]) == ("Pots: which is lightest?", False)
    wished = Memory(shown=LISTED.shown[:1], focus=LISTED.focus, parsed=LISTED.parsed, last_route="recommendation")
    plan = follow_up("which is lightest?", wished, LEXICON, REPLIES)
    assert plan is not None and plan.recommend is not None and plan.recommend["refine"]


@pytest.mark.parametrize(
    "text", ["what sells out this week?", "what will run out by Friday", "which items are running low"]
)
def test_a_question_about_the_shop_is_not_about_the_product(text: str) -> None:
    plan = follow_up(text, Memory(shown=LISTED.shown, focus=LISTED.focus, last_route="supervisor"), LEXICON, REPLIES)
    assert plan is None or plan.reply != "details"


def test_a_service_in_other_words_and_in_another_place() -> None:
    lexicon = replace(LEXICON, services=frozenset({"pot hire"}))
    plan = follow_up("can I hire a pot in Berlin?", Memory(), lexicon, REPLIES)
    assert plan is not None and [task["question"] for task in plan.inventory] == ["Do you have pot hire in Berlin?"]
    after = Memory(focus={"city": "Berlin"}, last_text="can I hire a pot there?", last_route="inventory")
    plan = follow_up("and in Lyon?", after, lexicon, REPLIES)
    assert plan is not None and [task["question"] for task in plan.inventory] == ["Do you have pot hire in Lyon?"]
