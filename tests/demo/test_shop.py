"""The demo shop as its owner would read it: complete, consistent, and nothing pointing nowhere."""

import json
import re
from collections import Counter, defaultdict

from tests.demo.conftest import Shop

WEATHER = {"", "water-resistant", "waterproof"}
WARMTH = {"", "light", "medium", "warm", "very warm"}
SEASONS = {"all year", "spring", "summer", "autumn", "winter"}


def test_counts(shop: Shop) -> None:
    assert 120 <= len(shop.products) <= 130
    assert len({p["category"] for p in shop.products}) >= 20
    assert len([s for s in shop.stores if s["city"]]) == 12
    assert [s["type"] for s in shop.stores if not s["city"]] == ["online"]
    assert 6_000 <= len(shop.items) <= 15_000
    assert 300 <= len({o["customer_id"] for o in shop.orders}) <= 1_000
    assert len(shop.ratings) > 1_000 and len(shop.returns) > 300


def test_every_product_is_complete(shop: Shop) -> None:
    for p in shop.products:
        assert re.fullmatch(r"SKU_[A-Z]{3}_\d\d", p["sku"])
        for column in ("name", "category", "description", "sizes", "colour", "gender", "brand", "material", "season"):
            assert p[column].strip() == p[column] != "", (p["sku"], column)
        assert re.fullmatch(r"\d+\.\d\d", p["price"]) and 5 < float(p["price"]) < 500
        assert p["currency"] == "EUR"
        assert p["gender"] in {"men", "women", "unisex", "kids"}
        assert p["weather"] in WEATHER and p["warmth"] in WARMTH
        assert set(p["season"].split("|")) <= SEASONS
        assert int(p["weight_g"]) > 0


def test_descriptions_are_two_sentences(shop: Shop) -> None:
    for p in shop.products:
        sentences = re.split(r"(?<=[.!?])\s+", p["description"])
        assert len(sentences) == 2, p["sku"]
        assert all(s[0].isupper() and s.endswith(".") and len(s.split()) >= 5 for s in sentences), p["sku"]


def test_names_and_descriptions_are_unique(shop: Shop) -> None:
    for column in ("sku", "name", "description"):
        twice = [v for v, n in Counter(p[column].lower() for p in shop.products).items() if n > 1]
        assert not twice


def test_claims_match_the_attributes(shop: Shop) -> None:
    for p in shop.products:
        text = p["description"].lower()
        assert ("waterproof" in text) == (p["weather"] == "waterproof"), p["sku"]
        if "insulated" in text and "not insulated" not in text and p["category"] != "Bottles":
            assert p["warmth"] in {"warm", "very warm"}, p["sku"]
        if match := re.search(r"(\d+)-litre", text):
            assert float(p["capacity_l"]) == float(match[1]), p["sku"]
        if match := re.search(r"down to (minus )?(\d+) degrees", text):
            assert float(p["comfort_c"]) == float(match[2]) * (-1 if match[1] else 1), p["sku"]
        if match := re.search(r"(\d+) lumens", text):
            assert p["lumens"] == match[1], p["sku"]
        for animal in ("merino", "cashmere", "silk", "linen", "leather"):
            if re.search(rf"\b(in|fine|soft|pure|thin) {animal}\b", text):
                assert animal in p["material"], (p["sku"], animal)


def test_sizes_suit_the_product(shop: Shop) -> None:
    for p in shop.products:
        sizes = p["sizes"].split("|")
        assert len(sizes) == len(set(sizes))
        if p["category"] in {"Shoes", "Boots"}:
            assert all(35 <= int(s) <= 47 for s in sizes), p["sku"]
        if p["category"] == "Kids shoes":
            assert all(20 <= int(s) <= 36 for s in sizes), p["sku"]
        if p["category"] == "Kids wear" and sizes[0].isdigit():
            assert all(92 <= int(s) <= 164 for s in sizes), p["sku"]
        assert (p["gender"] == "kids") == p["category"].startswith("Kids") or p["category"] == "Kids wear"
        assert bool(p["age_range"]) == (p["gender"] == "kids"), p["sku"]
        if p["gender"] == "women" and p["category"] not in {"Bags"}:
            assert "XXL" not in sizes


def test_the_first_jacket(shop: Shop) -> None:
    jacket = next(p for p in shop.products if p["sku"] == "SKU_JCK_01")
    assert jacket["colour"] == "blue" and jacket["category"] == "Jackets" and "casual" in jacket["name"].lower()
    delhi = {s["store_id"] for s in shop.stores if s["city"] == "Delhi"}
    rows = [r for r in shop.inventory if r["sku"] == "SKU_JCK_01" and r["store_id"] in delhi]
    assert sum(int(r["quantity"]) for r in rows) >= 3


def test_variants_cover_sizes_and_colours(shop: Shop) -> None:
    by_product: dict[str, list[dict[str, str]]] = defaultdict(list)
    for v in shop.variants:
        by_product[v["product_id"]].append(v)
    assert set(by_product) == {p["sku"] for p in shop.products}
    assert len({v["item_id"] for v in shop.variants}) == len(shop.variants)
    for p in shop.products:
        options = [json.loads(v["options"]) for v in by_product[p["sku"]]]
        wanted = {(s, c) for s in p["sizes"].split("|") for c in p["colour"].split("|")}
        assert {(o["size"], o["colour"]) for o in options} == wanted
        assert len(options) == len(wanted)
        prices = {float(v["price"]) for v in by_product[p["sku"]]}
        assert float(p["price"]) in prices and min(prices) > 0.8 * float(p["price"])
        assert all(v["product"] == p["name"] for v in by_product[p["sku"]])
    gone = [v for v in shop.variants if v["available"] == "false"]
    assert 0 < len(gone) < 0.05 * len(shop.variants)


def test_stores_are_where_they_say(shop: Shop) -> None:
    cities = Counter(s["city"] for s in shop.stores if s["city"])
    assert {"Delhi", "Berlin", "Tokyo"} <= set(cities)
    assert cities["Berlin"] == 2 and sum(n > 1 for n in cities.values()) == 1
    # A degree of latitude is 111 km: half of one keeps each store in its city.
    centres = {
        "Berlin": (52.52, 13.40), "Munich": (48.14, 11.58), "London": (51.51, -0.13), "Madrid": (40.42, -3.70),
        "Delhi": (28.61, 77.21), "Tokyo": (35.68, 139.69), "Sydney": (-33.87, 151.21), "Cape Town": (-33.92, 18.42),
        "New York": (40.71, -74.01), "Vancouver": (49.28, -123.12), "São Paulo": (-23.55, -46.63),
    }  # fmt: skip
    for s in shop.stores:
        if not s["city"]:
            assert s["latitude"] == s["longitude"] == s["address"] == ""
            continue
        latitude, longitude = centres[s["city"]]
        assert abs(float(s["latitude"]) - latitude) < 0.2 and abs(float(s["longitude"]) - longitude) < 0.2
        assert s["address"] and s["hours"] and s["services"] and s["country"]
    assert len({s["country"] for s in shop.stores if s["country"]}) >= 8


def test_nothing_points_nowhere(shop: Shop) -> None:
    stores = {s["store_id"] for s in shop.stores}
    item_sku = {v["item_id"]: v["product_id"] for v in shop.variants}
    orders = {o["order_id"]: o for o in shop.orders}
    assert len(orders) == len(shop.orders)
    for row in [*shop.inventory, *shop.items, *shop.returns]:
        assert item_sku[row["item_id"]] == row["sku"]
    assert {r["store_id"] for r in shop.inventory} == stores
    assert {o["store_id"] for o in shop.orders} <= stores
    assert {i["order_id"] for i in shop.items} == set(orders)
    assert len({(i["order_id"], i["line_no"]) for i in shop.items}) == len(shop.items)
    assert len({(r["store_id"], r["item_id"]) for r in shop.inventory}) == len(shop.inventory)
    assert {r["sku"] for r in shop.ratings} <= {p["sku"] for p in shop.products}
    assert {r["user_id"] for r in shop.ratings} <= {o["customer_id"] for o in shop.orders}
    assert len({(r["sku"], r["review_no"]) for r in shop.ratings}) == len(shop.ratings)


def test_inventory_has_gaps_zeros_and_low_stock(shop: Shop) -> None:
    quantities = [int(r["quantity"]) for r in shop.inventory]
    assert min(quantities) == 0 and max(quantities) < 200
    assert 0.05 < quantities.count(0) / len(quantities) < 0.25
    pairs = {(r["store_id"], r["item_id"]) for r in shop.inventory}
    assert 0.2 < len(pairs) / (len(shop.stores) * len(shop.variants)) < 0.7
    gone = {v["item_id"] for v in shop.variants if v["available"] == "false"}
    assert not gone & {r["item_id"] for r in shop.inventory}
    assert {r["sku"] for r in shop.inventory} == {p["sku"] for p in shop.products}
