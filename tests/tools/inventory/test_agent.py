"""The agent over the garden shop: every number equals the database's; what is unknown or ambiguous is said or asked."""

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from itertools import product as pairs
from pathlib import Path

import pytest

from shopfloor.errors import NotFoundError
from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.check_text import stray_numbers
from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.places import Gazetteer, load_gazetteer, places_path
from shopfloor.tools.schemas import InventoryRequest, LocationContext
from tests.tools.inventory.test_parse import WORDINGS

CITIES = {"Munich": "2", "Lyon": "3", "São Paulo": "6", "online": "1"}


def _rows(path: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


async def test_every_product_in_every_store(agent: InventoryAgent, shop_path: Path) -> None:
    products = _rows(shop_path, "SELECT sku, name FROM products")
    for (sku, name), (city, store) in pairs(products, CITIES.items()):
        held = _rows(shop_path, "SELECT sum(quantity) FROM stock WHERE sku = ? AND store_id = ?", sku, store)[0][0]
        answer = await agent.answer(f"How many {name} are in stock {city if city == 'online' else f'in {city}'}?")
        assert answer.status == "answered"
        assert answer.structured["quantity"] == (held or 0)
        assert answer.structured["carried"] is (held is not None)
        assert answer.product is not None and answer.product.sku == sku
        assert stray_numbers(answer, "") == []


async def test_totals(agent: InventoryAgent, shop_path: Path) -> None:
    for sku, name in _rows(shop_path, "SELECT sku, name FROM products"):
        total = _rows(shop_path, "SELECT coalesce(sum(quantity), 0) FROM stock WHERE sku = ?", sku)[0][0]
        answer = await agent.answer(f"What is the total stock of {name} over all stores?")
        assert answer.structured["total_quantity"] == total


@pytest.mark.parametrize("question", [row[0] for row in WORDINGS])
async def test_no_number_but_from_the_facts(agent: InventoryAgent, question: str) -> None:
    answer = await agent.answer(question)
    assert answer.answer
    assert stray_numbers(answer, question) == []


@pytest.mark.parametrize(
    ("question", "option"),
    [
        ("is the spade in Munich?", "Border Spade"),
        ("how many flower pots are left in total, the flower pot?", "Clay Flower Pot"),
    ],
)
async def test_ambiguous_asks_with_options(agent: InventoryAgent, question: str, option: str) -> None:
    answer = await agent.answer(question)
    assert answer.status == "ask"
    assert option in answer.options
    assert option in answer.answer


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("do you have a chainsaw in Munich?", "unknown_product"),
        ("how many purple lawnmowers are at the Lyon store?", "unknown_product"),
        ("is GT-9999 in stock?", "unknown_product"),
        ("border spade in Paris?", "unknown_store"),
        ("how many border spades at the Helsinki store?", "unknown_store"),
        ("is the border spade in stock in Qwertzville?", "unknown_store"),
    ],
)
async def test_unknown_is_said(agent: InventoryAgent, question: str, intent: str) -> None:
    answer = await agent.answer(question)
    assert (answer.status, answer.intent) == ("unknown", intent)
    assert answer.structured["error"] == intent
    assert "quantity" not in answer.structured


async def test_a_city_without_a_store_gets_the_nearest(agent: InventoryAgent) -> None:
    answer = await agent.answer("border spade in Paris?")
    assert answer.options[0] == "Lyon"
    assert "Lyon" in answer.answer and "km" in answer.answer


@pytest.mark.parametrize(
    "question",
    [
        "border spade in Munich'; DROP TABLE stock; --",
        'border spade" OR 1=1 -- in Munich',
        "' UNION SELECT * FROM meta --",
        "border spade in Munich%' OR '%'='",
    ],
)
async def test_what_looks_like_sql_is_only_text(agent: InventoryAgent, shop_path: Path, question: str) -> None:
    before = _rows(shop_path, "SELECT count(*), sum(quantity) FROM stock")
    answer = await agent.answer(question)
    assert answer.answer
    assert _rows(shop_path, "SELECT count(*), sum(quantity) FROM stock") == before


async def test_size_and_colour(agent: InventoryAgent) -> None:
    medium = await agent.answer("gardening gloves in size M in Munich?")
    assert (medium.structured["quantity"], medium.slots["size"]) == (0, "M")
    large = await agent.answer("is it there in large?", InventoryContext(sku="GT-4001", store_id="2"))
    assert large.structured["quantity"] == 6
    wrong = await agent.answer("gardening gloves in size M, in red, in Munich")
    assert wrong.structured["in_stock"] is False


async def test_cover_and_reorder_point(agent: InventoryAgent) -> None:
    cover = await agent.answer("how many days of cover does the long handled spade have in Munich?")
    assert cover.structured["days_of_cover"] == 5.0  # 5 spades, one sold a day; the cancelled 500 do not count
    point = await agent.answer("what is the reorder point of the long handled spade in Munich?")
    assert point.structured["reorder_point"] == 7  # a steady spade a day for a lead time of seven days
    soon = await agent.answer("what will sell out this week in Munich?")
    assert soon.structured["skus"] == ["GT-1001"]


async def test_transfer(agent: InventoryAgent) -> None:
    answer = await agent.answer("which store should send stock to Lyon?")
    transfers = answer.structured["transfers"]
    assert isinstance(transfers, list) and transfers
    assert all(isinstance(item, dict) and item["to_store"] == 3 for item in transfers)


async def test_check(agent: InventoryAgent) -> None:
    everywhere = await agent.check(InventoryRequest(product_id="gt-1001"))
    assert (everywhere.total_quantity, everywhere.available) == (19, True)
    munich = await agent.check(
        InventoryRequest(product_id="GT-1001", quantity=6, location_context=LocationContext(city="München"))
    )
    assert (munich.available, munich.stores[0].store_id, munich.stores[0].quantity) == (False, "2", 5)
    near = await agent.check(InventoryRequest(product_id="GT-1001", location_context=LocationContext(city="Augsburg")))
    assert near.stores[0].store_id == "2" and near.stores[0].distance_km is not None
    assert "no store in Augsburg" in near.answer
    out = await agent.check(InventoryRequest(product_id="GT-5002"))
    assert out.analysis.status == "out"
    assert [item.sku for item in out.alternatives] == ["GT-5001"]
    medium = await agent.check(InventoryRequest(product_id="GT-4001", size="M"))
    assert medium.total_quantity == 3


@pytest.mark.parametrize(
    ("request_", "code", "match"),
    [
        (InventoryRequest(product_id="GT-1009"), "unknown_sku", "GT-1001"),
        (InventoryRequest(product_id="GT-1001", location_context=LocationContext(store_id="99")), "unknown_store", "1"),
        (InventoryRequest(product_id="GT-1001", location_context=LocationContext(city="Lyonnn")), None, None),
        (
            InventoryRequest(product_id="GT-1001", location_context=LocationContext(city="Xqzptown")),
            "unknown_city",
            None,
        ),
    ],
)
async def test_check_not_found(
    agent: InventoryAgent, request_: InventoryRequest, code: str | None, match: str | None
) -> None:
    if code is None:
        assert (await agent.check(request_)).stores[0].store_id == "3"
        return
    with pytest.raises(NotFoundError) as caught:
        await agent.check(request_)
    assert caught.value.code == code
    assert match is None or match in caught.value.matches


async def test_place_names_do_not_stall_the_loop(database: Database, tmp_path: Path) -> None:
    agent = InventoryAgent(database, None, Settings(data=tmp_path))
    gaps: list[float] = []

    async def beat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - before)

    beating = asyncio.create_task(beat())
    await agent.warm()
    beating.cancel()
    assert max(gaps) < 0.25 * sum(gaps)  # read in this process, they would hold the interpreter for most of the time
    assert places_path(tmp_path / "models").is_file()


async def test_a_question_that_needs_no_place_names_does_not_wait_for_them(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = threading.Event()

    def slow(folder: Path | None = None) -> Gazetteer:
        assert ready.wait(20)
        return load_gazetteer()

    monkeypatch.setattr("shopfloor.tools.inventory.agent.load_gazetteer", slow)
    agent = InventoryAgent(database, None, Settings(data=tmp_path))
    answer = await asyncio.wait_for(agent.answer("How many GT-1002 are in Lyon?"), 5)
    assert answer.structured["quantity"] == 7
    waiting = asyncio.create_task(agent.answer("How many GT-1002 are in Paris?"))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    ready.set()
    assert (await waiting).options[0] == "Lyon"


async def test_many_at_once(agent: InventoryAgent) -> None:
    answers = await asyncio.gather(*(agent.answer("border spade in Lyon?") for _ in range(20)))
    assert [answer.structured["quantity"] for answer in answers] == [7] * 20


async def test_new_stock_is_seen_at_once(tmp_path: Path, gazetteer: object) -> None:
    from tests.tools.inventory.conftest import make_shop

    assert isinstance(gazetteer, Gazetteer)
    path = make_shop(tmp_path / "own.db")
    async with Database(path) as database:
        agent = InventoryAgent(database, None, Settings(), gazetteer=gazetteer)
        assert (await agent.answer("border spade in Lyon?")).structured["quantity"] == 7
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE stock SET quantity = 70 WHERE store_id = '3' AND sku = 'GT-1002'")
            connection.execute("UPDATE products SET name = 'Edging Spade' WHERE sku = 'GT-1002'")
            connection.execute("UPDATE meta SET value = '2' WHERE key = 'revision'")
            connection.commit()
        assert (await agent.answer("edging spade in Lyon?")).structured["quantity"] == 70


async def test_a_kind_of_product_in_a_size(agent: InventoryAgent) -> None:
    answer = await agent.answer("which gloves do you have in size M in Lyon?")
    assert answer.structured["quantities"] == {"GT-4001": 3}
    assert (await agent.answer("which gloves do you have in size M in Munich?")).structured["count"] == 0


async def test_all_stores_of_a_city_at_once(agent: InventoryAgent) -> None:
    spade = await agent.answer("is the long handled spade in the Bristol store?")
    assert spade.status == "answered"
    assert (spade.slots["city"], spade.structured["quantity"]) == ("Bristol", 2)
    assert spade.structured["quantities"] == {"4": 2, "5": 0}
    assert "Bristol Harbourside has 2 and Bristol Clifton has none" in spade.answer
    can = await agent.answer("are there 8 watering cans in Bristol?")
    assert can.structured["answer"] is True and can.structured["store_ids"] == [5]
    none = await agent.answer("border spade in Bristol?")
    assert none.structured["in_stock"] is False and "Lyon" in none.answer
    hours = await agent.answer("when do you open in Bristol?")
    assert "Bristol Harbourside is open Mon-Sun 9-17." in hours.answer


@pytest.mark.parametrize(
    ("question", "intent", "said"),
    [
        ("what time does it open on saturday?", "hours_on_day", "open 9-14 on Saturday"),
        ("and the address?", "store_info", "Gartenweg 1"),
        ("what services does it have?", "store_services", "tool hire and delivery"),
        ("do they do tool hire?", "has_service", "offers tool hire"),
        ("is there parking?", "has_service", "don't say whether the Munich store has parking"),
        ("what are the opening hours?", "store_hours", "Mon-Fri 9-18"),
    ],
)
async def test_the_store_in_focus(agent: InventoryAgent, question: str, intent: str, said: str) -> None:
    answer = await agent.answer(question, InventoryContext(store_id="2"))
    assert (answer.status, answer.intent) == ("answered", intent)
    assert said in answer.answer


async def test_the_store_nearest_to_the_city_in_focus(agent: InventoryAgent) -> None:
    opens = await agent.answer("when does it open?", InventoryContext(city="Augsburg"))
    assert opens.structured["store_id"] == 2
    assert "no store in Augsburg" in opens.answer
    nearest = await agent.answer("which is the closest?", InventoryContext(city="Augsburg"))
    assert nearest.structured["store_id"] == 2


async def test_follow_ups_about_the_product_in_focus(agent: InventoryAgent) -> None:
    gloves = InventoryContext(sku="GT-4001")
    assert (await agent.answer("and M?", gloves)).structured["quantities"] == {"3": 3}
    assert (await agent.answer("and in Lyon?", gloves)).structured["quantity"] == 3
    assert (await agent.answer("how many in total?", gloves)).structured["total_quantity"] == 13
    reserved = await agent.answer("can you reserve it for me?", InventoryContext(sku="GT-1002", city="Lyon"))
    assert "can't reserve" in reserved.answer
