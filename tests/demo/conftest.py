"""The demo shop's files, read once."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from shopfloor.demo.catalogue import SHOP

Row = dict[str, str]


@dataclass(frozen=True)
class Shop:
    """Every table of the demo shop, as text."""

    products: list[Row]
    variants: list[Row]
    stores: list[Row]
    inventory: list[Row]
    orders: list[Row]
    items: list[Row]
    returns: list[Row]
    ratings: list[Row]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def shop() -> Shop:
    names = ("products", "variants", "stores", "inventory", "orders", "order_items", "interactions", "review_ratings")
    return Shop(*(read(SHOP / f"{name}.csv") for name in names))
