"""What is said beside a product that is named, sizes without the word, and spans that lie ahead: the demo shop's rules."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import Database
from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.inventory.lexicon import FRAME, is_inflected


@pytest_asyncio.fixture
async def clothes(tmp_path: Path) -> AsyncIterator[InventoryAgent]:
    settings = Settings(_env_file=None, data=tmp_path)  # pyright: ignore[reportCallIssue]
    async with Database(ensure_catalogue(settings)) as catalogue:
        agent = InventoryAgent(catalogue, None, settings)
        await agent.warm()
        yield agent


ASKED = [
    ("ten Ledger Oxford Shirts for the women at the desk, London?", "at_least_n", "SKU_SHR_01"),
    ("which shop keeps the most Everyday Cotton T-Shirts? not the women ones", "top_store", "SKU_TSH_01"),
    ("Isbre Down Jacket in total, sorry, I mean the Isbre Down Jacket Women", "total_stock", "SKU_JCK_05"),
    ("who has Tempo Road Running Shoes for ladies", "stores_with_product", "SKU_SHO_02"),
    ("a dozen Spring Steel Bottles for an office in Tokyo", "at_least_n", "SKU_BTL_01"),
    ("Summit Hiking Boots Women: at this pace, when do we run dry", "days_of_cover", "SKU_BOT_02"),
    ("where should Tokyo get the Hearthside Family Tent from", "transfer", "SKU_TNT_03"),
    ("quay canvas trainers lisbon", "unknown_store", "SKU_SHO_04"),
]


@pytest.mark.parametrize(("question", "intent", "sku"), ASKED)
async def test_the_product_is_the_one_named(question: str, intent: str, sku: str, clothes: InventoryAgent) -> None:
    answer = await clothes.answer(question, InventoryContext())
    assert (answer.intent, answer.slots.get("sku")) == (intent, sku)


async def test_products_in_a_list_are_all_asked_about(clothes: InventoryAgent) -> None:
    for join in (" and ", " together with ", " + ", ", as well as "):
        answer = await clothes.answer(f"Croft Wool Beanie{join}Croft Wool Gloves in Munich?", InventoryContext())
        assert answer.slots.get("skus") == ["SKU_HAT_01", "SKU_GLV_01"], join


@pytest.mark.parametrize(
    "question", ["orchard summer dress tokyo 40", "Orchard Summer Dress, 40, how is Tokyo looking?"]
)
async def test_a_number_of_its_own_sizes_is_a_size(question: str, clothes: InventoryAgent) -> None:
    answer = await clothes.answer(question, InventoryContext())
    assert (answer.intent, answer.slots.get("size")) == ("stock_at_store", "40")


async def test_a_number_that_counts_is_none(clothes: InventoryAgent) -> None:
    answer = await clothes.answer("I need 40 Orchard Summer Dresses in Tokyo", InventoryContext())
    assert (answer.intent, answer.slots.get("n")) == ("at_least_n", 40)


async def test_what_does_not_last(clothes: InventoryAgent) -> None:
    answer = await clothes.answer("which items won't last the next 90 days at the current rate", InventoryContext())
    assert answer.intent == "sells_out_soon" and answer.structured["horizon_days"] == 90


def test_inflected_words_of_questions() -> None:
    assert is_inflected("sitting", FRAME) and is_inflected("stacked", FRAME)
    assert not is_inflected("blue", FRAME)
