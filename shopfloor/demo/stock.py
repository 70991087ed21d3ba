"""What each store carries, and how many units lie on its shelves on the last day."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from shopfloor.demo.catalogue import Catalogue, Product, Store, Variant
from shopfloor.demo.chance import poisson, stream
from shopfloor.demo.params import Params
from shopfloor.demo.taste import season_of


@dataclass(frozen=True)
class SoldLine:
    """As much of an order line as stock-keeping needs."""

    day: date
    store_id: str
    sku: str
    quantity: int


def assortments(params: Params, catalogue: Catalogue) -> dict[str, dict[str, tuple[Variant, ...]]]:
    """For each store, the products it carries and the variants of each. Withdrawn variants are nowhere."""
    rng = stream(params.seed, "assortment")
    return {store.store_id: _assortment(rng, params, catalogue, store) for store in catalogue.stores}


def _assortment(rng: Random, params: Params, catalogue: Catalogue, store: Store) -> dict[str, tuple[Variant, ...]]:
    extreme_sizes = params.assortment[store.type].extreme_sizes
    shares = {p.sku: _share(params, store, p) for p in catalogue.products}
    lucky = {p.sku for p in catalogue.products if rng.random() < shares[p.sku]}
    lucky |= set(params.always_carried.get(store.store_id, ())) | _missing_categories(params, catalogue, shares, lucky)
    carried: dict[str, tuple[Variant, ...]] = {}
    for product in catalogue.products:
        variants = _carried_variants(rng, extreme_sizes, product, catalogue.variants[product.sku])
        if product.sku in lucky and variants:
            carried[product.sku] = variants
    return carried


def _share(params: Params, store: Store, product: Product) -> float:
    """The chance that a store carries a product: by its type, its climate, and whether a tent fits in."""
    if store.type == "small" and product.kind in params.too_big_for_small_stores:
        return 0.0
    warmth = params.climates[params.cities[store.city].climate][product.warmth] if store.city else 1.0
    return params.assortment[store.type].share * min(1.0, warmth * 1.2)


def _missing_categories(params: Params, catalogue: Catalogue, shares: dict[str, float], lucky: set[str]) -> set[str]:
    """The most fitting product of each category that would otherwise be absent, unless none fits the place."""
    best: dict[str, str] = {}
    present = {p.category for p in catalogue.products if p.sku in lucky}
    for product in catalogue.products:
        fits = shares[product.sku] >= params.fill_category_above and product.category not in present
        if fits and shares[product.sku] > shares.get(best.get(product.category, ""), 0.0):
            best[product.category] = product.sku
    return set(best.values())


def _carried_variants(
    rng: Random, extreme_sizes: float, product: Product, variants: tuple[Variant, ...]
) -> tuple[Variant, ...]:
    """Middle sizes always, the outer ones by chance; the first colour always, the others mostly."""
    n = len(product.sizes)
    middle = set(product.sizes[n // 4 : n - n // 4])
    colours = {c for i, c in enumerate(product.colours) if rng.random() < (extreme_sizes + 0.2) or i == 0}
    outer = {s for s in product.sizes if rng.random() < extreme_sizes}
    sizes = middle | outer
    return tuple(v for v in variants if v.available and v.colour in colours and v.size in sizes)


def inventory(
    params: Params, catalogue: Catalogue, carried: dict[str, dict[str, tuple[Variant, ...]]], sold: list[SoldLine]
) -> list[tuple[str, str, str, int]]:
    """Rows (store_id, sku, item_id, quantity) on the evening of the last day.

    The buyer fills the shelves for about four months, fuller in the middle sizes, and keeps a token
    number of everything on the rail; some variants are sold out.
    """
    rng = stream(params.seed, "stock")
    expected = _four_months(params, sold)
    total: Counter[str] = Counter()
    for (_, sku), units in expected.items():
        total[sku] += units
    rows: list[tuple[str, str, str, int]] = []
    for store in catalogue.stores:
        rule = params.assortment[store.type]
        always = params.always_carried.get(store.store_id, ())
        for product in catalogue.products:
            variants = carried[store.store_id].get(product.sku, ())
            demand = 0.7 * expected[store.store_id, product.sku] + 0.3 * total[product.sku] / len(catalogue.stores)
            gone = 0.0 if product.sku in always else _sold_out_share(params, store, product)
            target = max(demand, rule.units * len(variants))
            for variant, share in zip(variants, _size_curve(product, variants), strict=True):
                quantity = 1 + poisson(rng, max(0.0, target * share * math.exp(rng.gauss(0.0, 0.4)) - 1.0))
                sold_out = rng.random() < gone
                rows.append((store.store_id, product.sku, variant.item_id, 0 if sold_out else quantity))
    return rows


def _sold_out_share(params: Params, store: Store, product: Product) -> float:
    """Goods of a season that is over, and not about to come, are sold off and not refilled."""
    south = bool(store.city) and params.cities[store.city].south
    seasons = {season_of(day, south) for day in (params.end, params.end + timedelta(days=90))} | {"all year"}
    return params.sold_out_share if seasons & set(product.seasons) else params.off_season_sold_out_share


def _four_months(params: Params, sold: list[SoldLine]) -> Counter[tuple[str, str]]:
    """Units to expect by store and SKU: the last 120 days, or the coming 120 a year ago if those sold more."""
    recent: Counter[tuple[str, str]] = Counter()
    year_ago: Counter[tuple[str, str]] = Counter()
    for line in sold:
        if line.day > params.end - timedelta(days=120):
            recent[line.store_id, line.sku] += line.quantity
        elif 0 <= (line.day - params.end).days + 365 < 120:
            year_ago[line.store_id, line.sku] += line.quantity
    return recent | year_ago


def _size_curve(product: Product, variants: tuple[Variant, ...]) -> list[float]:
    """The share of each variant; middle sizes get more, and all sum to 1."""
    centre = (len(product.sizes) - 1) / 2
    raw = [1.0 / (1.0 + 0.5 * abs(product.sizes.index(v.size) - centre)) for v in variants]
    total = sum(raw)
    return [value / total for value in raw]
