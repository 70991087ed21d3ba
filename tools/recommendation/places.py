"""Where the shopper wants it: a city or a store of the shop, and the rows in stock there."""

import sqlite3

import numpy as np

from shopfloor.tools.recommendation.cards import Place
from shopfloor.tools.recommendation.constraints import Mask
from shopfloor.tools.recommendation.snapshot import Snapshot


def find_place(
    connection: sqlite3.Connection, snapshot: Snapshot, city: str | None, store_id: str | None
) -> tuple[Place, Mask | None]:
    """The stores that are meant and the rows with stock in them; no mask when no place was asked for.

    A city without a store matches no row, so that the answer can say so.
    """
    if store_id is None and city is None:
        return Place(), None
    if store_id is not None:
        found = connection.execute("SELECT store_id, name FROM stores WHERE store_id = ?", (store_id,)).fetchall()
        name = str(found[0]["name"]) if found else store_id
    else:
        found = connection.execute(
            "SELECT store_id, name FROM stores WHERE city = ? COLLATE NOCASE ORDER BY store_id", (city,)
        ).fetchall()
        name = str(city)
    ids = tuple(str(row["store_id"]) for row in found)
    mask = np.zeros(len(snapshot), dtype=np.bool_)
    for store in ids:
        for row in connection.execute("SELECT DISTINCT sku FROM stock WHERE store_id = ? AND quantity > 0", (store,)):
            place = snapshot.row_of.get(str(row["sku"]))
            if place is not None:
                mask[place] = True
    return Place(ids, name), mask
