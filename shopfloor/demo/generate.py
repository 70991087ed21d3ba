"""Make the demo shop's generated files from the hand-written ones.

Run ``python -m shopfloor.demo.generate`` (``--out DIR`` to write elsewhere). The same sources and
parameters give the same bytes. products.csv, stores.csv and source/ are written by hand and only read.
"""

import argparse
import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shopfloor.demo.catalogue import SHOP, Catalogue, load_catalogue
from shopfloor.demo.history import History, Storyteller
from shopfloor.demo.params import Params, load_params
from shopfloor.demo.shoppers import make_shoppers
from shopfloor.demo.stock import SoldLine, assortments, inventory
from shopfloor.demo.taste import Tastes

GENERATED = (
    "variants.csv",
    "inventory.csv",
    "orders.csv",
    "order_items.csv",
    "interactions.csv",
    "review_ratings.csv",
)
_FIRST_ORDER = 10001


@dataclass(frozen=True)
class Table:
    """One CSV file: its header and its rows, all text."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


def make_tables(params: Params, catalogue: Catalogue) -> dict[str, Table]:
    """Play the shop's history and lay it out as tables, by file name."""
    tastes = Tastes.of(params, catalogue)
    carried = assortments(params, catalogue)
    brands = sorted({p.brand for p in catalogue.products})
    colours = sorted({c for p in catalogue.products for c in p.colours})
    history = Storyteller(params, catalogue, tastes, carried).tell(make_shoppers(params, brands, colours))
    sold = [
        SoldLine(order.at.date(), order.store_id, line.product.sku, line.quantity)
        for order in history.orders
        if order.status == "COMPLETE"
        for line in order.lines
    ]
    stock = inventory(params, catalogue, carried, sold)
    return {
        "variants.csv": Table(
            ("item_id", "product_id", "product", "options", "available", "price"), list(catalogue.variant_rows())
        ),
        "inventory.csv": Table(("store_id", "sku", "item_id", "quantity"), [(*row[:3], str(row[3])) for row in stock]),
        **_history_tables(history),
    }


def _history_tables(history: History) -> dict[str, Table]:
    numbers = {id(order): str(_FIRST_ORDER + i) for i, order in enumerate(history.orders)}
    orders = [(numbers[id(o)], o.at.isoformat(), o.shopper.user_id, o.store_id, o.status) for o in history.orders]
    items = [
        (numbers[id(o)], str(n), ln.product.sku, ln.variant.item_id, f"{ln.unit_price:.2f}", str(ln.quantity))
        for o in history.orders
        for n, ln in enumerate(o.lines, 1)
    ]
    returns = [
        (
            r.at.isoformat(),
            numbers[id(r.order)],
            r.order.shopper.user_id,
            "return",
            r.line.product.sku,
            r.line.variant.item_id,
            str(-r.line.quantity),
            f"{r.line.unit_price:.2f}",
        )
        for r in history.returns
    ]
    return {
        "orders.csv": Table(("order_id", "ordered_at", "customer_id", "store_id", "status"), orders),
        "order_items.csv": Table(("order_id", "line_no", "sku", "item_id", "unit_price", "quantity"), items),
        "interactions.csv": Table(
            ("ts", "invoice", "user_id", "event", "sku", "item_id", "quantity", "price"), returns
        ),
        "review_ratings.csv": Table(("sku", "review_no", "rating", "user_id", "rated_at"), _rating_rows(history)),
    }


def _rating_rows(history: History) -> list[tuple[str, ...]]:
    """Ratings by product, numbered in order of time within each product."""
    rows: list[tuple[str, ...]] = []
    count: dict[str, int] = {}
    for r in history.ratings:
        count[r.product.sku] = count.get(r.product.sku, 0) + 1
        rows.append(
            (r.product.sku, str(count[r.product.sku]), str(r.stars), r.shopper.user_id, r.at.date().isoformat())
        )
    return sorted(rows, key=lambda row: (row[0], int(row[1])))


def write_tables(tables: dict[str, Table], folder: Path) -> None:
    """Write each table as UTF-8 CSV with plain line feeds."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            lines: Iterable[tuple[str, ...]] = (table.header, *table.rows)
            csv.writer(file, lineterminator="\n").writerows(lines)


def main() -> None:
    """The command: generate, write, and say how many rows each file has."""
    parser = argparse.ArgumentParser(description="Make the demo shop's generated files.")
    parser.add_argument("--out", type=Path, default=SHOP, help="folder to write to (default: the package's own)")
    folder: Path = parser.parse_args().out
    tables = make_tables(load_params(), load_catalogue())
    write_tables(tables, folder)
    for name, table in tables.items():
        print(f"{name}: {len(table.rows)} rows")


if __name__ == "__main__":
    main()
