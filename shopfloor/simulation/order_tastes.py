"""Tastes of a shop's own customers, fitted from the later part of its orders; the service is given the earlier part."""

import csv
import json
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from shopfloor.errors import InputError
from shopfloor.simulation.scene import Need, Person
from shopfloor.store.database import connect
from shopfloor.store.importer.run import import_shop

LATER_SHARE = 0.3
FEWEST_CUSTOMERS = 20
FULL, LIKE_OWN, POPULAR = 1.0, 0.5, 0.4
_BOUGHT = "event = 'purchase' AND user_id IS NOT NULL AND coalesce(status, '') NOT IN ('CANCELLED', 'REFUNDED')"


@dataclass(frozen=True, slots=True)
class Split:
    """The two parts of a history: the time that parts them, and how many events lie on each side."""

    at: str
    earlier: int
    later: int


class OrderTastes:
    """Customers want what they later bought, like what resembles it, and a little what everybody buys."""

    def __init__(self, bought: Mapping[str, Sequence[str]], kinds: Mapping[str, str], returned: Counter[str]) -> None:
        self._bought = bought
        self._kinds = kinds
        self._popular = Counter(sku for skus in bought.values() for sku in skus)
        self._top = {
            kind: max(count for sku, count in self._popular.items() if kinds[sku] == kind)
            for kind in {kinds[sku] for sku in self._popular}
        }
        self._returned = returned

    @property
    def people(self) -> Sequence[Person]:
        """Customers of the later part."""
        return [Person(user, "") for user in sorted(self._bought)]

    @property
    def disappointing(self) -> Mapping[str, float]:
        """Products by the share of buyers who sent them back."""
        return {
            sku: min(1.0, count / max(1, self._popular[sku]))
            for sku, count in self._returned.items()
            if self._popular[sku] >= 3
        }

    def need(self, person: Person, day: int, rng: Random) -> Need | None:
        """One of the customer's later purchases; the day makes no difference."""
        own = self._bought[person.user_id]
        target = rng.choice(own)
        kinds = Counter(self._kinds[sku] for sku in own)
        appeal = {
            sku: min(
                FULL,
                POPULAR * count / self._top[self._kinds[sku]]
                + LIKE_OWN * (kinds[self._kinds[sku]] / len(own))
                + (FULL if sku in own else 0.0),
            )
            for sku, count in self._popular.items()
        }
        return Need(target, appeal)


def split_shop(source: Path, folder: Path) -> tuple[Path, OrderTastes, Split]:
    """Part a shop's history in time: a database with the earlier part, and tastes fitted from the later one.

    Args:
        source: a shop's folder or database.
        folder: where the parted database is made (``shop.db``); made again each time, always the same.

    Raises:
        ImportRejectedError: ``source`` is no shop.
        InputError: its history is too small to part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole, earlier = folder / "whole.db", folder / "earlier"
    whole.unlink(missing_ok=True)
    import_shop(source, whole)
    with closing(connect(whole, read_only=True)) as connection:
        split = _split(connection)
        tastes = _fit(connection, split.at)
        if not earlier.is_dir():
            making = folder / ".earlier.part"
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            _export(connection, making, split.at)
            making.replace(earlier)
    whole.unlink()
    return earlier, tastes, split


def _split(connection: sqlite3.Connection) -> Split:
    times = [str(row[0]) for row in connection.execute(f"SELECT ts FROM events WHERE {_BOUGHT} ORDER BY ts")]
    if not times:
        raise InputError(
            "The shop has no orders of known customers: a simulation needs some to learn their tastes from."
        )
    at = times[int(len(times) * (1 - LATER_SHARE))]
    later = sum(one >= at for one in times)
    return Split(at, len(times) - later, later)


def _fit(connection: sqlite3.Connection, at: str) -> OrderTastes:
    kinds = {
        str(row["sku"]): str(row["category"] or row["name"].split()[-1]).lower()
        for row in connection.execute("SELECT sku, name, category FROM products WHERE active = 1")
    }
    bought: dict[str, list[str]] = defaultdict(list)
    rows = connection.execute(
        f"SELECT user_id, sku FROM events WHERE {_BOUGHT} AND ts >= ? ORDER BY ts, event_no", (at,)
    )
    for row in rows:
        if row["sku"] in kinds:
            bought[str(row["user_id"])].append(str(row["sku"]))
    if len(bought) < FEWEST_CUSTOMERS:
        raise InputError(
            f"Only {len(bought)} customers bought something in the later part of the history; {FEWEST_CUSTOMERS} are needed."
        )
    returned = Counter(
        str(row["sku"])
        for row in connection.execute("SELECT sku FROM events WHERE event = 'return' AND ts >= ?", (at,))
    )
    return OrderTastes(dict(bought), kinds, returned)


def _export(connection: sqlite3.Connection, folder: Path, at: str) -> None:
    """The shop as it was at that time, as files of a shop folder; reviews have no time, so they stay out."""
    products = connection.execute("SELECT * FROM products WHERE active = 1 ORDER BY product_no").fetchall()
    with (folder / "products.jsonl").open("w", encoding="utf-8") as file:
        for row in products:
            one = {name: row[name] for name in ("sku", "name", "category", "price", "currency", "description")}
            one |= {name: row[name] for name in ("sizes", "colour", "gender", "brand")}
            kept = {name: value for name, value in one.items() if value is not None}
            file.write(json.dumps(json.loads(row["attributes"]) | kept, ensure_ascii=False) + "\n")
    tables = {
        "variants": "SELECT v.item_id, v.sku AS product_id, p.name AS product, v.options,"
        " CASE v.available WHEN 1 THEN 'true' ELSE 'false' END AS available, v.price"
        " FROM variants v JOIN products p USING (sku) ORDER BY v.item_id",
        "stores": "SELECT store_id, name, city, country, address, latitude, longitude, type, state, zip, hours, services"
        " FROM stores ORDER BY store_id",
        "inventory": "SELECT store_id, sku, item_id, quantity FROM stock ORDER BY store_id, sku, item_id",
        "interactions": "SELECT ts, basket AS invoice, user_id, event, sku, item_id, quantity, price FROM events"
        f" WHERE ts < '{at}' AND coalesce(status, '') NOT IN ('CANCELLED', 'REFUNDED') ORDER BY event_no",
    }
    for name, query in tables.items():
        rows = connection.execute(query)
        header = [column[0] for column in rows.description]
        found = rows.fetchall()
        if not found:
            continue
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([["" if value is None else value for value in row] for row in found])
