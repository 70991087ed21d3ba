"""What a simulation plays on: the shop's products as its database has them, its shoppers, and what they want."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """A product. ``kind`` is how a shopper names such products: the category, or the name's last word."""

    sku: str
    name: str
    kind: str
    price: float | None
    colours: tuple[str, ...]
    sizes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A shopper."""

    user_id: str
    city: str


@dataclass(frozen=True, slots=True)
class Need:
    """What a shopper came for: one product they would take, and how much each product appeals to them (0 to 1)."""

    sku: str
    appeal: Mapping[str, float]


class Tastes(Protocol):
    """What shoppers like: hidden from everything but the simulation."""

    @property
    def people(self) -> Sequence[Person]:
        """All shoppers."""
        ...

    @property
    def disappointing(self) -> Mapping[str, float]:
        """Products that are worse than they look, by how much (0 to 1)."""
        ...

    def need(self, person: Person, day: int, rng: Random) -> Need | None:
        """What the shopper wants on that day of the simulation (1 is the first); None: nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Scene:
    """The stage: products by SKU, cities with a store, tastes, and the product that dishonest users praise."""

    items: Mapping[str, Item]
    cities: Sequence[str]
    tastes: Tastes

    @property
    def bad_product(self) -> str:
        """The product whose quality is worst."""
        bad = {sku: much for sku, much in self.tastes.disappointing.items() if sku in self.items}
        return max(bad, key=lambda sku: (bad[sku], sku)) if bad else min(self.items)


def read_items(connection: sqlite3.Connection) -> dict[str, Item]:
    """The active products of a catalogue, by SKU."""
    rows = connection.execute(
        """SELECT sku, name, category, coalesce(price, (SELECT min(price) FROM variants v WHERE v.sku = products.sku))
                  AS price, colour, sizes FROM products WHERE active = 1 ORDER BY sku"""
    )
    return {
        str(row["sku"]): Item(
            sku=str(row["sku"]),
            name=str(row["name"]),
            kind=str(row["category"] or row["name"].split()[-1]).lower(),
            price=row["price"],
            colours=_parts(row["colour"]),
            sizes=_parts(row["sizes"]),
        )
        for row in rows
    }


def read_cities(connection: sqlite3.Connection) -> list[str]:
    """Cities with a store."""
    rows = connection.execute("SELECT DISTINCT city FROM stores WHERE city IS NOT NULL AND city <> '' ORDER BY city")
    return [str(row["city"]) for row in rows]


def dump(value: object) -> str:
    """A value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _parts(joined: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (joined or "").split("|") if part.strip())
