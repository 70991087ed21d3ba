"""What the shop's database says of a row: does the product exist, is its price right, is that many in stock."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shopfloor.finetune.datasets.rows import Unusable
from shopfloor.graph.grounding import Facts, grounded
from shopfloor.store.catalogue import Product, product_by_sku

PRICE_TOLERANCE = 0.005


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks against one catalogue; every method raises :class:`Unusable` with the reason."""

    catalogue: sqlite3.Connection

    def product(self, sku: str) -> Product:
        """The product, which must be in the shop's range now."""
        found = product_by_sku(self.catalogue, sku)
        if found is None or not found.active:
            raise Unusable("unknown_sku")
        return found

    def shown_item(self, item: Mapping[str, Any]) -> Product:
        """The product of a card, whose name and price must be what the database says."""
        found = self.product(str(item.get("sku", "")))
        if str(item.get("name", found.name)) != found.name:
            raise Unusable("wrong_name", found.sku)
        price = item.get("price", found.price)
        if (price is None) != (found.price is None):
            raise Unusable("wrong_price", found.sku)
        if price is not None and found.price is not None and abs(float(price) - found.price) > PRICE_TOLERANCE:
            raise Unusable("wrong_price", found.sku)
        return found

    def answer(self, text: str, products: tuple[Product, ...], asked: str) -> None:
        """An answer's text may say no price, number or code that the products do not have."""
        facts = Facts()
        for product in products:
            facts.codes.add(product.sku.upper())
            facts.prices.update(() if product.price is None else (round(product.price, 2),))
            facts.numbers.update((float(product.rating_count), round(product.rating_mean or 0.0, 1)))
            facts.numbers.add(round(product.rating_mean or 0.0, 2))
            facts.add_text(f"{product.name}. {product.description}")
        units = [self.stock(product.sku) for product in products]
        facts.numbers.update(float(number) for number in units)
        facts.some_in_stock, facts.some_out = any(units), not all(units)
        if grounded(text, facts, asked=asked) != " ".join(text.split()):
            raise Unusable("not_grounded")

    def stock(self, sku: str, store_id: str | None = None) -> int:
        """Units now, in one store or in all."""
        where = "" if store_id is None else " AND store_id = ?"
        values = (sku,) if store_id is None else (sku, store_id)
        row = self.catalogue.execute(f"SELECT coalesce(sum(quantity), 0) FROM stock WHERE sku = ?{where}", values)
        return int(row.fetchone()[0])

    def store(self, store_id: str) -> str:
        """The store's id, which must exist."""
        if self.catalogue.execute("SELECT 1 FROM stores WHERE store_id = ?", (store_id,)).fetchone() is None:
            raise Unusable("unknown_store")
        return store_id

    def named_in(self, text: str) -> str | None:
        """The one product that a sentence names by SKU or whole name; None where it names none or several."""
        plain = f" {' '.join(text.casefold().split())} "
        found = {sku for sku, word in _names(self.catalogue) if _holds(plain, word)}
        return next(iter(found)) if len(found) == 1 else None


@lru_cache(maxsize=2)
def _names(catalogue: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    rows = catalogue.execute("SELECT sku, name FROM products WHERE active = 1 ORDER BY sku").fetchall()
    return tuple((row["sku"], word) for row in rows for word in (row["sku"].casefold(), row["name"].casefold()))


def _holds(text: str, word: str) -> bool:
    at = text.find(word)
    return at > 0 and not text[at - 1].isalnum() and not text[at + len(word)].isalnum()
