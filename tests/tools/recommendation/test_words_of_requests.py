"""Measures, words written apart or together, words around the thing, and what stands for the same: over small shops of other trades."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.settings import Settings
from shopfloor.store.database import Database, connect
from shopfloor.store.importer import import_shop
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.ages import read_age
from shopfloor.tools.recommendation.measures import Measure, labels_within, read_measures
from shopfloor.tools.recommendation.prices import read_prices
from shopfloor.tools.recommendation.query import RecommendQuery
from shopfloor.tools.recommendation.snapshot import Snapshot, load_snapshot
from shopfloor.tools.recommendation.vocabulary import Vocabulary, build_vocabulary

COLUMNS = "sku,name,category,price,currency,brand,colour,voltage,weight_kg,diet,age,description"
ROWS = """\
T1,Bolten Cordless Drill 12V,Drills,79,EUR,Bolten,blue,12 V,1.2,,,
T2,Kraftig Cordless Drill 18V,Drills,129,EUR,Kraftig,red,18 V,1.9,,,
T3,Kraftig Hammer Drill,Drills,89,EUR,Kraftig,,,2.6,,,
T4,Bolten Claw Hammer,,19.5,EUR,Bolten,,,0.45,,,
T5,Adjustable Wrench,,22,EUR,Hexa,,,,,,
T6,Wall Paint White 10 L,Paint,49,EUR,,white,,,,,
T7,Wall Paint White 2.5 L,Paint,19,EUR,,white,,,,,
G1,Whole Milk 1 L,Dairy,1.2,EUR,,,,,vegetarian,,
G2,Lactose Free Milk 1 L,Dairy,1.6,EUR,,,,,vegetarian,,
G3,Chocolate Ice Cream,Frozen,4.5,EUR,,,,,vegetarian,,
G7,Mango Sorbet,Frozen,4.9,EUR,,,,,vegan,,
G4,Candle Gold,,0.4,EUR,,,,,,,
G5,Scented Candle Vanilla,,1.5,EUR,,,,,,,
G6,Candl Set,,3,EUR,,,,,,,
K1,Floral Teapot,,12,EUR,,,,,,,
K2,Trinket Pot,,3,EUR,,,,,,,
K3,Tea Time Mug,,4,EUR,,,,,,,
K4,Ceramic Mug,,4,EUR,,,,,,,
K5,Paper Cup,,1,EUR,,,,,,,
P1,Trail Day Pack,,60,EUR,,,,,,,
P2,Kids Backpack,,30,EUR,,,,,,3-9 years,
P3,Lunch Bag Skulls,,2,EUR,,,,,,,
P4,Jumbo Bag Red,,2,EUR,,red,,,,,
P5,Kitchen Apron,,6,EUR,,,,,,,
P6,Childrens Apron Dolly,,3,EUR,,,,,,,
P7,Pack Of 6 Paper Plates,,1,EUR,,,,,,,
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "products.csv").write_text(f"{COLUMNS}\n{ROWS}")
    import_shop(folder, folder / "shop.db")
    return folder / "shop.db"


@pytest.fixture(scope="module")
def words(small: Path) -> tuple[Snapshot, Vocabulary]:
    with closing(connect(small, read_only=True)) as connection:
        snapshot = load_snapshot(connection)
    return snapshot, build_vocabulary(snapshot)


async def answer(shop: Path, text: str, tmp_path: Path, **query: object) -> tuple[list[str], str]:
    async with Database(shop) as catalogue:
        agent = RecommendationAgent(catalogue, None, Settings(data=tmp_path))
        found = await agent.recommend(RecommendQuery(text=text, count=10, **query))  # pyright: ignore[reportArgumentType]
    return [item.sku for item in found.items], found.note


@pytest.mark.parametrize(
    ("text", "skus"),
    [
        ("cordless drill 18v", ["T2"]),
        ("a drill lighter than 2 kg", ["T1", "T2"]),
        ("drill at least 2kg", ["T3"]),
        ("white paint 10 litres", ["T6"]),
        ("paint, max 3 l", ["T7"]),
        ("hammer", ["T4"]),
        ("spanner", ["T5"]),
        ("milk without lactose", ["G2"]),
        ("candels", ["G4", "G5"]),
        ("candles under 50p", ["G4"]),
        ("vanilla candle", ["G5"]),
        ("candle, vanilla", ["G5"]),
        ("tea pot", ["K1"]),
        ("ceramic cups", ["K4"]),
        ("daypack", ["P1", "P2"]),
        ("a rucksack for my son (7)", ["P2"]),
        ("bags with skulls on them", ["P3"]),
        ("jumbo bag", ["P4"]),
        ("apron for children", ["P6"]),
        ("apron for grown ups", ["P5"]),
        ("non-cordless drill", ["T3"]),
        ("bag but not for lunch", ["P4"]),
        ("cordless drill under a hundred", ["T1"]),
    ],
)
async def test_answers_of_other_trades(small: Path, tmp_path: Path, text: str, skus: Sequence[str]) -> None:
    found, note = await answer(small, text, tmp_path)
    assert sorted(found) == sorted(skus)
    assert not note


async def test_what_is_not_there_is_said(small: Path, tmp_path: Path) -> None:
    for text in ("a laptop", "vegan ice cream", "drill 48v", "pink drill", "gold mug"):
        assert (await answer(small, text, tmp_path))[1], text


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("at least 25 litres", Measure("volume", 25.0, None)),
        ("under 400 g", Measure("weight", None, 400.0)),
        ("1.5 kg or less", Measure("weight", None, 1500.0)),
        ("brighter than 300 lumens", Measure("light", 300.0, None)),
        ("2,5 kg and more", Measure("weight", 2500.0, None)),
    ],
)
def test_measures(text: str, measure: Measure) -> None:
    assert read_measures(text, {})[0] == (measure,)


def test_a_size_of_the_shop_is_no_measure() -> None:
    assert read_measures("poles 120 cm", {"120": ()}) == ((), "poles 120 cm")
    (measure,), _ = read_measures("poles 120 cm", {"120 cm": ()})
    assert labels_within(measure, ["110 cm", "120 cm", "1.2 m", "4 ft", "xl"]) == ("120 cm", "1.2 m", "4 ft")
    assert read_measures("for 120 euros in size 42", {})[0] == ()


@pytest.mark.parametrize(
    ("text", "high"), [("cards under 40p", 0.4), ("less than 70 pence", 0.7), ("max 80eur", 80.0), ("under 40", 40.0)]
)
def test_prices_in_small_change_and_written_together(text: str, high: float) -> None:
    assert read_prices(text).high == high


@pytest.mark.parametrize(("text", "age"), [("my son (12) needs", 12), ("my grandson turned 8, he", 8), ("my daughter 5", 5), ("girl, 146 cm", None)])  # fmt: skip
def test_ages_beside_a_person(text: str, age: int | None) -> None:
    assert read_age(text)[0] == age


@pytest.mark.parametrize(
    ("typed", "meant"), [("candel", "candle"), ("wrnech", "wrench"), ("drlil", "drill"), ("boat", None), ("xyz", None)]
)
def test_spelling(words: tuple[Snapshot, Vocabulary], typed: str, meant: str | None) -> None:
    assert words[1].nearest(typed) == meant


async def test_another_thing_for_the_same_person(demo_path: Path, tmp_path: Path) -> None:
    async with Database(demo_path) as catalogue:
        agent = RecommendationAgent(catalogue, None, Settings(data=tmp_path))
        before = await agent.recommend(RecommendQuery(text="white t-shirt for men size L"))
        shown = tuple(item.sku for item in before.items)
        after = await agent.recommend(
            RecommendQuery("actually make that a shirt", 10, shown=shown, previous=before.parsed)
        )
        assert {item.category for item in after.items} == {"Shirts"}
        assert after.parsed.sizes == ("l",) and after.parsed.gender == "men" and after.parsed.colours == ("white",)
        tie = await agent.recommend(RecommendQuery(text="silk tie in navy"))
        other = await agent.recommend(
            RecommendQuery("any other colour?", shown=(tie.items[0].sku,), previous=tie.parsed)
        )
        assert [item.sku for item in other.items] == ["SKU_ACC_04"]


async def test_what_somebody_likes_outweighs_what_is_sold_as_a_gift(demo_path: Path, tmp_path: Path) -> None:
    async with Database(demo_path) as catalogue:
        agent = RecommendationAgent(catalogue, None, Settings(data=tmp_path))
        liked = await agent.recommend(RecommendQuery(text="a gift for my dad, he likes cooking outdoors, max 60"))
        assert liked.items[0].name == "Ember Cook Set for Two"
        plain = await agent.recommend(RecommendQuery(text="a gift for my mum under 40", count=5))
        with closing(connect(demo_path, read_only=True)) as connection:
            gifts = {
                row["sku"]
                for row in connection.execute("SELECT sku FROM products WHERE attributes LIKE '%gift%' AND active = 1")
            }
        assert {item.sku for item in plain.items} <= gifts


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Variants that cost less than the product says, and a thing that only stands before another."""
    folder = tmp_path_factory.mktemp("varied")
    (folder / "products.csv").write_text(
        "sku,name,category,price,currency\nL1,Oak Lamp,Lamps,50,EUR\nL2,Brass Lamp,Lamps,60,EUR\n"
        "M1,Cow Fridge Magnet,,2,EUR\nM2,Fridge Magnets Fruit,,2,EUR\nM3,Owl Fridge Magnet,,2,EUR\n"
        "S1,Small Round Mirror,,9,EUR\nS2,Tray Small,,4,EUR\nS3,Box Small,,4,EUR\nS4,Oval Mirror,,8,EUR\n"
    )
    (folder / "variants.csv").write_text(
        "item_id,product_id,product,options,available,price\n"
        'L1-S,L1,Oak Lamp,"{""size"": ""S""}",true,38\nL1-L,L1,Oak Lamp,"{""size"": ""L""}",true,50\n'
        'L2-S,L2,Brass Lamp,"{""size"": ""S""}",false,30\nL2-L,L2,Brass Lamp,"{""size"": ""L""}",true,\n'
    )
    import_shop(folder, folder / "shop.db")
    return folder / "shop.db"


async def test_a_cheaper_variant_counts_where_it_is_for_sale(varied: Path, tmp_path: Path) -> None:
    async with Database(varied) as catalogue:
        agent = RecommendationAgent(catalogue, None, Settings(data=tmp_path))
        under = await agent.recommend(RecommendQuery(text="lamps under 40"))
        assert [(item.sku, item.price) for item in under.items] == [("L1", 38.0)]
        anything = await agent.recommend(RecommendQuery(text="lamps"))
        assert {(item.sku, item.price) for item in anything.items} == {("L1", 50.0), ("L2", 60.0)}


async def test_what_only_stands_before_another_thing_is_not_sold(varied: Path, tmp_path: Path) -> None:
    skus, note = await answer(varied, "a retro fridge", tmp_path)
    assert "no fridge" in note
    skus, note = await answer(varied, "fridge magnets", tmp_path)
    assert set(skus) == {"M1", "M2", "M3"} and not note
    skus, _ = await answer(varied, "a small mirror", tmp_path)
    assert skus == ["S1"]
