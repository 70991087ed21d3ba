"""The SQL of the inventory agent: texts in ``sql/*.sql``, values only as parameters."""

import sqlite3
from dataclasses import dataclass
from functools import cache
from importlib import resources

Value = str | int | float | None


@cache
def sql(name: str) -> str:
    """The text of ``sql/NAME.sql``."""
    return (resources.files("shopfloor.tools.inventory") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the database has it."""

    sku: str
    name: str
    category: str | None
    price: float | None
    currency: str
    colour: str | None
    gender: str | None
    brand: str | None
    sizes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant; ``quantity`` is None where the shop does not count it by variant."""

    item_id: str
    size: str | None
    colour: str | None
    price: float | None
    available: bool
    quantity: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one product."""

    sku: str
    name: str
    category: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which variants of a product count; nothing set: all of them."""

    size: str | None = None
    colour: str | None = None
    item_id: str | None = None

    def __bool__(self) -> bool:
        return self.size is not None or self.colour is not None or self.item_id is not None


def run(connection: sqlite3.Connection, name: str, **values: Value) -> list[sqlite3.Row]:
    """Rows of a named query."""
    return connection.execute(sql(name), values).fetchall()


def product(connection: sqlite3.Connection, sku: str) -> Product | None:
    """One product, or None."""
    rows = run(connection, "product", sku=sku)
    if not rows:
        return None
    row = rows[0]
    sizes = tuple(size for size in (row["sizes"] or "").split("|") if size)
    return Product(
        row["sku"], row["name"], row["category"], row["price"], row["currency"], row["colour"], row["gender"],
        row["brand"], sizes,
    )  # fmt: skip


def stock_by_store(connection: sqlite3.Connection, sku: str, narrowing: Narrowing | None = None) -> dict[str, int]:
    """Units by store id; a store that does not carry the product is missing."""
    only = narrowing or Narrowing()
    rows = run(connection, "stock_by_store", sku=sku, size=only.size, colour=only.colour, item_id=only.item_id)
    return {row["store_id"]: int(row["quantity"]) for row in rows}


def counts_variants(connection: sqlite3.Connection, sku: str) -> bool:
    """Whether the product's stock is counted by variant."""
    return bool(run(connection, "counts_variants", sku=sku)[0]["by_variant"])


def variants(connection: sqlite3.Connection, sku: str, store_id: str | None = None) -> list[Variant]:
    """The product's variants with their units in one store or in all."""
    counted = counts_variants(connection, sku)
    return [
        Variant(
            row["item_id"], row["size"], row["colour"], row["price"], bool(row["available"]),
            int(row["quantity"] or 0) if counted else None,
        )
        for row in run(connection, "variants_of_product", sku=sku, store_id=store_id)
    ]  # fmt: skip


def lines_at_store(connection: sqlite3.Connection, store_id: str) -> list[Line]:
    """What a store carries."""
    return [_line(row) for row in run(connection, "stock_at_store", store_id=store_id)]


def totals(connection: sqlite3.Connection) -> list[Line]:
    """Every product's units over all stores."""
    return [_line(row) for row in run(connection, "stock_totals")]


def units_by_store(connection: sqlite3.Connection) -> dict[str, int]:
    """All units of each store."""
    return {row["store_id"]: int(row["quantity"]) for row in run(connection, "units_by_store")}


def _line(row: sqlite3.Row) -> Line:
    return Line(row["sku"], row["name"], row["category"], int(row["quantity"]))
