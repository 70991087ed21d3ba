"""A small garden shop, made for these tests: another trade than the demo shop's, other codes, two stores in one city."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.store.migrations import open_catalogue
from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.snapshot import ShopNames, read_names
from shopfloor.tools.places import Gazetteer, load_gazetteer

PRODUCTS = [
    ("GT-1001", "Long Handled Spade", "Spades", 34.5, "green", "Hollin", ""),
    ("GT-1002", "Border Spade", "Spades", 29.0, "red", "Hollin", ""),
    ("GT-1003", "Digging Fork", "Forks", 31.0, "green", "Hollin", ""),
    ("GT-2001", "Clay Flower Pot", "Pots", 6.5, "terracotta", "Brickley", "10 cm|20 cm|30 cm"),
    ("GT-2002", "Glazed Flower Pot", "Pots", 12.0, "blue", "Brickley", "20 cm|30 cm"),
    ("GT-3001", "Tomato Seeds", "Seeds", 2.5, "", "Sprout", ""),
    ("GT-3002", "Sweet Pea Seeds", "Seeds", 2.8, "", "Sprout", ""),
    ("GT-4001", "Gardening Gloves", "Gloves", 9.9, "blue", "Hollin", "S|M|L"),
    ("GT-5001", "Watering Can 9 L", "Watering", 18.0, "green", "Rill", ""),
    ("GT-5002", "Solar Fountain", "Watering", 64.0, "grey", "Rill", ""),
]
STORES = [
    ("1", "Web Shop", None, None, None, None, None, None, "", "home delivery"),
    ("2", "Munich", "Munich", "Germany", "Gartenweg 1", 48.137, 11.575, None, "Mon-Fri 9-18; Sat 9-14", "tool hire|delivery"),
    ("3", "Lyon", "Lyon", "France", "Rue Verte 2", 45.75, 4.85, None, "Mon-Sat 10-19", "tool hire"),
    ("4", "Bristol Harbourside", "Bristol", "United Kingdom", "Quay 3", 51.449, -2.598, None, "Mon-Sun 9-17", "delivery"),
    ("5", "Bristol Clifton", "Bristol", "United Kingdom", "Hill 4", 51.456, -2.62, None, "", ""),
    ("6", "São Paulo", "São Paulo", "Brazil", "Rua 5", -23.55, -46.63, None, "", ""),
]  # fmt: skip
SAID = [
    (
        "GT-1001",
        4.5,
        "A spade for deep beds. The handle has a soft grip.",
        '{"material": "ash|steel", "weight_g": 1900}',
    ),
    ("GT-1002", 3.5, "A narrow blade between plants.", '{"material": "steel", "weight_g": 1400, "stainless": true}'),
    ("GT-2001", 4.0, "Fired twice.", '{"material": "clay", "weather": "frost-proof"}'),
    ("GT-2002", 4.8, "A glaze like the sea.", '{"material": "clay", "weather": "indoors"}'),
]
STOCK = [
    ("1", "GT-1001", "", 12), ("2", "GT-1001", "", 5), ("3", "GT-1001", "", 0), ("4", "GT-1001", "", 2),
    ("2", "GT-1002", "", 1), ("3", "GT-1002", "", 7), ("2", "GT-1003", "", 3), ("6", "GT-1003", "", 3),
    ("2", "GT-2001", "", 40), ("3", "GT-2001", "", 15), ("2", "GT-2002", "", 0), ("6", "GT-3001", "", 30),
    ("2", "GT-3001", "", 9), ("3", "GT-3002", "", 2), ("2", "GT-4001", "G-S", 4), ("2", "GT-4001", "G-M", 0),
    ("2", "GT-4001", "G-L", 6), ("3", "GT-4001", "G-M", 3), ("2", "GT-5001", "", 2), ("5", "GT-5001", "", 8),
    ("3", "GT-5002", "", 0),
]  # fmt: skip


def make_shop(path: Path) -> Path:
    """Write the garden shop; the last 30 days sold one spade a day in Munich."""
    open_catalogue(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('currency', 'EUR'), ('revision', '1')")
        for sku, name, category, price, colour, brand, sizes in PRODUCTS:
            connection.execute(
                "INSERT INTO products (sku, name, category, price, currency, colour, brand, sizes)"
                " VALUES (?, ?, ?, ?, 'EUR', ?, ?, ?)",
                (sku, name, category, price, colour or None, brand, sizes),
            )
        connection.executemany(
            "INSERT INTO stores (store_id, name, city, country, address, latitude, longitude, state, hours, services)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            STORES,
        )
        for item_id, size in (("G-S", "S"), ("G-M", "M"), ("G-L", "L")):
            connection.execute("INSERT INTO variants (item_id, sku, size) VALUES (?, 'GT-4001', ?)", (item_id, size))
        for sku, rating, description, attributes in SAID:
            connection.execute(
                "UPDATE products SET rating_mean = ?, rating_count = 4, description = ?, attributes = ? WHERE sku = ?",
                (rating, description, attributes, sku),
            )
        connection.execute("INSERT INTO product_fts (product_fts) VALUES ('rebuild')")
        connection.executemany("INSERT INTO stock VALUES (?, ?, ?, ?)", STOCK)
        for day in range(1, 31):
            connection.execute(
                "INSERT INTO events (source_key, ts, basket, event, status, store_id, sku, quantity)"
                " VALUES (?, ?, ?, 'purchase', 'COMPLETE', '2', 'GT-1001', 1)",
                (f"o/{day}", f"2020-06-{day:02}T10:00:00", f"b{day}"),
            )
        connection.execute(
            "INSERT INTO events (source_key, ts, basket, event, status, store_id, sku, quantity)"
            " VALUES ('o/x', '2020-06-15T10:00:00', 'bx', 'purchase', 'CANCELLED', '2', 'GT-1001', 500)"
        )
        connection.commit()
    return path


@pytest.fixture(scope="session")
def gazetteer() -> Gazetteer:
    """Place names, read once."""
    return load_gazetteer()


@pytest.fixture(scope="session")
def shop_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The garden shop's database."""
    return make_shop(tmp_path_factory.mktemp("garden") / "garden.db")


@pytest.fixture(scope="session")
def names(shop_path: Path, gazetteer: Gazetteer) -> ShopNames:
    """The garden shop's names."""
    with closing(sqlite3.connect(shop_path)) as connection:
        connection.row_factory = sqlite3.Row
        return read_names(connection, gazetteer)


@pytest.fixture
async def database(shop_path: Path) -> AsyncIterator[Database]:
    """The garden shop, open."""
    async with Database(shop_path) as opened:
        yield opened


@pytest.fixture
async def agent(database: Database, gazetteer: Gazetteer) -> InventoryAgent:
    """An agent over the garden shop that does not read the place names again."""
    return InventoryAgent(database, None, Settings(), gazetteer=gazetteer)
