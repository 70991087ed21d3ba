"""The messages the benchmarks send: a seeded mix of what shoppers ask, made from the shop's own catalogue."""

import random
import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """Message texts by the agent they are for."""

    recommendation: tuple[str, ...]
    inventory: tuple[str, ...]
    small_talk: tuple[str, ...] = ("hello", "thanks, bye", "who are you?")


ASKS = (
    "I need a {category} under {price:.0f}",
    "show me something like the {name}",
    "a {colour} {category} please",
    "looking for a present, maybe {category}",
    "do you have a good {category} that is not {colour}?",
)
STOCK = ("is the {name} in stock in {city}?", "how many {name} do you have?", "which stores have the {name}?")


def build_workload(connection: sqlite3.Connection, *, size: int, seed: int = 0) -> Workload:
    """Draw ``size`` messages for each agent; no two of one agent share a product."""
    random_ = random.Random(seed)
    products = connection.execute(
        "SELECT name, coalesce(category, name) AS category, coalesce(colour, 'blue') AS colour, "
        "coalesce(price, 20) AS price FROM products WHERE active = 1 ORDER BY sku"
    ).fetchall()
    cities = [
        row["city"] for row in connection.execute("SELECT city FROM stores WHERE city IS NOT NULL ORDER BY store_id")
    ]
    chosen = random_.sample(products, k=min(size, len(products)))

    def fill(pattern: str, row: sqlite3.Row) -> str:
        colour = str(row["colour"]).split("|")[0].lower()
        category = str(row["category"]).split("|")[0].lower()
        return pattern.format(
            name=row["name"],
            category=category,
            colour=colour,
            price=row["price"] * 1.5 + 1,
            city=random_.choice(cities or ["Berlin"]),
        )

    return Workload(
        recommendation=tuple(fill(ASKS[i % len(ASKS)], row) for i, row in enumerate(chosen)),
        inventory=tuple(fill(STOCK[i % len(STOCK)], row) for i, row in enumerate(chosen)),
    )
