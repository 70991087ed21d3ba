"""Questions of a garden shop: intents, products, places and quantities by a table of wordings."""

import pytest

from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.inventory.mentions import read_mentions
from shopfloor.tools.inventory.parse import Parsed, parse_question
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import stem
from shopfloor.tools.places import Gazetteer

WORDINGS: list[tuple[str, str, list[str], list[str]]] = [
    # question, intent, SKUs, first store of each place
    ("Do you have the border spade in Munich?", "stock_at_store", ["GT-1002"], ["2"]),
    ("border spade muenchen", "stock_at_store", ["GT-1002"], ["2"]),
    ("München: any border spades left?", "stock_at_store", ["GT-1002"], ["2"]),
    ("hi, is gt-1002 on the shelf at the Lyon branch", "stock_at_store", ["GT-1002"], ["3"]),
    ("Is the bordr spade avalable in Munich", "stock_at_store", ["GT-1002"], ["2"]),
    ("flower pot glazed, Sao Paulo?", "stock_at_store", ["GT-2002"], ["6"]),
    ("Could I order tomato seeds online?", "stock_at_store", ["GT-3001"], ["1"]),
    ("I need a dozen tomato seeds in Munich, are there enough?", "at_least_n", ["GT-3001"], ["2"]),
    ("Are at least 4 digging forks in Lyon?", "at_least_n", ["GT-1003"], ["3"]),
    ("two pairs of gardening gloves in Munich", "at_least_n", ["GT-4001"], ["2"]),
    ("Which shops carry the digging fork?", "stores_with_product", ["GT-1003"], []),
    ("where can I find sweet peas seeds", "stores_with_product", ["GT-3002"], []),
    ("how many tomato seeds do we have overall?", "total_stock", ["GT-3001"], []),
    ("Company-wide stock of the border spade?", "total_stock", ["GT-1002"], []),
    ("Lyon is sold out of border spades, which other store is closest?", "nearest_other_store", ["GT-1002"], ["3"]),
    ("nearest shop to 52.52, 13.405 with digging forks", "nearest_from_point", ["GT-1003"], []),
    ("I'm at lat 52.52, lon 13.405, who has digging forks nearby?", "nearest_from_point", ["GT-1003"], []),
    ("Has Munich or Lyon more clay flower pots?", "compare_stores", ["GT-2001"], ["2", "3"]),
    ("clay flower pot: Munich vs Lyon", "compare_stores", ["GT-2001"], ["2", "3"]),
    ("Which store has the most clay flower pots?", "top_store", ["GT-2001"], []),
    ("Are border spade and digging fork both at the Munich store?", "multi_product", ["GT-1002", "GT-1003"], ["2"]),
    ("sizes of the gardening gloves and how many in Munich?", "sizes_and_stock", ["GT-4001"], ["2"]),
    ("What is running low in Munich?", "low_stock_at_store", [], ["2"]),
    ("Items in Munich with 2 or fewer left", "low_stock_at_store", [], ["2"]),
    ("What has sold out in Lyon?", "out_of_stock_at_store", [], ["3"]),
    ("Which seeds are there in Munich?", "category_at_store", [], ["2"]),
    ("any pots in Lyon?", "category_at_store", [], ["3"]),
    ("How many units does Munich hold in total?", "units_at_store", [], ["2"]),
    ("Which products have fewer than 5 units in total?", "reorder_overall", [], []),
    ("How long will the long handled spade last in Munich?", "days_of_cover", ["GT-1001"], ["2"]),
    ("What is the reorder point of the long handled spade?", "reorder_point", ["GT-1001"], []),
    ("What sells out this week at this rate in Munich?", "sells_out_soon", [], ["2"]),
    ("Which store should send digging forks to Lyon?", "transfer", ["GT-1003"], ["3"]),
    ("Alternatives to the solar fountain?", "alternatives", ["GT-5002"], []),
    ("When does the Munich store open on Saturday?", "hours_on_day", [], ["2"]),
    ("Does Lyon offer tool hire?", "has_service", [], ["3"]),
    ("Which stores are in Bristol?", "stores_in_city", [], ["4"]),
    ("Which stores do you have in the UK?", "stores_in_city", [], ["4"]),
]


def _parse(question: str, names: ShopNames, gazetteer: Gazetteer, context: InventoryContext | None = None) -> Parsed:
    return parse_question(question, context or InventoryContext(), names, gazetteer)


@pytest.mark.parametrize(("question", "intent", "skus", "stores"), WORDINGS, ids=[row[0] for row in WORDINGS])
def test_wordings(
    question: str, intent: str, skus: list[str], stores: list[str], names: ShopNames, gazetteer: Gazetteer
) -> None:
    parsed = _parse(question, names, gazetteer)
    assert parsed.intent == intent
    assert [ref.sku for ref in parsed.products] == skus
    assert [ref.store_ids[0] for ref in parsed.places] == stores


@pytest.mark.parametrize(
    ("question", "amount"),
    [
        ("4 x border spade in Munich", 4),
        ("a dozen border spades in Munich", 12),
        ("half a dozen border spades in Munich", 6),
        ("a couple of border spades in Munich", 2),
        ("twenty-five border spades in Munich", 25),
        ("more than 3 border spades in Munich", 4),
        ("no fewer than 3 border spades in Munich", 3),
        ("watering can 9 L in Munich", None),
    ],
)
def test_quantities(question: str, amount: int | None, names: ShopNames, gazetteer: Gazetteer) -> None:
    assert _parse(question, names, gazetteer).amount == amount


@pytest.mark.parametrize(
    ("question", "threshold"),
    [
        ("items in Munich with 3 or fewer", 3),
        ("items in Munich with no more than 3", 3),
        ("items in Munich with fewer than 3", 2),
        ("items under 3 units across all stores", 3),
        ("items with at most 3 units across all stores", 4),
    ],
)
def test_thresholds(question: str, threshold: int, names: ShopNames, gazetteer: Gazetteer) -> None:
    assert _parse(question, names, gazetteer).threshold == threshold


@pytest.mark.parametrize(
    ("name", "stores"),
    [
        ("Munich", ["2"]),
        ("München", ["2"]),
        ("MUENCHEN", ["2"]),
        ("Munchen", ["2"]),
        ("Munihc", ["2"]),
        ("São Paulo", ["6"]),
        ("Sao Paolo", ["6"]),
        ("Bristol Clifton", ["5"]),
        ("Clifton", ["5"]),
        ("Bristol", ["4", "5"]),
    ],
)
def test_names_of_a_city(name: str, stores: list[str], names: ShopNames, gazetteer: Gazetteer) -> None:
    mentions = read_mentions(f"border spade in {name}", names, gazetteer)
    assert [sorted(place.store_ids) for place in mentions.places] == [stores]


def test_context_fills_what_is_left_open(names: ShopNames, gazetteer: Gazetteer) -> None:
    context = InventoryContext(sku="GT-1001", shown=("GT-2001", "GT-1002"))
    assert [ref.sku for ref in _parse("do you have it in Lyon?", names, gazetteer, context).products] == ["GT-1001"]
    assert [ref.sku for ref in _parse("is the second one in Lyon?", names, gazetteer, context).products] == ["GT-1002"]
    assert _parse("what is sold out in Lyon?", names, gazetteer, context).intent == "out_of_stock_at_store"


@pytest.mark.parametrize("text", ["", "   ", "?!", "hello", "tell me a joke", "\x00", "a" * 4000, "🙂 " * 50])
def test_what_is_no_stock_question(text: str, names: ShopNames, gazetteer: Gazetteer) -> None:
    parsed = _parse(text, names, gazetteer)
    assert not parsed.places
    assert all(ref.sku is None for ref in parsed.products)


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("Women's", "women"),
        ("womens", "women"),
        ("dresses", "dress"),
        ("batteries", "battery"),
        ("scarves", "scarf"),
        ("glass", "glass"),
        ("Bus", "bus"),
        ("café", "cafe"),
        ("pajamas", "pyjama"),
    ],
)
def test_stem(word: str, plain: str) -> None:
    assert stem(word) == plain
