"""What a message does in a conversation, where no rule tells: a garden shop, no model."""

from dataclasses import replace

import pytest

from shopfloor.graph.acting import contradicts, plan_of_act, stock_question, store_task
from shopfloor.graph.acts import read_act
from shopfloor.graph.conversation import follow_up, plan_route
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.plan import Plan, recommend_task, rule_plan
from shopfloor.graph.replies import load_replies
from shopfloor.graph.spelling import understood
from shopfloor.graph.state import Memory, ShownItem
from shopfloor.tools.schemas import Route, RouteInfo

REPLIES = load_replies()
LEXICON = Lexicon(
    shop_name="Pots & Plants",
    places=frozenset({"berlin", "cape town"}),
    colours=frozenset({"red", "blue"}),
    sizes=frozenset({"12", "14", "16", "m"}),
    product_words=frozenset({"pot", "spade", "glove", "hose"}),
    vocabulary=frozenset({"clay", "pot", "steel", "spade", "hose", "garden"}),
    values={"clay": frozenset({"material"}), "steel": frozenset({"material"})},
    names={"clay pot": "POT", "steel spade": "SPADE", "garden hose": "HOSE"},
    services=frozenset({"delivery van hire"}),
    is_city=lambda name: name in {"oslo", "bombay"},
)


def item(sku: str, name: str, price: float, **traits: str) -> ShownItem:
    return ShownItem(
        sku=sku,
        name=name,
        price=price,
        currency="EUR",
        colour="red",
        category="Pots",
        sizes=["12", "14"],
        traits=traits,
    )


LISTED = Memory(
    shown=(
        item("POT", "Clay Pot", 9.0, material="clay", weight_g="900"),
        item("TUB", "Oak Tub", 29.0, material="oak", weight_g="400"),
    ),
    focus={"sku": "POT", "name": "Clay Pot"},
    parsed={"text": "pots", "head": ["pot"]},
    last_route="recommendation",
    last_text="pots",
)
STOCK = replace(LISTED, focus={"sku": "POT", "name": "Clay Pot", "city": "Berlin"}, last_route="inventory")


def decide(text: str, memory: Memory, route: Route = "supervisor", confidence: float = 0.4) -> Plan:
    said = understood(text, LEXICON, REPLIES)
    reading = read_act(said, LEXICON)
    info = RouteInfo(route=route, decided_by="local", confidence=confidence, reason="")
    plan = follow_up(said, memory, LEXICON, REPLIES, reading)
    plan = plan or plan_of_act(reading, info, said, memory, LEXICON, REPLIES)
    return plan or plan_route(said, info, memory, LEXICON, REPLIES)


@pytest.mark.parametrize(
    "text", ["wonderful, that's all I needed", "great, I'll pop in on Friday", "haha, fair enough"]
)
def test_a_word_of_goodbye_gets_no_list(text: str) -> None:
    assert decide(text, LISTED, "recommendation").recommend is None
    assert decide(text, LISTED, "recommendation").reply in {"thanks", "bye"}


@pytest.mark.parametrize(
    "text", ["she loves gardening", "it's for my grandmother", "I can only spend 20 euros", "he is allergic to rubber"]
)
def test_what_is_said_of_a_person_or_a_budget_changes_the_last_wish(text: str) -> None:
    plan = decide(text, LISTED)
    assert plan.recommend is not None and plan.recommend["refine"]


@pytest.mark.parametrize(
    "text", ["M, Berlin?", "only two? then Berlin", "Bombay?", "would Berlin have the M though?", "berlin m"]
)
def test_a_place_and_a_size_are_about_the_stock(text: str) -> None:
    plan = decide(text, LISTED, "recommendation")
    assert [task["sku"] for task in plan.inventory] == ["POT"]
    assert plan.inventory[0]["city"]


def test_a_thing_and_a_place_alone_ask_for_its_stock() -> None:
    plan = decide("hose berlin", Memory(), "recommendation")
    assert [(task["sku"], task["city"]) for task in plan.inventory] == [("HOSE", "berlin")]


@pytest.mark.parametrize("text", ["what about a hose that can take frost", "gloves, size 12"])
def test_another_thing_is_a_new_wish(text: str) -> None:
    plan = decide(text, LISTED)
    assert plan.recommend is not None and not plan.inventory


@pytest.mark.parametrize(
    ("text", "sku"), [("the cheap one: what is it made of", "POT"), ("the light one", "TUB"), ("the oak one", "TUB")]
)
def test_an_adjective_or_a_material_points_at_what_is_shown(text: str, sku: str) -> None:
    assert decide(text, LISTED).skus == (sku,)


@pytest.mark.parametrize("text", ["Frost?", "lining?"])
def test_a_word_with_a_question_mark_asks_about_what_is_shown(text: str) -> None:
    assert decide(text, LISTED, "recommendation").reply == "details"


def test_a_city_of_two_words_is_found_with_a_slip() -> None:
    assert "Cape Town" in understood("stok in cap town", LEXICON, REPLIES)


def test_a_language_without_a_list_of_words_is_told_by_its_letters() -> None:
    assert decide("Dobrý den, hledám květináč", Memory(), "recommendation").reply == "language"


def test_a_question_about_stock_is_put_plainly() -> None:
    assert stock_question("fine, she wins. any of those in Berlin?", "Berlin", LEXICON) == "Is it in stock in Berlin?"
    assert stock_question("and how many did you say are there", None, LEXICON) == "How many are in stock?"
    assert stock_question("I'd take ten packs in Berlin", "Berlin", LEXICON) == "Are ten of it in stock in Berlin?"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("she takes 14", "she takes size 14"),
        ("14 and near Berlin", "Which store nearest to Berlin has it?"),
        ("Berlin shop, how many?", "How many are in stock in Berlin?"),
        ("I'd need four", "Are four of it in stock?"),
        ("is it in Berlin", "is it in Berlin"),
        ("and other shop which have?", "Which other stores have it in stock?"),
    ],
)
def test_a_stock_question_is_reworded_only_where_it_would_be_misread(text: str, question: str) -> None:
    assert [task["question"] for task in decide(text, STOCK, "inventory").inventory] == [question]


def test_a_doubt_of_the_shop_is_a_question() -> None:
    task = recommend_task("bet you don't have garden hoses either")
    assert task["text"] == "do you have garden hoses"


def test_another_thing_on_the_same_terms_keeps_them() -> None:
    memory = replace(LISTED, parsed={"text": "pots", "not_attributes": [["material", "clay"]], "price_max": 40.0})
    plan = decide("a hose on the same terms", memory)
    assert plan.recommend is not None and plan.recommend["text"] == "a hose, no clay, under 40"


def test_a_place_at_the_beginning_is_about_the_stock() -> None:
    assert [task["city"] for task in decide("in Berlin too or is that too much to ask", LISTED).inventory] == ["Berlin"]


def test_a_statement_is_no_question_and_an_insisting_one_is() -> None:
    assert decide("hm 329 euros is a lot", LISTED).recommend is not None
    assert decide("no, it costs 5", LISTED).reply == "details"


def test_what_was_bought_and_is_broken_is_the_staffs_and_stays_so() -> None:
    first = "I bought a hose last week and it has a hole"
    assert decide(first, Memory()).reply == "taking_back"
    assert decide("can you replace it", replace(LISTED, last_text=first)).reply == "taking_back"


def test_another_thing_keeps_what_was_wished() -> None:
    memory = replace(
        LISTED,
        last_text="for a woman",
        parsed={"text": "for a woman", "refines": True, "gender": "women", "price_max": 40.0},
    )
    plan = decide("a hose then", memory)
    assert plan.recommend is not None and plan.recommend["text"] == "hose, for women, under 40"


def test_which_one_does_then_is_about_the_service_asked_for() -> None:
    memory = replace(STOCK, last_text="do they do delivery van hire")
    assert store_task("which one does then", memory, LEXICON)["question"] == "Which stores have delivery van hire?"
    assert store_task("till what time are they there", STOCK, LEXICON)["question"] == "What are the opening hours?"


def test_a_rule_gives_way_only_to_a_plain_act() -> None:
    wish = rule_plan("recommendation", "", recommend=recommend_task("x", refine=True))
    assert contradicts(read_act("thank you so much, bye", LEXICON), wish, "thank you so much, bye")
    assert not contradicts(read_act("something cheaper", LEXICON), wish, "something cheaper")
