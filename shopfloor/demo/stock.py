"""What each store carries, and how many units lie on its shelves on the last day."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from shopfloor.demo.catalogue import Catalogue, Product, Store, Variant
from shopfloor.demo.chance import poisson, stream
from shopfloor.demo.params import Params


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
    rule = params.assortment[store.type]
    carried: dict[str, tuple[Variant, ...]] = {}
    for product in catalogue.products:
        warmth = params.climates[params.cities[store.city].climate][product.warmth] if store.city else 1.0
        share = rule.share * min(1.0, warmth * 1.2)
        if store.type == "small" and product.kind in params.too_big_for_small_stores:
            share = 0.0
        always = product.sku in params.always_carried.get(store.store_id, ())
        lucky = rng.random() < share
        variants = _carried_variants(rng, rule.extreme_sizes, product, catalogue.variants[product.sku])
        if (lucky or always) and variants:
            carried[product.sku] = variants
    return carried


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

    Shelves follow what sold in the last 120 days, fuller in the middle sizes; some variants are sold out.
    """
    rng = stream(params.seed, "stock")
    since = params.end - timedelta(days=120)
    recent: Counter[tuple[str, str]] = Counter()
    overall: Counter[str] = Counter()
    for line in sold:
        if line.day > since:
            recent[line.store_id, line.sku] += line.quantity
            overall[line.sku] += line.quantity
    rows: list[tuple[str, str, str, int]] = []
    stores = len(catalogue.stores)
    for store in catalogue.stores:
        units = params.assortment[store.type].units
        always = params.always_carried.get(store.store_id, ())
        for product in catalogue.products:
            variants = carried[store.store_id].get(product.sku, ())
            demand = 0.7 * recent[store.store_id, product.sku] + 0.3 * overall[product.sku] / stores
            gone = 0.0 if product.sku in always else params.sold_out_share
            # About four months of cover, and never fewer than a token number on the rail.
            target = max(demand, 0.55 * units * len(variants) ** 0.7)
            for variant, share in zip(variants, _size_curve(product, variants), strict=True):
                quantity = 0 if rng.random() < gone else poisson(rng, target * share)
                rows.append((store.store_id, product.sku, variant.item_id, quantity))
    return rows


def _size_curve(product: Product, variants: tuple[Variant, ...]) -> list[float]:
    """The share of each variant; middle sizes get more, and all sum to 1."""
    centre = (len(product.sizes) - 1) / 2
    raw = [1.0 / (1.0 + 0.5 * abs(product.sizes.index(v.size) - centre)) for v in variants]
    total = sum(raw)
    return [value / total for value in raw]
