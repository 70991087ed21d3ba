"""A shop of another trade than the demo's: a pet shop of a dozen products, with requests in everyday words."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import Database
from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.query import RecommendQuery

PRODUCTS = """sku,name,category,price,currency,sizes,colour,animal,life_stage,material,description
D1,Kibble Puppy Lamb,Dog food,27.50,EUR,2 kg|10 kg,,dog,puppy,,For puppies up to 12 months
D2,Kibble Classic Chicken,Dog food,24.90,EUR,2 kg|12 kg,,dog,adult,,Complete dry food
C1,Pouch Tuna,Cat food,1.10,EUR,,,cat,adult,,
C2,Kitten Kibble Turkey,Cat food,17.50,EUR,,,cat,kitten,,
C3,Feather Wand,Cat toys,5.90,EUR,,red,cat,,,
D3,Squeaky Duck,Dog toys,6.50,EUR,,yellow,dog,,latex,
D4,Nylon Lead,Leads,11.00,EUR,1.2 m|5 m,red,dog,,nylon,
D5,Leather Lead,Leads,32.00,EUR,2 m,brown,dog,,leather,
D6,Dog Raincoat,Clothing,27.00,EUR,S|M|L,yellow,dog,,polyester,
C4,Wood Pellet Litter,Litter,9.90,EUR,,,cat,,,
C5,Pull-Out Litter Tray,Litter,27.00,EUR,,white,cat,,plastic,
F1,Goldfish Flakes,Aquatics,5.20,EUR,,,fish,,,
G1,Watering Can,Garden,12.00,EUR,5 l|9 l,green,,,metal,
G2,Lawn Seed,Garden,8.00,EUR,,,,,,
G3,Sunflower Seeds,Seeds,2.00,EUR,,,bird,,,
"""
STORES = """store_id,name,city,country,latitude,longitude,hours
1,Paws Berlin,Berlin,Germany,52.52,13.40,Mo-Fr 10-19; Sa 10-18; So closed
2,Paws Hamburg,Hamburg,Germany,53.55,10.00,Mo-Sa 10-19
"""
STOCK = (
    "store_id,sku,quantity\n"
    + "".join(f"1,{row.split(',')[0]},4\n" for row in PRODUCTS.splitlines()[1:-1])
    + "1,G3,0\n"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("paws")
    for name, text in (("products", PRODUCTS), ("stores", STORES), ("inventory", STOCK)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    data = tmp_path_factory.mktemp("data")
    return Settings(_env_file=None, data=data, shop=Path(folder))  # pyright: ignore[reportCallIssue]


@pytest_asyncio.fixture
async def catalogue(shop: Settings) -> AsyncIterator[Database]:
    async with Database(ensure_catalogue(shop)) as database:
        yield database


@pytest.mark.parametrize(
    ("text", "skus"),
    [
        ("food for my puppy", "D1"),
        ("wet food for cats", "C1 C2"),
        ("fish food", "F1"),
        ("a toy for my kitten", "C3"),
        ("a lead of 5 metres", "D4"),
        ("a lead, 2m", "D5"),
        ("leads, not red", "D5"),
        ("a warm coat for a dachshund", "D6"),
        ("litter tray", "C5"),
        ("wood pellet litter", "C4"),
        ("watering cans, 9 litres", "G1"),
        ("lawn seed", "G2"),
        ("I'd like a lead under a tenner", "D4"),
        ("a lead and a dog toy, 20 euros together", "D3 D4"),
    ],
)
async def test_requests_in_everyday_words(text: str, skus: str, catalogue: Database, shop: Settings) -> None:
    answer = await RecommendationAgent(catalogue, None, shop).recommend(RecommendQuery(text=text, count=5))
    assert sorted(item.sku for item in answer.items) == skus.split()


async def test_what_the_shop_does_not_have_is_said(catalogue: Database, shop: Settings) -> None:
    agent = RecommendationAgent(catalogue, None, shop)
    for text in ("parrot food", "a bicycle", "hovercraft"):
        answer = await agent.recommend(RecommendQuery(text=text, count=3))
        assert answer.note or not answer.items, text


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("what's out of stock in Berlin", "out_of_stock_at_store"),
        ("units on hand, Berlin", "units_at_store"),
        ("squeaky duck Toronto", "unknown_store"),
        ("are you open on Sunday in Berlin?", "hours_on_day"),
        ("which shops do you have in Germany", "stores_in_city"),
        ("pull out litter trays in Berlin", "stock_at_store"),
    ],
)
async def test_stock_questions(question: str, intent: str, catalogue: Database, shop: Settings) -> None:
    agent = InventoryAgent(catalogue, None, shop)
    await agent.warm()
    answer = await agent.answer(question, InventoryContext())
    assert answer.intent == intent
