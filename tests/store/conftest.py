"""A small shop written by each test, and the stores over real SQLite files."""

import csv
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shopfloor.store.database import Database, connect
from shopfloor.store.importer import import_shop
from shopfloor.store.migrations import open_state

Rows = Sequence[Mapping[str, Any]]
WriteShop = Callable[..., Path]

SMALL_SHOP: dict[str, Rows] = {
    "products": [
        {"sku": "A1", "name": "Oak table", "category": "Tables", "price": "120.00", "currency": "EUR", "wood": "oak"},
        {"sku": "A2", "name": "Pine chair", "category": "Chairs", "price": "45.50", "currency": "EUR", "wood": "pine"},
        {"sku": "A3", "name": "Wool rug", "category": "Rugs", "price": "", "currency": "EUR", "wood": ""},
    ],
    "variants": [
        {"item_id": "A3-S", "product_id": "A3", "options": '{"size": "S"}', "available": "true", "price": "60"},
        {"item_id": "A3-L", "product_id": "A3", "options": '{"size": "L"}', "available": "false", "price": "40"},
    ],
    "stores": [
        {"store_id": "1", "name": "Lyon", "city": "Lyon", "latitude": "45.76", "longitude": "4.84"},
        {"store_id": "2", "name": "Online", "city": "", "latitude": "", "longitude": ""},
    ],
    "inventory": [
        {"store_id": "1", "sku": "A1", "quantity": "4"},
        {"store_id": "2", "sku": "A1", "quantity": "0"},
        {"store_id": "1", "sku": "A3-S", "quantity": "7"},
    ],
    "orders": [
        {
            "order_id": "10",
            "ordered_at": "2025-01-02T10:00:00",
            "customer_id": "u1",
            "store_id": "1",
            "status": "COMPLETE",
        },
        {
            "order_id": "11",
            "ordered_at": "2025-01-03T10:00:00",
            "customer_id": "u2",
            "store_id": "2",
            "status": "CANCELLED",
        },
    ],
    "order_items": [
        {"order_id": "10", "line_no": "1", "sku": "A1", "unit_price": "110", "quantity": "1"},
        {"order_id": "10", "line_no": "2", "sku": "A2", "unit_price": "45", "quantity": "4"},
        {"order_id": "11", "line_no": "1", "sku": "A1", "unit_price": "110", "quantity": "2"},
        {"order_id": "11", "line_no": "2", "sku": "A3-S", "unit_price": "60", "quantity": "1"},
    ],
    "review_ratings": [{"sku": "A1", "review_no": "1", "rating": "4"}, {"sku": "A1", "review_no": "2", "rating": "5"}],
}


def write_csv(path: Path, rows: Rows) -> None:
    """Rows as a CSV file with the columns of the first row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def write_shop(tmp_path: Path) -> WriteShop:
    """Writes a shop folder: ``write_shop(products=[…])``; an argument that is a text is written as it is."""

    def write(name: str = "shop", **tables: Rows | str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for stem, rows in tables.items():
            path = folder / f"{stem}.csv"
            if isinstance(rows, str):
                path.write_text(rows, encoding="utf-8")
            else:
                write_csv(path, rows)
        return folder

    return write


@pytest.fixture
def small_shop(write_shop: WriteShop) -> Path:
    """A furniture shop with every kind of file."""
    return write_shop(**SMALL_SHOP)


@pytest.fixture
def catalogue_path(small_shop: Path, tmp_path: Path) -> Path:
    """The small shop, imported."""
    path = tmp_path / "shop.db"
    import_shop(small_shop, path)
    return path


@pytest.fixture
def catalogue_rows(catalogue_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the small shop's catalogue."""
    with closing(connect(catalogue_path, read_only=True)) as connection:
        yield connection


@pytest.fixture
async def catalogue(catalogue_path: Path) -> AsyncIterator[Database]:
    """The small shop as the agents see it."""
    async with Database(catalogue_path) as database:
        yield database


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty state database."""
    path = tmp_path / "state.db"
    open_state(path)
    async with Database(path) as database:
        yield database


@pytest.fixture
def dump() -> Callable[[Path], str]:
    """Everything a catalogue holds, as text, to compare before with after."""

    def read(path: Path) -> str:
        tables = ("meta", "products", "variants", "stores", "stock", "events", "ratings", "co_purchase")
        with closing(connect(path, read_only=True)) as connection:
            return json.dumps({t: [tuple(row) for row in connection.execute(f"SELECT * FROM {t}")] for t in tables})

    return read
