"""Gold answers to stock questions about the demo shop, computed from its CSV files and by nothing of the package.

A case is written as a line, ``intent | slots | question``; slots are SKUs without ``SKU_``, ``@place`` and ``key=value``.
:func:`case_of` makes the case of such a line, with its gold answer.
"""

import csv
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

DEMO = Path(str(resources.files("shopfloor.demo")))
WINDOW_DAYS, TARGET_DAYS, HORIZON_DAYS, EARTH_KM = 90, 14, 7, 6371.0
Gold = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A line's slots."""

    skus: list[str]
    place: str = ""
    values: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def sku(self) -> str:
        """The first product."""
        return self.skus[0]


class Books:
    """The demo shop's figures."""

    def __init__(self) -> None:
        self.products = {row["sku"]: row for row in _rows("products.csv")}
        self.stores = {row["store_id"]: row for row in _rows("stores.csv")}
        options = {row["item_id"]: json.loads(row["options"]) for row in _rows("variants.csv")}
        self.held: dict[str, Counter[str]] = defaultdict(Counter)  # SKU -> store -> units
        self.sized: Counter[tuple[str, str, str]] = Counter()
        for row in _rows("inventory.csv"):
            size = options.get(row["item_id"], {}).get("size", "")
            self.held[row["sku"]][row["store_id"]] += int(row["quantity"])
            self.sized[(row["sku"], row["store_id"], size)] += int(row["quantity"])

    def at(self, place: str) -> list[str]:
        """Stores of a city, or the one of this name; empty: all."""
        if not place:
            return list(self.stores)
        named = [key for key, row in self.stores.items() if place in (row["city"], row["name"])]
        assert named, place
        return named

    def units(self, sku: str, place: str = "", size: str = "") -> int:
        """Units of a product at a place."""
        if size:
            return sum(self.sized[(sku, store, size)] for store in self.at(place))
        return sum(self.held[sku][store] for store in self.at(place))

    def by_units(self, sku: str) -> list[tuple[str, int]]:
        """Stores that have the product, with units."""
        return [(store, units) for store, units in self.held[sku].items() if units > 0]

    def name(self, store: str) -> str:
        """The city of a store, or its name where it has none."""
        return self.stores[store]["city"] or self.stores[store]["name"]

    def here(self, place: str) -> dict[str, int]:
        """Every product that a place carries, with units; empty: over all stores."""
        stores = set(self.at(place))
        return {sku: self.units(sku, place) for sku, held in self.held.items() if stores & set(held)}

    def km(self, store: str, latitude: float, longitude: float) -> float | None:
        """Great-circle distance."""
        row = self.stores[store]
        if not row["latitude"]:
            return None
        one, two = math.radians(latitude), math.radians(float(row["latitude"]))
        turn = math.radians(float(row["longitude"]) - longitude)
        cosine = math.sin(one) * math.sin(two) + math.cos(one) * math.cos(two) * math.cos(turn)
        return EARTH_KM * math.acos(min(1.0, cosine))

    def nearest(self, sku: str, latitude: float, longitude: float, without: list[str]) -> Gold:
        """The nearest store that has the product."""
        found = [
            (distance, store)
            for store, _ in self.by_units(sku)
            if store not in without and (distance := self.km(store, latitude, longitude)) is not None
        ]
        distance, store = min(found)
        return {
            "store_id": store,
            "city": self.name(store),
            "quantity": self.held[sku][store],
            "distance_km": round(distance, 1),
        }

    def daily(self, stores: list[str]) -> dict[str, float]:
        """Units sold a day by SKU over the last 90 days of the records, from these stores; returns are taken off."""
        orders = {row["order_id"]: row for row in _rows("orders.csv")}
        moves = [(row["order_id"], orders[row["order_id"]]["ordered_at"], row) for row in _rows("order_items.csv")]
        moves += [(row["invoice"], row["ts"], row) for row in _rows("interactions.csv") if row["event"] == "return"]
        last = max(date.fromisoformat(moment[:10]) for _, moment, _ in moves)
        sold: Counter[str] = Counter()
        for order_id, moment, row in moves:
            order = orders[order_id]
            counts = order["status"].upper() not in {"CANCELLED", "REFUNDED"} and order["store_id"] in stores
            if counts and date.fromisoformat(moment[:10]) > last - timedelta(days=WINDOW_DAYS):
                sold[row["sku"]] += int(row["quantity"])
        return {sku: units / WINDOW_DAYS for sku, units in sold.items() if units > 0}


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DEMO / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _stock(books: Books, asked: Asked) -> Gold:
    quantity = books.units(asked.sku, asked.place, asked.values.get("size", ""))
    return {"quantity": quantity, "in_stock": quantity > 0}


def _at_least(books: Books, asked: Asked) -> Gold:
    quantity = books.units(asked.sku, asked.place)
    return {"answer": quantity >= int(asked.values["n"]), "quantity": quantity}


def _stores(books: Books, asked: Asked) -> Gold:
    stores = [store for store, _ in books.by_units(asked.sku)]
    return {"store_ids": stores, "cities": [books.name(store) for store in stores], "count": len(stores)}


def _total(books: Books, asked: Asked) -> Gold:
    return {"total_quantity": books.units(asked.sku), "stores_in_stock": len(books.by_units(asked.sku))}


def _nearest_other(books: Books, asked: Asked) -> Gold:
    origin = books.at(asked.place)
    row = books.stores[origin[0]]
    return books.nearest(asked.sku, float(row["latitude"]), float(row["longitude"]), origin)


def _nearest_point(books: Books, asked: Asked) -> Gold:
    latitude, longitude = map(float, asked.values["p"].split(","))
    return books.nearest(asked.sku, latitude, longitude, [])


def _low(books: Books, asked: Asked) -> Gold:
    low = {sku: units for sku, units in books.here(asked.place).items() if units <= int(asked.values["t"])}
    return {"skus": list(low), "quantities": low, "count": len(low)}


def _out(books: Books, asked: Asked) -> Gold:
    out = [sku for sku, units in books.here(asked.place).items() if units == 0]
    return {"skus": out, "count": len(out)}


def _compare(books: Books, asked: Asked) -> Gold:
    held = {city: books.units(asked.sku, city) for city in (asked.values["a"], asked.values["b"])}
    first, second = held
    more = None if held[first] == held[second] else max(held, key=lambda city: held[city])
    return {"quantities": held, "more": more}


def _top(books: Books, asked: Asked) -> Gold:
    held = [(store, units) for store, units in books.by_units(asked.sku) if books.stores[store]["city"]]
    online = [(store, units) for store, units in books.by_units(asked.sku) if not books.stores[store]["city"]]
    most = max(units for _, units in [*held, *online])
    stores = [store for store, units in [*held, *online] if units == most]
    return {"store_ids": stores, "quantity": most}


def _several(books: Books, asked: Asked) -> Gold:
    held = {sku: books.units(sku, asked.place) for sku in asked.skus}
    return {"quantities": held, "all_in_stock": all(held.values())}


def _sizes(books: Books, asked: Asked) -> Gold:
    return {
        "sizes": books.products[asked.sku]["sizes"].split("|"),
        "quantity": books.units(asked.sku, asked.place),
    }


def _category(books: Books, asked: Asked) -> Gold:
    category = asked.values["cat"]
    held = {
        sku: units
        for sku, units in books.here(asked.place).items()
        if units > 0 and books.products[sku]["category"] == category
    }
    return {"skus": list(held), "quantities": held, "count": len(held)}


def _reorder(books: Books, asked: Asked) -> Gold:
    few = [sku for sku in books.products if books.units(sku) < int(asked.values["t"])]
    return {"skus": few, "count": len(few)}


def _units(books: Books, asked: Asked) -> Gold:
    return {"total_quantity": sum(books.here(asked.place).values())}


def _selling_out(books: Books, asked: Asked) -> Gold:
    daily, held = books.daily(books.at(asked.place)), books.here(asked.place)
    horizon = int(asked.values.get("days", HORIZON_DAYS))
    soon = [
        sku for sku, units in held.items() if units > 0 and sku in daily and round(units / daily[sku], 1) <= horizon
    ]
    return {"skus": soon, "count": len(soon)}


def _transfer(books: Books, asked: Asked) -> Gold:
    """Who should send: the nearest store with more than twice its target; general questions are scored on the intent."""
    if not asked.skus or not asked.place:
        return {}
    target: dict[str, int] = {}
    for store in books.held[asked.sku]:
        rate = books.daily([store]).get(asked.sku, 0.0)
        target[store] = max(1, math.ceil(rate * TARGET_DAYS))
    (needs,) = books.at(asked.place)
    assert books.held[asked.sku][needs] < target[needs]
    row = books.stores[needs]
    givers = [
        (books.km(store, float(row["latitude"]), float(row["longitude"])) or 1e9, store)
        for store, units in books.held[asked.sku].items()
        if units > 2 * target[store]
    ]
    return {"transfers": [{"sku": asked.sku, "from_store": min(givers)[1], "to_store": needs}] if givers else []}


def _cover(books: Books, asked: Asked) -> Gold:
    quantity = books.units(asked.sku)
    rate = books.daily(list(books.stores)).get(asked.sku)
    return {"quantity": quantity, "days_of_cover": round(quantity / rate, 1) if rate else None}


def _error(code: str) -> Callable[[Books, Asked], Gold]:
    return lambda books, asked: {"error": code}


GOLD: dict[str, Callable[[Books, Asked], Gold]] = {
    "stock_at_store": _stock,
    "at_least_n": _at_least,
    "stores_with_product": _stores,
    "total_stock": _total,
    "nearest_other_store": _nearest_other,
    "nearest_from_point": _nearest_point,
    "low_stock_at_store": _low,
    "out_of_stock_at_store": _out,
    "compare_stores": _compare,
    "top_store": _top,
    "multi_product": _several,
    "sizes_and_stock": _sizes,
    "category_at_store": _category,
    "unknown_product": _error("unknown_product"),
    "unknown_store": _error("unknown_store"),
    "ambiguous_product": _error("ambiguous_product"),
    "reorder_overall": _reorder,
    "units_at_store": _units,
    "sells_out_soon": _selling_out,
    "transfer": _transfer,
    "days_of_cover": _cover,
}


def asked_of(text: str) -> Asked:
    """Read a line's slots."""
    place = match[1].strip() if (match := re.search(r"@(.+?)(?= \w+=|$)", text)) else ""
    rest = text.replace(f"@{place}", "") if place else text
    values = {key: value.strip() for key, value in re.findall(r"(\w+)=(.+?)(?= \w+=|$)", rest)}
    skus = [f"SKU_{tail}" for tail in re.findall(r"(?<![\w=])[A-Z]{3}_\d\d", rest)]
    return Asked(skus, place, values)


def slots_of(intent: str, asked: Asked, books: Books) -> Gold:
    """The slots as a case names them."""
    slots: Gold = {}
    if asked.skus:
        slots |= {"skus": asked.skus} if intent == "multi_product" else {"sku": asked.sku}
    city = books.stores[books.at(asked.place)[0]]["city"] if asked.place else asked.values.get("city", "")
    if city:
        slots["origin_city" if intent == "nearest_other_store" else "city"] = city
    if "p" in asked.values:
        slots["latitude"], slots["longitude"] = map(float, asked.values["p"].split(","))
    numbers = {"n": "n", "t": "threshold"}
    slots |= {name: int(asked.values[key]) for key, name in numbers.items() if key in asked.values}
    texts = {"a": "city_a", "b": "city_b", "cat": "category", "size": "size"}
    slots |= {name: asked.values[key] for key, name in texts.items() if key in asked.values}
    return slots


def case_of(number: int, prefix: str, line: str, books: Books) -> Gold:
    """The case a line stands for."""
    intent, text, question = (part.strip() for part in line.split("|"))
    asked = asked_of(text)
    slots = slots_of(intent, asked, books)
    kept = "stock_at_store" if intent == "ambiguous_product" else intent
    gold = GOLD[intent](books, asked)
    return {"id": f"{prefix}-{number:03}", "question": question, "intent": kept, "slots": slots, "gold": gold}
