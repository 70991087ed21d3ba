"""What the catalogue knows beyond the shop's own columns: sales, ratings, co-purchase, sizes and colours, the index."""

import json
import math
import sqlite3
from array import array
from collections.abc import Iterator

import numpy as np

from shopfloor.store.importer import values

NEIGHBOURS = 50
LARGEST_BASKET = 2_000
RATING_MEANS = ("mean_rating", "rating_mean", "average_rating", "avg_rating", "rating", "stars")
RATING_COUNTS = ("review_count", "rating_count", "ratings_count", "num_ratings", "num_reviews", "reviews", "ratings")
_ENDED_BADLY = ("cancel", "refund", "return", "fail", "void", "reject", "declin", "charge", "delet", "storn")


def derive(connection: sqlite3.Connection, currency: str) -> None:
    """Compute everything that follows from the imported rows, inside the caller's transaction."""
    connection.execute("UPDATE products SET currency = ? WHERE currency = ''", (currency,))
    _variants_to_products(connection)
    _sales(connection)
    _ratings(connection)
    _co_purchase(connection)
    connection.execute("INSERT INTO product_fts (product_fts) VALUES ('rebuild')")
    connection.execute("ANALYZE")


def undone_statuses(connection: sqlite3.Connection) -> list[str]:
    """Statuses of orders that did not stay bought (cancelled, refunded, …), as this shop writes them."""
    rows = connection.execute("SELECT DISTINCT status FROM events WHERE status IS NOT NULL")
    return [str(row[0]) for row in rows if str(row[0]).casefold().startswith(_ENDED_BADLY)]


def _variants_to_products(connection: sqlite3.Connection) -> None:
    connection.execute(
        """UPDATE products SET price = coalesce(
               (SELECT min(price) FROM variants WHERE variants.sku = products.sku AND available = 1),
               (SELECT min(price) FROM variants WHERE variants.sku = products.sku))
           WHERE price IS NULL"""
    )
    for column, variant_column, empty in (("sizes", "size", "sizes = ''"), ("colour", "colour", "colour IS NULL")):
        rows = connection.execute(
            f"""SELECT sku, variants.{variant_column} FROM variants JOIN products USING (sku)
                WHERE variants.{variant_column} IS NOT NULL AND products.{empty} ORDER BY variants.rowid"""
        )
        found: dict[str, dict[str, None]] = {}
        for sku, value in rows:
            found.setdefault(str(sku), {})[str(value)] = None
        connection.executemany(
            f"UPDATE products SET {column} = ? WHERE sku = ?",
            [("|".join(parts), sku) for sku, parts in found.items()],
        )


def _sales(connection: sqlite3.Connection) -> None:
    undone = undone_statuses(connection)
    places = ", ".join("?" for _ in undone)
    connection.execute("UPDATE products SET units_sold = 0, baskets = 0 WHERE units_sold <> 0 OR baskets <> 0")
    connection.execute(
        f"""UPDATE products SET units_sold = max(0, sold.units), baskets = sold.baskets
            FROM (SELECT sku, sum(quantity) AS units,
                         count(DISTINCT CASE WHEN event = 'purchase' THEN basket END) AS baskets
                  FROM events
                  WHERE event IN ('purchase', 'return') AND (status IS NULL OR status NOT IN ({places}))
                  GROUP BY sku) AS sold
            WHERE sold.sku = products.sku""",
        undone,
    )


def _ratings(connection: sqlite3.Connection) -> None:
    """Mean and number of a product's ratings; without any, what the shop's own columns say of them."""
    connection.execute("UPDATE products SET rating_mean = NULL, rating_count = 0 WHERE rating_count > 0")
    connection.execute(
        """UPDATE products SET rating_mean = rated.mean, rating_count = rated.number
           FROM (SELECT sku, avg(rating) AS mean, count(*) AS number FROM ratings GROUP BY sku) AS rated
           WHERE rated.sku = products.sku"""
    )
    rows = connection.execute("SELECT sku, attributes FROM products WHERE rating_count = 0 AND attributes <> '{}'")
    stated = [(*found, sku) for sku, attributes in rows if (found := _stated_rating(attributes)) is not None]
    connection.executemany("UPDATE products SET rating_mean = ?, rating_count = ? WHERE sku = ?", stated)


def _stated_rating(attributes: str) -> tuple[float, int] | None:
    found = {str(name).casefold().replace(" ", "_"): value for name, value in json.loads(attributes).items()}
    mean = next((found[name] for name in RATING_MEANS if name in found), None)
    number = next((found[name] for name in RATING_COUNTS if name in found), None)
    try:
        stated, times = values.measure(mean), values.count(number)
    except ValueError:
        return None
    return (stated, times) if stated is not None and stated >= 0 and times else None


def rating_scale(connection: sqlite3.Connection) -> float | None:
    """The top of the shop's rating scale: 5, 10 or 100 by its highest rating; None without ratings."""
    tops = connection.execute("SELECT max(rating) FROM ratings UNION ALL SELECT max(rating_mean) FROM products")
    known = [float(row[0]) for row in tops if row[0] is not None]
    if not known:
        return None
    top = max(known)
    return next((scale for scale in (5.0, 10.0, 100.0) if top <= scale), top)


def _co_purchase(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM co_purchase")
    undone = undone_statuses(connection)
    places = ", ".join("?" for _ in undone)
    rows = connection.execute(
        f"""SELECT DISTINCT basket, sku FROM events
            WHERE event = 'purchase' AND (status IS NULL OR status NOT IN ({places})) ORDER BY basket, sku""",
        undone,
    )
    baskets: dict[str, int] = {}
    products: dict[str, int] = {}
    flat = array("q")
    for basket, sku in rows:
        flat.append(baskets.setdefault(str(basket), len(baskets)))
        flat.append(products.setdefault(str(sku), len(products)))
    if not flat:
        return
    pairs = np.frombuffer(flat, dtype=np.int64).reshape(-1, 2)
    names = list(products)
    connection.executemany(
        "INSERT INTO co_purchase (sku, other, weight) VALUES (?, ?, ?)",
        ((names[left], names[right], weight) for left, right, weight in neighbours(pairs)),
    )


def neighbours(pairs: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> Iterator[tuple[int, int, float]]:
    """Each product's strongest neighbours: cosine of the baskets they share.

    Works product by product over lists of baskets, so memory grows with the events and not with products squared.

    Args:
        pairs: shape (n, 2): basket number, product number; distinct, sorted by basket.

    Yields:
        product, neighbour, weight in (0, 1]; at most 50 of a product, strongest first.
    """
    sizes = np.bincount(pairs[:, 0])
    pairs = pairs[sizes[pairs[:, 0]] <= LARGEST_BASKET]  # a stock transfer, not a shopper's basket
    if not len(pairs):
        return
    starts = np.searchsorted(pairs[:, 0], np.arange(len(sizes) + 1))
    in_basket = pairs[:, 1]
    by_product = np.argsort(in_basket, kind="stable")
    baskets = pairs[by_product, 0]
    number = int(in_basket.max()) + 1
    bought = np.bincount(in_basket, minlength=number)
    ends = np.cumsum(bought)
    for product in range(number):
        mine = baskets[ends[product] - bought[product] : ends[product]]
        if not len(mine):
            continue
        together = np.concatenate([in_basket[starts[basket] : starts[basket + 1]] for basket in mine])
        others, counts = np.unique(together, return_counts=True)
        weights = counts / np.sqrt(bought[others] * float(bought[product]))
        weights[others == product] = -math.inf
        order = np.lexsort((others, -weights))[:NEIGHBOURS]
        for index in order:
            if weights[index] > 0:
                yield product, int(others[index]), float(weights[index])
