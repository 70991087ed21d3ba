"""What the pages say about the shop: its name, a few ways to begin, and products by a piece of their name."""

import sqlite3
from contextlib import closing
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from shopfloor.http.service import Service
from shopfloor.http.starters import shelves, starters
from shopfloor.store.database import connect
from shopfloor.store.meta import read_meta
from shopfloor.tools.schemas import ProductRef, ShortText

FOUND_AT_MOST = 8


class ShopCard(BaseModel):
    """The shop as a page shows it.

    ``starters``: messages that make sense here, made from its range and its stock. ``shelves``: its main categories.
    """

    name: str
    currency: str
    starters: list[str] = Field(default_factory=list)
    shelves: list[str] = Field(default_factory=list)


def shop_routes(service: Service) -> APIRouter:
    """The router of ``/api/shop`` and ``/api/products``."""
    router = APIRouter(prefix="/api", tags=["page"])

    def read_card() -> ShopCard:
        with closing(connect(service.settings.catalogue_path, read_only=True)) as connection:
            meta = read_meta(connection)
            return ShopCard(
                name=meta.get("shop_name", "shopfloor"),
                currency=meta.get("currency", ""),
                starters=starters(connection),
                shelves=shelves(connection),
            )

    def read_products(wanted: str) -> list[ProductRef]:
        with closing(connect(service.settings.catalogue_path, read_only=True)) as connection:
            return find_products(connection, wanted)

    @router.get("/shop", summary="The shop")
    async def shop() -> ShopCard:  # pyright: ignore[reportUnusedFunction]
        """The shop's name, its currency, and a few messages to begin with."""
        await service.assistant()
        return await anyio.to_thread.run_sync(read_card)

    @router.get("/products", summary="Products by a piece of their name")
    async def products(q: Annotated[ShortText, Query()]) -> list[ProductRef]:  # pyright: ignore[reportUnusedFunction]
        """At most eight products whose SKU or name holds the text; an exact SKU or name comes first."""
        await service.assistant()
        return await anyio.to_thread.run_sync(read_products, q)

    return router


def find_products(connection: sqlite3.Connection, wanted: str) -> list[ProductRef]:
    """Products on sale whose SKU or name holds ``wanted``, in any case."""
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = connection.execute(
        """SELECT sku, name, price, currency FROM products
           WHERE active = 1 AND (sku LIKE :piece ESCAPE '\\' OR name LIKE :piece ESCAPE '\\')
           ORDER BY sku = :wanted COLLATE NOCASE OR name = :wanted COLLATE NOCASE DESC, units_sold DESC, name LIMIT :most""",
        {"piece": f"%{escaped}%", "wanted": wanted, "most": FOUND_AT_MOST},
    )
    return [ProductRef(sku=row["sku"], name=row["name"], price=row["price"], currency=row["currency"]) for row in rows]
