"""Facts of products straight from the catalogue, and the sentences that say them."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from shopfloor.graph.state import ShownItem
from shopfloor.tools.phrases import listed, money

_SQL = """
SELECT p.sku, p.name, p.category, p.currency, p.description, p.colour, p.sizes, p.rating_mean, p.rating_count,
       p.brand, p.gender, p.attributes,
       coalesce(p.price, (SELECT min(v.price) FROM variants v WHERE v.sku = p.sku)) AS price,
       coalesce((SELECT sum(s.quantity) FROM stock s WHERE s.sku = p.sku), 0) AS units,
       (SELECT count(DISTINCT s.store_id) FROM stock s WHERE s.sku = p.sku AND s.quantity > 0) AS stores
FROM products p
WHERE p.active = 1 AND p.sku IN (SELECT value FROM json_each(?))
"""
_SHORT_DESCRIPTION = 320
_LONGEST_TRAIT = 60  # characters


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What the catalogue says of one product. ``units`` over all stores."""

    sku: str
    name: str
    category: str | None
    price: float | None
    currency: str
    description: str
    colours: tuple[str, ...]
    sizes: tuple[str, ...]
    units: int
    stores: int
    brand: str | None = None
    gender: str | None = None
    rating: float | None = None
    rating_count: int = 0
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def shown(self) -> ShownItem:
        """As the conversation remembers it."""
        return ShownItem(
            sku=self.sku,
            name=self.name,
            price=self.price,
            currency=self.currency,
            colour=", ".join(self.colours) or None,
            category=self.category,
            sizes=list(self.sizes),
            traits=self.traits,
        )

    @property
    def traits(self) -> dict[str, str]:
        """The row's other columns, those that are prose left out."""
        own = {"brand": self.brand or "", "gender": self.gender or ""}
        return {name: value for name, value in (*self.attributes, *own.items()) if 0 < len(value) <= _LONGEST_TRAIT}


def read_facts(connection: sqlite3.Connection, skus: Sequence[str]) -> list[ProductFacts]:
    """Facts of products in the order asked; unknown SKUs are left out."""
    found = {str(row["sku"]): _facts(row) for row in connection.execute(_SQL, (json.dumps(list(skus)),))}
    return [found[sku] for sku in skus if sku in found]


def describe(facts: ProductFacts) -> str:
    """A product in two or three sentences."""
    price = money(facts.price, facts.currency) if facts.price is not None else "without a listed price"
    parts = [f"{facts.name}, {price}."]
    description = facts.description.strip()
    if description:
        parts.append(_shorten(description))
    options = _options(facts)
    if options:
        parts.append(f"Available {', '.join(options)}.")
    parts.append(_availability(facts))
    return " ".join(parts)


def _options(facts: ProductFacts) -> list[str]:
    options = [f"in {listed(facts.colours)}"] if facts.colours else []
    return [*options, sizes_of(facts)] if facts.sizes else options


def sizes_of(facts: ProductFacts) -> str:
    """The sizes as a phrase: in sizes S, M or L."""
    if len(facts.sizes) == 1:
        return "in one size" if "one" in facts.sizes[0].casefold() else f"in size {facts.sizes[0]}"
    return f"in sizes {listed(facts.sizes)}"


def compare(products: Sequence[ProductFacts]) -> str:
    """Several products side by side, one line each, and the price difference where there are two."""
    lines = [describe(facts) for facts in products]
    if len(products) == 2:
        first, second = products
        if first.price is not None and second.price is not None and first.currency == second.currency:
            gap = abs(first.price - second.price)
            if gap < 0.005:
                lines.append("They cost the same.")
            else:
                cheaper = first if first.price < second.price else second
                lines.append(f"{cheaper.name} is {money(gap, first.currency)} cheaper.")
    return "\n".join(lines)


def _availability(facts: ProductFacts) -> str:
    if facts.units == 0:
        return "It is out of stock at the moment."
    units = "1 unit" if facts.units == 1 else f"{facts.units} units"
    stores = "1 store" if facts.stores == 1 else f"{facts.stores} stores"
    return f"We have {units} in {stores}."


def _facts(row: sqlite3.Row) -> ProductFacts:
    return ProductFacts(
        sku=str(row["sku"]),
        name=str(row["name"]),
        category=row["category"],
        price=float(row["price"]) if row["price"] is not None else None,
        currency=str(row["currency"]),
        description=str(row["description"]),
        colours=_split(row["colour"]),
        sizes=_split(row["sizes"]),
        units=int(row["units"]),
        stores=int(row["stores"]),
        brand=row["brand"],
        gender=row["gender"],
        rating=row["rating_mean"],
        rating_count=int(row["rating_count"]),
        attributes=_attributes(str(row["attributes"])),
    )


def _attributes(raw: str) -> tuple[tuple[str, str], ...]:
    values = cast(dict[str, object], json.loads(raw))
    return tuple((name, str(value)) for name, value in values.items() if value not in (None, "", [], {}))


def _split(value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split("|") if part.strip())


def _shorten(text: str) -> str:
    if len(text) <= _SHORT_DESCRIPTION:
        return text if text.endswith((".", "!", "?")) else f"{text}."
    cut = text[:_SHORT_DESCRIPTION]
    end = cut.rfind(". ")
    return cut[: end + 1] if end > 80 else f"{cut[: cut.rfind(' ')]}…"
