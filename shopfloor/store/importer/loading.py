"""Writes the rows of each table into the catalogue, inside the import's one transaction.

Each function takes its rows from :meth:`Load.records`, checks them against what is there (is the product known, is
the key new in this file) and updates what was imported before.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from shopfloor.store.importer import values
from shopfloor.store.importer.mapping import Plan, Record, read_record
from shopfloor.store.importer.readers import BadRow, Source
from shopfloor.store.importer.report import FileReport, IssueLog, Progress
from shopfloor.store.importer.tables import Value

PROGRESS_ROWS = 5_000
SIZE_OPTIONS = frozenset({"size", "sizes", "taille", "größe", "grösse", "talla", "taglia", "maat"})
COLOUR_OPTIONS = frozenset({"colour", "color", "colours", "colors", "farbe", "couleur"})


@dataclass(slots=True)
class Load:
    """One import's state: the catalogue's keys so far, the log and the counts."""

    connection: sqlite3.Connection
    log: IssueLog
    progress: Progress | None = None
    files: list[FileReport] = field(default_factory=list[FileReport])
    skus: set[str] = field(default_factory=set[str])
    items: dict[str, str] = field(default_factory=dict[str, str])
    stores: set[str] = field(default_factory=set[str])
    currencies: Counter[str] = field(default_factory=Counter[str])

    def read_keys(self) -> None:
        """Take over the keys that the catalogue holds already."""
        rows = self.connection.execute
        self.skus = {str(row[0]) for row in rows("SELECT sku FROM products")}
        self.items = {str(row[0]): str(row[1]) for row in rows("SELECT item_id, sku FROM variants")}
        self.stores = {str(row[0]) for row in rows("SELECT store_id FROM stores")}

    def records(self, plan: Plan, source: Source, file: FileReport) -> Iterator[tuple[int, Record]]:
        """The rows that read well, with their lines; the others go to the log."""
        self.files.append(file)
        finds_currency = plan.price_index is not None and "currency" not in plan.present
        self._report(file, source.total)
        for row in source.rows():
            file.read += 1
            if file.read % PROGRESS_ROWS == 0:
                self._report(file, source.total)
            if isinstance(row, BadRow):
                self.log.reject(file, row.line, row.reason)
                continue
            record = read_record(plan, row, file, self.log)
            if record is None:
                continue
            if finds_currency and plan.price_index is not None:
                code = values.currency_of(row.cells[plan.price_index])
                if code is not None:
                    record["currency"] = code
            yield row.line, record
        file.imported = file.read - file.rejected
        self._report(file, file.read)

    def product_of(self, record: Record) -> tuple[str, str] | str:
        """The (sku, item_id) a row means, by its ``sku`` and ``item_id``; or the reason why there is none."""
        sku, item = record.get("sku"), record.get("item_id")
        if item is not None:
            owner = self.items.get(str(item))
            if owner is None:
                return f"item_id '{item}' is not a known variant"
            if sku is not None and str(sku) not in (owner, str(item)):
                return f"item_id '{item}' belongs to '{owner}', not to '{sku}'"
            return owner, str(item)
        if sku is None:
            return "sku is missing"
        if sku in self.skus:
            return str(sku), ""
        owner = self.items.get(str(sku))
        return f"sku '{sku}' is not a known product" if owner is None else (owner, str(sku))

    def _report(self, file: FileReport, total: int | None) -> None:
        if self.progress is not None:
            self.progress(file.file, file.read, total)


@dataclass(slots=True)
class Once:
    """Refuses a key that the same file has given before."""

    load: Load
    file: FileReport
    lines: dict[object, int] = field(default_factory=dict[object, int])

    def is_new(self, key: object, line: int, shown: str) -> bool:
        """Whether ``key`` is met for the first time; otherwise the row is rejected."""
        first = self.lines.setdefault(key, line)
        if first != line:
            self.load.log.reject(self.file, line, f"{shown} is there already, on line {first}; the first one is kept")
        return first == line


def load_stores(load: Load, plan: Plan, source: Source, file: FileReport) -> None:
    """Stores by their id. Coordinates that can't be are left out, the store stays."""
    once = Once(load, file)
    columns = _columns(plan, {"services": "", "attributes": "{}"})

    def rows() -> Iterator[Sequence[Value]]:
        for line, record in load.records(plan, source, file):
            store_id = str(record["store_id"])
            if not once.is_new(store_id, line, f"store_id '{store_id}'"):
                continue
            problem = _coordinates_problem(record)
            if problem:
                record["latitude"] = record["longitude"] = None
                load.log.change(file, line, f"{problem}; the store is kept without coordinates")
            load.stores.add(store_id)
            yield _cells(record, columns)

    _upsert(load, "stores", columns, ("store_id",), rows())


def load_products(load: Load, plan: Plan, source: Source, file: FileReport) -> None:
    """Products by their SKU. A column the file lacks leaves what is there."""
    once = Once(load, file)
    columns = _columns(plan, {"description": "", "sizes": "", "attributes": "{}", "active": 1})
    columns["currency"] = ""
    insert_only = frozenset[str]() if "currency" in plan.present or "price" in plan.present else {"currency"}

    def rows() -> Iterator[Sequence[Value]]:
        for line, record in load.records(plan, source, file):
            sku = str(record["sku"])
            if not once.is_new(sku, line, f"sku '{sku}'"):
                continue
            _name_currency(load, record)
            load.skus.add(sku)
            yield _cells(record, columns)

    _upsert(load, "products", columns, ("sku",), rows(), insert_only)


def load_variants(load: Load, plan: Plan, source: Source, file: FileReport) -> None:
    """Variants by their item id; a product that only variants tell of is made from them."""
    once = Once(load, file)
    columns = _columns(plan, {"options": "{}", "available": 1})
    columns = {name: empty for name, empty in columns.items() if name not in ("product", "attributes")}
    columns |= {"size": None, "colour": None, "options": "{}"}
    products: dict[str, str] = {}
    rows: list[Sequence[Value]] = []
    for line, record in load.records(plan, source, file):
        item, sku, name = str(record["item_id"]), str(record["sku"]), record.get("product")
        if not once.is_new(item, line, f"item_id '{item}'"):
            continue
        if name is not None:
            products.setdefault(sku, str(name))
        elif sku not in load.skus and sku not in products:
            load.log.reject(file, line, f"product '{sku}' is not known and the row gives no name for it")
            continue
        _name_currency(load, record)
        _complete_options(record)
        rows.append(_cells(record, columns))
        load.items[item] = sku
    _make_products(load, products)
    # A price that was taken from variants must follow them: empty it, it is filled again at the end.
    load.connection.execute(
        "UPDATE products SET price = NULL WHERE price = (SELECT min(price) FROM variants WHERE variants.sku = products.sku)"
    )
    _upsert(load, "variants", columns, ("item_id",), rows)


def load_inventory(load: Load, plan: Plan, source: Source, file: FileReport) -> None:
    """Stock by store and product or variant."""
    once = Once(load, file)

    def rows() -> Iterator[Sequence[Value]]:
        for line, record in load.records(plan, source, file):
            store_id = str(record["store_id"])
            if store_id not in load.stores:
                load.log.reject(file, line, f"store_id '{store_id}' is not a known store")
                continue
            found = load.product_of(record)
            if isinstance(found, str):
                load.log.reject(file, line, found)
                continue
            sku, item = found
            if once.is_new((store_id, sku, item), line, f"'{item or sku}' in store '{store_id}'"):
                yield store_id, sku, item, record["quantity"]

    columns: dict[str, Value] = {"store_id": None, "sku": None, "item_id": "", "quantity": None}
    _upsert(load, "stock", columns, ("store_id", "sku", "item_id"), rows())


def load_ratings(load: Load, plan: Plan, source: Source, file: FileReport) -> None:
    """Ratings by product and review number (counted in the file where it gives none)."""
    once = Once(load, file)
    counted: Counter[str] = Counter()

    def rows() -> Iterator[Sequence[Value]]:
        for line, record in load.records(plan, source, file):
            found = load.product_of({"sku": record["sku"]})
            if isinstance(found, str):
                load.log.reject(file, line, found)
                continue
            sku = found[0]
            counted[sku] += 1
            review = str(record.get("review_no") or counted[sku])
            if cast(float, record["rating"]) < 0:
                load.log.reject(file, line, f"rating '{record['rating']}' is negative")
            elif once.is_new((sku, review), line, f"review '{review}' of '{sku}'"):
                yield sku, review, record["rating"], record.get("user_id")

    columns: dict[str, Value] = {"sku": None, "review_no": None, "rating": None, "user_id": None}
    _upsert(load, "ratings", columns, ("sku", "review_no"), rows())


def _columns(plan: Plan, defaults: dict[str, Value]) -> dict[str, Value]:
    """Columns to write and what an empty cell becomes."""
    columns: dict[str, Value] = {column.name: defaults.get(column.name) for column, _ in plan.fields}
    if plan.table.attributes:
        columns["attributes"] = "{}"
    return columns


def _cells(record: Record, columns: dict[str, Value]) -> Sequence[Value]:
    return [default if (value := record.get(name)) is None else value for name, default in columns.items()]


def _upsert(
    load: Load,
    table: str,
    columns: dict[str, Value],
    key: Sequence[str],
    rows: Iterable[Sequence[Value]],
    insert_only: Iterable[str] = (),
) -> None:
    load.connection.executemany(upsert_sql(table, list(columns), key, insert_only), rows)


def upsert_sql(table: str, columns: Sequence[str], key: Sequence[str], insert_only: Iterable[str] = ()) -> str:
    """``INSERT … ON CONFLICT (key) DO UPDATE`` over ``columns``."""
    kept = {*key, *insert_only}
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in kept)
    places = ", ".join("?" for _ in columns)
    action = f"UPDATE SET {changes}" if changes else "NOTHING"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT ({', '.join(key)}) DO {action}"


def _coordinates_problem(record: Record) -> str | None:
    latitude, longitude = record.get("latitude"), record.get("longitude")
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        return "only one of latitude and longitude is given"
    if abs(cast(float, latitude)) > 90 or abs(cast(float, longitude)) > 180:
        return f"latitude {latitude}, longitude {longitude} is not a place on earth"
    return None


def _name_currency(load: Load, record: Record) -> None:
    written = record.get("currency")
    if written is None:
        return
    code = values.currency_code(written) or str(written)
    record["currency"] = code
    load.currencies[code] += 1


def _complete_options(record: Record) -> None:
    """Size and colour are columns of a variant and among its options, whichever way the shop gave them."""
    found: dict[str, Any] = json.loads(str(record.get("options") or record.get("attributes") or "{}"))
    by_name = {name.casefold(): name for name in found}
    for column, names in (("size", SIZE_OPTIONS), ("colour", COLOUR_OPTIONS)):
        option = next((by_name[name] for name in by_name if name in names), None)
        if record.get(column) is None and option is not None:
            record[column] = values.text(found[option])
        elif record.get(column) is not None and option is None:
            found[column] = record[column]
    record["options"] = values.dump(found)


def _make_products(load: Load, products: dict[str, str]) -> None:
    load.connection.executemany(
        """INSERT INTO products (sku, name, currency) VALUES (?, ?, '')
           ON CONFLICT (sku) DO UPDATE SET name = excluded.name
           WHERE description = '' AND category IS NULL AND brand IS NULL AND attributes = '{}' AND price IS NULL""",
        [(sku, name) for sku, name in products.items() if sku not in load.skus],
    )
    load.skus.update(products)
