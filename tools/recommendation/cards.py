"""Cards as the database has the products now, and why each is there."""

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import colour_words, size_labels

_WEIGHT = re.compile(r"weight_?(?P<unit>g|kg|lb|oz)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Stores that count: by id. Empty: all of them."""

    store_ids: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A product as the database has it now. ``stock`` counts the variants and stores that were asked for."""

    sku: str
    name: str
    category: str | None
    price: float | None
    currency: str
    description: str
    colours: tuple[str, ...]
    gender: str | None
    brand: str | None
    sizes: tuple[str, ...]
    rating_mean: float | None
    rating_count: int
    units_sold: int
    stock: int
    in_stock: bool
    attributes: dict[str, str] = field(default_factory=dict[str, str])


def load_facts(
    connection: sqlite3.Connection, skus: Sequence[str], parsed: ParsedRequest, place: Place, has_stock: bool
) -> dict[str, Facts]:
    """Read the products by SKU; those gone since are left out."""
    wanted = json.dumps(list(skus))
    rows = connection.execute(
        "SELECT sku, name, category, price, currency, description, colour, gender, brand, sizes, attributes,"
        " rating_mean, rating_count, units_sold FROM products WHERE active = 1"
        " AND sku IN (SELECT value FROM json_each(?))",
        (wanted,),
    ).fetchall()
    variants = _variants(connection, wanted)
    stock = _stock(connection, wanted, parsed, place, variants)
    return {str(row["sku"]): _facts(row, variants.get(str(row["sku"]), []), stock, parsed, has_stock) for row in rows}


def _variants(connection: sqlite3.Connection, skus: str) -> dict[str, list[sqlite3.Row]]:
    out: dict[str, list[sqlite3.Row]] = {}
    query = (
        "SELECT item_id, sku, size, colour, price, available FROM variants"
        " WHERE sku IN (SELECT value FROM json_each(?)) ORDER BY rowid"
    )
    for row in connection.execute(query, (skus,)):
        out.setdefault(str(row["sku"]), []).append(row)
    return out


def _meets(row: sqlite3.Row, parsed: ParsedRequest) -> bool:
    """Whether a variant is of the size and colour asked for (a variant that says nothing is)."""
    if parsed.sizes and row["size"] and not set(size_labels(str(row["size"]))) & set(parsed.sizes):
        return False
    colours = colour_words(str(row["colour"] or ""))
    return not (parsed.colours and colours) or any(
        set(colour.split()).issuperset(wanted.split()) for colour in colours for wanted in parsed.colours
    )


def _stock(
    connection: sqlite3.Connection,
    skus: str,
    parsed: ParsedRequest,
    place: Place,
    variants: dict[str, list[sqlite3.Row]],
) -> dict[str, int]:
    meets = {str(row["item_id"]): _meets(row, parsed) for group in variants.values() for row in group}
    query = "SELECT sku, item_id, store_id, quantity FROM stock WHERE sku IN (SELECT value FROM json_each(?))"
    out: dict[str, int] = {}
    stores = set(place.store_ids)
    for row in connection.execute(query, (skus,)):
        if stores and row["store_id"] not in stores:
            continue
        if row["item_id"] and not meets.get(str(row["item_id"]), True):
            continue
        out[str(row["sku"])] = out.get(str(row["sku"]), 0) + int(row["quantity"])
    return out


def _facts(
    row: sqlite3.Row, variants: list[sqlite3.Row], stock: dict[str, int], parsed: ParsedRequest, has_stock: bool
) -> Facts:
    sku = str(row["sku"])
    units = stock.get(sku, 0)
    on_sale = any(variant["available"] and _meets(variant, parsed) for variant in variants) if variants else True
    colours = [part.strip() for part in str(row["colour"] or "").split("|") if part.strip()]
    sizes = [part.strip() for part in str(row["sizes"] or "").split("|") if part.strip()]
    for variant in variants:
        if variant["colour"] and str(variant["colour"]) not in colours:
            colours.append(str(variant["colour"]))
        if variant["size"] and str(variant["size"]) not in sizes:
            sizes.append(str(variant["size"]))
    return Facts(
        sku=sku,
        name=str(row["name"]),
        category=row["category"],
        price=_variant_price(variants, row["price"], parsed),
        currency=str(row["currency"]),
        description=str(row["description"]),
        colours=tuple(colours),
        gender=row["gender"],
        brand=row["brand"],
        sizes=tuple(sizes),
        rating_mean=row["rating_mean"],
        rating_count=int(row["rating_count"]),
        units_sold=int(row["units_sold"]),
        stock=units,
        in_stock=(units > 0 if has_stock else True) and on_sale,
        attributes=_attributes(str(row["attributes"])),
    )


def _variant_price(variants: list[sqlite3.Row], own: float | None, parsed: ParsedRequest) -> float | None:
    """The product's own price where a variant that fits costs that, else the lowest of those that fit and are within the limits."""
    priced = [(v, own if v["price"] is None else float(v["price"])) for v in variants]
    told = [(v, price) for v, price in priced if price is not None]
    fitting = [price for v, price in told if v["available"] and _meets(v, parsed)]
    if own is not None and not fitting:
        return own
    prices = sorted(fitting or [price for _, price in told])
    low = parsed.price_min if parsed.price_min is not None else float("-inf")
    high = parsed.price_max if parsed.price_max is not None else float("inf")
    inside = [price for price in prices if low <= price <= high]
    return own if own in (inside or prices) else (inside or prices or [None])[0]


def _attributes(text: str) -> dict[str, str]:
    try:
        data: object = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(data, dict):
        return {}
    return {str(key): str(value) for key, value in data.items() if isinstance(value, str | int | float | bool)}  # type: ignore[reportUnknownVariableType,reportUnknownArgumentType]


def weight_of(facts: Facts) -> tuple[float, str] | None:
    """What a product weighs and in which unit, by an attribute such as ``weight_g``; None where the shop does not say."""
    for key, text in facts.attributes.items():
        found = _WEIGHT.fullmatch(key.replace(" ", "_"))
        if found is not None:
            try:
                return float(text), (found["unit"] or "").casefold()
            except ValueError:
                return None
    return None
