"""The history carries real structure: growth, seasons, baskets that belong together, sizes that come back."""

import math
from collections import Counter, defaultdict
from datetime import datetime
from itertools import combinations

from shopfloor.demo.catalogue import load_catalogue
from shopfloor.demo.params import load_params
from shopfloor.demo.shoppers import make_shoppers
from tests.demo.conftest import Shop


def lift(shop: Shop, one: str, other: str) -> float:
    """How many times more often two products share a basket than chance would have it."""
    baskets: dict[str, set[str]] = defaultdict(set)
    for item in shop.items:
        baskets[item["order_id"]].add(item["sku"])
    single: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for skus in baskets.values():
        single.update(skus)
        pairs.update(combinations(sorted(skus), 2))
    together = pairs[min(one, other), max(one, other)]
    assert together >= 10
    return together * len(baskets) / (single[one] * single[other])


def month_counts(shop: Shop, skus: set[str]) -> Counter[int]:
    at = {o["order_id"]: datetime.fromisoformat(o["ordered_at"]) for o in shop.orders}
    return Counter(at[i["order_id"]].month for i in shop.items if i["sku"] in skus)


def test_period_and_order(shop: Shop) -> None:
    params = load_params()
    times = [o["ordered_at"] for o in shop.orders]
    assert times == sorted(times)
    assert times[0][:7] == params.start.isoformat()[:7] and times[-1][:7] == params.end.isoformat()[:7]
    assert max(times)[:10] <= params.end.isoformat()
    assert (params.end - params.start).days > 540
    assert [o["order_id"] for o in shop.orders] == [str(10001 + n) for n in range(len(shop.orders))]


def test_the_shop_grows(shop: Shop) -> None:
    months = Counter(o["ordered_at"][:7] for o in shop.orders)
    first = sum(months[f"2025-{m:02d}"] for m in (5, 6, 7, 8, 9, 10))
    same_a_year_later = sum(months[f"2026-{m:02d}"] for m in (5, 6, 7, 8, 9, 10))
    assert same_a_year_later > 1.5 * first


def test_seasons_show(shop: Shop) -> None:
    # May to October lie in the period twice, so winter goods have to win against twice the time.
    winter = {
        p["sku"] for p in shop.products if p["season"] == "winter" and p["category"] in {"Coats", "Hats", "Gloves"}
    }
    summer = {p["sku"] for p in shop.products if p["season"] == "summer" and p["category"] in {"Dresses", "Trousers"}}
    cold, warm = month_counts(shop, winter), month_counts(shop, summer)
    assert sum(cold[m] for m in (11, 12, 1)) > 5 * sum(cold[m] for m in (5, 6, 7))
    assert sum(warm[m] for m in (5, 6, 7)) > 5 * sum(warm[m] for m in (11, 12, 1))


def test_things_that_belong_together_are_bought_together(shop: Shop) -> None:
    together = [
        ("SKU_TNT_01", "SKU_SLB_02"),
        ("SKU_SLB_02", "SKU_LMP_01"),
        ("SKU_JCK_12", "SKU_TRS_03"),
        ("SKU_JCK_11", "SKU_TRS_04"),
        ("SKU_SHO_02", "SKU_SCK_02"),
        ("SKU_KID_01", "SKU_KID_11"),
        ("SKU_JCK_02", "SKU_TRS_06"),
    ]
    for one, other in together:
        assert lift(shop, one, other) > 4, (one, other)


def test_trends_and_launches_show(shop: Shop) -> None:
    params = load_params()
    at = {o["order_id"]: o["ordered_at"][:10] for o in shop.orders}
    for sku, day in params.launches.items():
        days = [at[i["order_id"]] for i in shop.items if i["sku"] == sku]
        assert days and min(days) >= day.isoformat(), sku


def test_shoppers_have_tastes(shop: Shop) -> None:
    """What a shopper bought before says more about the next purchase than what is popular."""
    brand = {p["sku"]: p["brand"] for p in shop.products}
    user = {o["order_id"]: o["customer_id"] for o in shop.orders}
    bought: dict[str, list[str]] = defaultdict(list)
    overall: Counter[str] = Counter()
    for item in shop.items:
        bought[user[item["order_id"]]].append(brand[item["sku"]])
        overall[brand[item["sku"]]] += 1
    total = sum(overall.values())
    by_chance = sum((n / total) ** 2 for n in overall.values())
    same = [a == b for brands in bought.values() if len(brands) >= 6 for a, b in zip(brands, brands[2:], strict=False)]
    assert sum(same) / len(same) > 1.4 * by_chance


def test_shoes_that_run_small_come_back_more(shop: Shop) -> None:
    sold = Counter(i["sku"] for i in shop.items)
    back = Counter(r["sku"] for r in shop.returns)
    small = sum(back[s] for s in ("SKU_SHO_01", "SKU_SHO_02")) / sum(sold[s] for s in ("SKU_SHO_01", "SKU_SHO_02"))
    assert small > 3 * sum(back.values()) / sum(sold.values())
    assert 0.03 < sum(back.values()) / sum(sold.values()) < 0.15


def test_returns_follow_their_purchase(shop: Shop) -> None:
    lines = {(i["order_id"], i["item_id"]): int(i["quantity"]) for i in shop.items}
    orders = {o["order_id"]: o for o in shop.orders}
    for r in shop.returns:
        order = orders[r["invoice"]]
        assert r["event"] == "return" and order["status"] == "COMPLETE"
        assert r["user_id"] == order["customer_id"] and r["ts"] > order["ordered_at"]
        assert -lines[r["invoice"], r["item_id"]] == int(r["quantity"])


def test_ratings_are_stars_of_products_really_bought(shop: Shop) -> None:
    user = {o["order_id"]: o["customer_id"] for o in shop.orders if o["status"] == "COMPLETE"}
    bought = {(user[i["order_id"]], i["sku"]) for i in shop.items if i["order_id"] in user}
    stars = Counter(int(r["rating"]) for r in shop.ratings)
    assert set(stars) == {1, 2, 3, 4, 5}
    assert 3.7 < sum(k * n for k, n in stars.items()) / sum(stars.values()) < 4.6
    assert all((r["user_id"], r["sku"]) in bought for r in shop.ratings)


def test_prices_paid_are_list_or_sale_prices(shop: Shop) -> None:
    price = {v["item_id"]: float(v["price"]) for v in shop.variants}
    month = {o["order_id"]: int(o["ordered_at"][5:7]) for o in shop.orders}
    sale = load_params().sale
    off_list = 0
    for i in shop.items:
        paid, full = float(i["unit_price"]), price[i["item_id"]]
        reduced = math.isclose(paid, full * (1 - sale.discount), abs_tol=0.006)
        assert math.isclose(paid, full) or reduced
        off_list += reduced and month[i["order_id"]] in sale.months
    assert off_list > 100


def test_shoppers_are_made_alike_for_the_simulation(shop: Shop) -> None:
    """The simulation needs the very shoppers of the history, not others like them."""
    catalogue = load_catalogue()
    brands = sorted({p.brand for p in catalogue.products})
    colours = sorted({c for p in catalogue.products for c in p.colours})
    shoppers = make_shoppers(load_params(), brands, colours)
    known = {s.user_id: s for s in shoppers}
    assert shoppers == make_shoppers(load_params(), brands, colours)
    assert {o["customer_id"] for o in shop.orders} <= set(known)
    assert all(o["ordered_at"][:10] >= known[o["customer_id"]].joined.isoformat() for o in shop.orders)
