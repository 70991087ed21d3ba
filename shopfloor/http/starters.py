"""Messages to begin a conversation with, made from what the shop sells and where, so that each has an answer."""

import math
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

STARTERS = 4
SHELVES = 6
READ_AT_MOST = 2_000
LONGEST_NAME = 48
LONGEST_CATEGORY = 28


@dataclass(frozen=True, slots=True)
class _Product:
    sku: str
    name: str
    category: str
    price: float | None
    colours: tuple[str, ...]
    sold: int


def starters(connection: sqlite3.Connection) -> list[str]:
    """At most four first messages: a category with a price, a product in a city, a favourite, a mixed wish."""
    products = _products(connection)
    by_shelf = _shelves(products)
    made: list[str | None] = []
    for at, shelf in enumerate(by_shelf[:2]):
        made.append(_coloured(shelf) if at == 0 else _priced(shelf))
    made.insert(1, _in_city(connection, products))
    if len(by_shelf) > 2:
        made.append(_mixed(connection, by_shelf[2]))
    if not by_shelf:
        made.extend(f"Something like {product.name}" for product in products[:3] if len(product.name) <= LONGEST_NAME)
    return list(dict.fromkeys(text for text in made if text))[:STARTERS]


def shelves(connection: sqlite3.Connection) -> list[str]:
    """The names of at most six categories, the one that brings in most first; empty where the shop has none."""
    return [
        shelf[0].category[:1].upper() + shelf[0].category[1:] for shelf in _shelves(_products(connection))[:SHELVES]
    ]


def _products(connection: sqlite3.Connection) -> list[_Product]:
    rows = connection.execute(
        """SELECT sku, name, category, price, colour, units_sold FROM products
           WHERE active = 1 ORDER BY units_sold DESC, sku LIMIT ?""",
        (READ_AT_MOST,),
    )
    return [
        _Product(
            sku=row["sku"],
            name=row["name"],
            category=_shelf_name(row["category"] or ""),
            price=row["price"],
            colours=tuple(part.strip() for part in (row["colour"] or "").split("|") if part.strip()),
            sold=row["units_sold"],
        )
        for row in rows
    ]


def _shelf_name(category: str) -> str:
    last = re.split(r"\s*[>/|]\s*", category.strip())[-1].strip()
    if len(last) > LONGEST_CATEGORY:
        return ""
    # "Camp kitchen" goes into a sentence in lower case, "USB hubs" and "TVs" do not.
    return last[:1].lower() + last[1:] if last[1:] == last[1:].lower() else last


def _shelves(products: Sequence[_Product]) -> list[list[_Product]]:
    """Products by category, the one that brings in most first."""
    by_name: dict[str, list[_Product]] = {}
    for product in products:
        if product.category:
            by_name.setdefault(product.category, []).append(product)
    full = [shelf for shelf in by_name.values() if len(shelf) > 1]
    return sorted(full, key=lambda shelf: -sum(product.sold * (product.price or 1.0) for product in shelf))


def _coloured(shelf: Sequence[_Product]) -> str | None:
    colours = Counter(colour.lower() for product in shelf for colour in product.colours if colour.isalpha())
    for colour, _ in colours.most_common(1):
        inside = [product for product in shelf if colour in {one.lower() for one in product.colours}]
        return _priced(inside, f"{colour} {shelf[0].category}")
    return _priced(shelf)


def _priced(shelf: Sequence[_Product], name: str | None = None) -> str | None:
    name = name or shelf[0].category
    prices = sorted(product.price for product in shelf if product.price)
    said = name[:1].upper() + name[1:]
    if not prices:
        return said
    limit = _round_up(prices[(len(prices) - 1) * 2 // 3])
    return f"{said} under {limit}"


def _in_city(connection: sqlite3.Connection, products: Sequence[_Product]) -> str | None:
    for product in products[:40]:
        if len(product.name) > LONGEST_NAME:
            continue
        city = _city_with(connection, product.sku)
        if city is not None:
            return f"Do you have the {product.name} in {city}?"
    return None


def _mixed(connection: sqlite3.Connection, shelf: Sequence[_Product]) -> str | None:
    city = _city_with(connection, shelf[0].sku)
    wish = _priced(shelf)
    return wish if city is None else f"{wish}, and is one in stock in {city}?"


def _city_with(connection: sqlite3.Connection, sku: str) -> str | None:
    row = connection.execute(
        """SELECT stores.city AS city FROM stock JOIN stores USING (store_id)
           WHERE stock.sku = ? AND stock.quantity > 0 AND stores.city IS NOT NULL AND stores.city <> ''
           GROUP BY stores.city ORDER BY sum(stock.quantity) DESC, stores.city LIMIT 1""",
        (sku,),
    ).fetchone()
    return None if row is None else str(row["city"])


def _round_up(price: float) -> int:
    """The next round amount above a price: 3 gives 5, 32.5 gives 35, 74.9 gives 75, 229 gives 250, 1,180 gives 1,500."""
    size = 10 ** math.floor(math.log10(max(price, 10.0)))
    step = size // 2 if size > 10 else 5
    return int(math.ceil((price + 0.01) / step) * step)
