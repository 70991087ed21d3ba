"""The stock of one product, at a place or everywhere: what ``POST /check-inventory`` reports."""

from dataclasses import dataclass

from shopfloor.tools.inventory import analysis, queries
from shopfloor.tools.inventory.outcome import Outcome, Shop, at, joined, km, labels, place, units, verb
from shopfloor.tools.inventory.parse import PlaceRef
from shopfloor.tools.inventory.queries import Narrowing, Product
from shopfloor.tools.inventory.snapshot import Store
from shopfloor.tools.schemas import Alternative, InventoryRequest, ProductRef, StockAnalysis, StoreStock

__all__ = ["Check", "Outcome", "check_product"]


@dataclass(frozen=True, slots=True)
class Check:
    """Facts and words of one check."""

    product: ProductRef
    available: bool
    total_quantity: int
    stores: list[StoreStock]
    analysis: StockAnalysis
    alternatives: list[Alternative]
    text: str


def check_product(shop: Shop, sku: str, request: InventoryRequest, here: PlaceRef | None) -> Check:
    """Check a product that exists. Reads the database: call it on a worker thread."""
    product = queries.product(shop.connection, sku)
    assert product is not None, "callers resolve the SKU first"
    narrowing = _narrowing(shop, sku, request)
    stock = shop.stock(sku, narrowing)
    point = _point(shop, request, here)
    asked = [shop.store(store_id) for store_id in here.store_ids] if here is not None else []
    stores = _stores(shop, stock, asked, point)
    total = sum(stock.values())
    best = max((stock.get(store.store_id, 0) for store in asked), default=total if not asked else 0)
    local = best if asked else (total if here is None else 0)
    rates = analysis.sales_rates(shop.connection, sku=sku)
    available = local >= request.quantity
    similar: list[Alternative] = []
    if local < request.quantity:
        only = asked[0].store_id if len(asked) == 1 else None
        similar = analysis.alternatives(shop.connection, product, store_id=only)
    return Check(
        product=ProductRef(sku=sku, name=product.name, price=product.price, currency=product.currency),
        available=available,
        total_quantity=total,
        stores=stores,
        analysis=analysis.analyse(total, rates.get(sku), shop.settings),
        alternatives=similar,
        text=_text(shop, product, request, here, asked, stock, stores, similar),
    )


def _narrowing(shop: Shop, sku: str, request: InventoryRequest) -> Narrowing:
    """The variant meant: by its own id, or by size where the shop counts sizes."""
    counted = queries.counts_variants(shop.connection, sku)
    if not counted:
        return Narrowing()
    ids = {variant.item_id.casefold(): variant.item_id for variant in queries.variants(shop.connection, sku)}
    item_id = ids.get(request.product_id.casefold()) if request.product_id.casefold() != sku.casefold() else None
    return Narrowing(size=request.size, item_id=item_id)


def _point(shop: Shop, request: InventoryRequest, here: PlaceRef | None) -> tuple[float, float] | None:
    location = request.location_context
    if location is not None and location.latitude is not None and location.longitude is not None:
        return location.latitude, location.longitude
    if here is None:
        return None
    if here.place is not None:
        return here.place.latitude, here.place.longitude
    for store_id in here.store_ids:
        store = shop.store(store_id)
        if store.latitude is not None and store.longitude is not None:
            return store.latitude, store.longitude
    return None


def _stores(
    shop: Shop, stock: dict[str, int], asked: list[Store], point: tuple[float, float] | None
) -> list[StoreStock]:
    """The stores asked for, then every other that carries the product, nearest first where a point is known."""

    def entry(store: Store) -> StoreStock:
        distance = store.km_from(*point) if point is not None else None
        return StoreStock(
            store_id=store.store_id, name=store.name, city=store.city, quantity=stock.get(store.store_id, 0),
            distance_km=round(distance, 1) if distance is not None else None,
        )  # fmt: skip

    first = [entry(store) for store in asked]
    rest = [entry(shop.store(store_id)) for store_id in stock if all(store.store_id != store_id for store in asked)]
    if point is not None:
        rest.sort(key=lambda item: item.distance_km if item.distance_km is not None else 1e9)
    return first + rest


def _text(
    shop: Shop, product: Product, request: InventoryRequest, here: PlaceRef | None, asked: list[Store],
    stock: dict[str, int], stores: list[StoreStock], similar: list[Alternative],
) -> str:  # fmt: skip
    said = f" in size {request.size}" if request.size and queries.counts_variants(shop.connection, product.sku) else ""
    name = f"{product.name}{said}"
    wanted = request.quantity
    if here is not None and not asked:
        city = here.place.name if here.place is not None else here.text
        near = next((item for item in stores if item.quantity >= wanted and item.distance_km is not None), None)
        if near is None:
            return f"We have no store in {city}, and no other store has the {name} at the moment." + _instead(similar)
        return (
            f"We have no store in {city}. The nearest with the {name} is {place(shop.store(near.store_id))},"
            f" {km(near.distance_km)}, with {units(near.quantity)}."
        )
    if asked:
        return _at_stores(shop, name, wanted, asked, stock, stores, similar)
    total = sum(stock.values())
    having = [shop.store(store_id) for store_id, quantity in stock.items() if quantity > 0]
    if not having:
        return f"Sorry, the {name} {verb(name, 'is', 'are')} out of stock everywhere." + _instead(similar)
    where = joined(labels(having), 6)
    short = f" That is fewer than the {wanted} you want." if total < wanted else ""
    return f"We have {units(total)} of the {name} in all, in {len(having)} of our stores: {where}.{short}"


def _at_stores(
    shop: Shop, name: str, wanted: int, asked: list[Store], stock: dict[str, int], stores: list[StoreStock],
    similar: list[Alternative],
) -> str:  # fmt: skip
    having = [store for store in asked if stock.get(store.store_id, 0) >= wanted]
    if having:
        said = joined(f"{units(stock[store.store_id])} {at(store)}" for store in having)
        return (
            f"Yes, there are {said} of the {name}."
            if len(having) > 1
            else (f"Yes, {at(having[0])} we have {units(stock[having[0].store_id])} of the {name}.")
        )
    held = sum(stock.get(store.store_id, 0) for store in asked)
    where = at(asked[0]) if len(asked) == 1 else f"in {asked[0].label}"
    text = (
        f"Sorry, the {name} {verb(name, 'is', 'are')} not in stock {where}."
        if held == 0
        else (f"Sorry, {where} there is not enough of the {name}: {units(held)}, not {wanted}.")
    )
    ids = {store.store_id for store in asked}
    near = next((item for item in stores if item.store_id not in ids and item.quantity >= wanted), None)
    if near is None:
        return text + _instead(similar)
    away = f", {km(near.distance_km)}" if near.distance_km is not None else ""
    return f"{text} The nearest with stock is {place(shop.store(near.store_id))}{away}: {units(near.quantity)}."


def _instead(similar: list[Alternative]) -> str:
    return f" You could have {joined((item.name for item in similar), last='or')} instead." if similar else ""
