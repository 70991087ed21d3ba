"""What a handler hands back, and the small words answers are put together from."""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue
from rapidfuzz import fuzz

from shopfloor.settings import Settings
from shopfloor.tools.inventory import queries
from shopfloor.tools.inventory.snapshot import ShopNames, Store
from shopfloor.tools.phrases import listed

LISTED = 8  # names said aloud; the structured answer has them all


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer before it gets its trace: facts, words, and what to choose from when something is open."""

    status: Literal["answered", "ask", "unknown", "unsupported"]
    intent: str
    slots: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    structured: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    text: str = ""
    options: tuple[str, ...] = ()
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class Shop:
    """What a handler may read: one connection, the shop's names, the settings."""

    connection: sqlite3.Connection
    names: ShopNames
    settings: Settings

    def store(self, store_id: str) -> Store:
        """A store by id."""
        return self.names.stores[store_id]

    def product_name(self, sku: str) -> str:
        """A product's name."""
        entry = self.names.matcher.by_sku.get(sku)
        return entry.name if entry is not None else sku

    def stock(self, sku: str, narrowing: queries.Narrowing | None = None) -> dict[str, int]:
        """Units of a product by store, in the shop's order of stores."""
        held = queries.stock_by_store(self.connection, sku, narrowing)
        return {store_id: held[store_id] for store_id in self.names.stores if store_id in held}


@dataclass(frozen=True, slots=True)
class Area:
    """A place a question is about: one store, or all stores of one city or country."""

    label: str
    stores: tuple[Store, ...]

    @property
    def single(self) -> bool:
        """Whether it is one store."""
        return len(self.stores) == 1

    @property
    def where(self) -> str:
        """ "in the Berlin store", "online", "in Berlin"."""
        return at(self.stores[0]) if self.single else f"in {self.label}"


def json_id(store_id: str) -> JsonValue:
    """A store id as the shop's files write it: a number where it is one."""
    return int(store_id) if store_id.isdigit() and str(int(store_id)) == store_id else store_id


def place(store: Store) -> str:
    """How to speak of a store: "the Berlin store", "the online store", "the Sharpstown store in Houston"."""
    if store.online:
        return "the online store"
    name, city = store.name, store.city or ""
    if fuzz.ratio(city.casefold(), name.casefold()) >= 75:
        return f"the {city} store"
    if city and city.casefold() in name.casefold():
        return name
    return f"the {name} store in {city}" if city else f"the {name} store"


def at(store: Store) -> str:
    """ "in the Berlin store", "online"."""
    return "online" if store.online else f"at {place(store)}"


def joined(parts: Iterable[str], limit: int = LISTED, last: str = "and") -> str:
    """ "a, b and c"; beyond ``limit`` it says how many more there are."""
    items = list(parts)
    if len(items) > limit:
        return f"{', '.join(items[:limit])} {last} {len(items) - limit} more"
    return listed(items, last)


def plural(name: str) -> bool:
    """Whether a product's name is a plural: its last word outside brackets ends in s ("Boy's Jeans (Blue)")."""
    words = re.sub(r"\(.*?\)", " ", name).split()
    words = [word for word in words if word.casefold() not in ("women", "men", "kids", "boys", "girls")] or words
    return bool(words) and words[-1].casefold().endswith("s") and not words[-1].casefold().endswith(("ss", "us"))


def verb(name: str, one: str, many: str) -> str:
    """The verb that goes with a product's name."""
    return many if plural(name) else one


def units(count: int) -> str:
    """ "1 unit", "3 units"."""
    return f"{count} unit" if count == 1 else f"{count} units"


def km(distance: float | None) -> str:
    """ "12.3 km away", or nothing when the distance is not known."""
    return "" if distance is None else f"{distance:.1f} km away"


def labels(stores: Sequence[Store]) -> list[str]:
    """A name for each store: its city, with the store's own name where two share a city."""
    cities = [store.label for store in stores]
    return [
        store.label if cities.count(store.label) == 1 else store.name
        if store.label in store.name and store.name != store.label else f"{store.name}, {store.label}"
        if store.name != store.label else f"{store.label} ({store.address or store.store_id})"
        for store in stores
    ]  # fmt: skip
