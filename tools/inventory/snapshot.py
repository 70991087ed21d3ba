"""A shop's names in memory: what mentions in a question are resolved against. Stock is never cached here."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from shopfloor.tools.matching import plain, stems
from shopfloor.tools.places import Gazetteer, great_circle_km
from shopfloor.tools.product_matcher import ProductEntry, ProductMatcher

SAME_CITY_KM = 150.0  # a gazetteer city is a store's city when the names agree and it is this near
ALIAS_WORDS = 4
ONLINE_NAMES = frozenset({"online", "web"})


@dataclass(frozen=True, slots=True)
class Store:
    """One store as the database has it. ``label`` is what a person calls its place."""

    store_id: str
    name: str
    city: str | None
    country: str | None
    address: str | None
    latitude: float | None
    longitude: float | None
    state: str | None
    zip: str | None
    hours: str | None
    services: tuple[str, ...]

    @property
    def label(self) -> str:
        """The city, or the name of a store without one (an online store)."""
        return self.city or self.name

    @property
    def online(self) -> bool:
        """Whether it is no place a shopper can go to."""
        return self.city is None and self.latitude is None

    def km_from(self, latitude: float, longitude: float) -> float | None:
        """Great-circle distance, or None without coordinates."""
        if self.latitude is None or self.longitude is None:
            return None
        return great_circle_km(latitude, longitude, self.latitude, self.longitude)


@dataclass(frozen=True, slots=True)
class ShopNames:
    """Everything of a shop that can be named. Immutable; rebuilt when the catalogue's revision changes."""

    revision: str
    currency: str
    stores: dict[str, Store]
    matcher: ProductMatcher
    store_names: dict[str, tuple[str, ...]]  # plain store name -> store ids
    cities: dict[str, tuple[str, ...]]  # plain name of a city, any of its names -> store ids
    own_cities: frozenset[str]  # those of ``cities`` that the shop itself writes
    categories: dict[tuple[str, ...], str]  # stemmed words -> category
    services: dict[tuple[str, ...], str]  # plain words -> service
    states: dict[str, str]  # plain name or code -> the shop's own spelling
    zips: dict[str, tuple[str, ...]]
    sizes: dict[str, str] = field(default_factory=dict[str, str])  # size in lower case -> the shop's spelling


def read_revision(connection: sqlite3.Connection) -> str:
    """The catalogue's revision; changes at each import."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()
    return str(row[0]) if row else ""


def read_stores(connection: sqlite3.Connection) -> dict[str, Store]:
    """Every store by id, in the shop's order."""
    rows = connection.execute(
        "SELECT store_id, name, city, country, address, latitude, longitude, state, zip, hours, services FROM stores"
    ).fetchall()
    stores = [
        Store(
            str(row["store_id"]), str(row["name"]), row["city"], row["country"], row["address"], row["latitude"],
            row["longitude"], row["state"], row["zip"], row["hours"],
            tuple(part for part in str(row["services"] or "").split("|") if part),
        )
        for row in rows
    ]  # fmt: skip
    stores.sort(
        key=lambda store: (not store.store_id.isdigit(), int(store.store_id) if store.store_id.isdigit() else 0)
    )
    return {store.store_id: store for store in stores}


def read_names(connection: sqlite3.Connection, gazetteer: Gazetteer, before: "ShopNames | None" = None) -> ShopNames:
    """Build the names of the shop behind ``connection``. Blocks: call it on a worker thread.

    Args:
        connection: the catalogue.
        gazetteer: adds the other names of the stores' cities.
        before: names of the same revision, whose index of products is used again.
    """
    currency = connection.execute("SELECT value FROM meta WHERE key = 'currency'").fetchone()
    stores = read_stores(connection)
    matcher = before.matcher if before is not None else ProductMatcher(_read_products(connection))
    products = matcher.products
    by_name: dict[str, list[str]] = {}
    cities: dict[str, list[str]] = {}
    for store in stores.values():
        _append(by_name, plain(store.name), store.store_id)
        if store.city:
            _append(cities, plain(store.city), store.store_id)
    own = frozenset(cities)
    for alias, store_id in _short_names(stores.values()):
        _append(by_name, alias, store_id)
    for store in stores.values():
        for alias in _aliases(store, gazetteer):
            if alias not in own:
                _append(cities, alias, store.store_id)
        for country in _country_names(store, gazetteer):
            if country not in own:
                _append(cities, country, store.store_id)
    return ShopNames(
        revision=read_revision(connection),
        currency=str(currency[0]) if currency else "",
        stores=stores,
        matcher=matcher,
        store_names=_frozen(by_name),
        cities=_frozen(cities),
        own_cities=own,
        categories=_categories(products),
        services={tuple(plain(name).split()): name for store in stores.values() for name in store.services},
        states=_states(stores.values(), gazetteer),
        zips=_frozen(_grouped((store.zip, store.store_id) for store in stores.values() if store.zip)),
        sizes={size.casefold(): size for product in products for size in product.sizes},
    )


def _short_names(stores: Iterable[Store]) -> list[tuple[str, str]]:
    """Store names without the words most of them share (a brand), and the part that follows the city."""
    split = {store.store_id: plain(store.name).split() for store in stores}
    counts = Counter(word for words in split.values() for word in set(words))
    shared = {word for word, count in counts.items() if len(split) >= 3 and count > 0.6 * len(split)}
    found: list[tuple[str, str]] = []
    for store in stores:
        words = [word for word in split[store.store_id] if word not in shared]
        city = plain(store.city or "").split()
        if words and words != split[store.store_id] and words != city:
            found.append((" ".join(words), store.store_id))
        if city and words[: len(city)] == city and len(words) > len(city):
            found.append((" ".join(words[len(city) :]), store.store_id))
    return [(alias, store_id) for alias, store_id in found if alias not in ONLINE_NAMES]


def _append(index: dict[str, list[str]], key: str, value: str) -> None:
    if key and value not in index.setdefault(key, []):
        index[key].append(value)


def _grouped(pairs: Iterable[tuple[str | None, str]]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for key, value in pairs:
        if key:
            _append(index, str(key), value)
    return index


def _frozen(index: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in index.items()}


def _aliases(store: Store, gazetteer: Gazetteer) -> set[str]:
    """Every name of the store's city, when the gazetteer knows that city near the store."""
    if not store.city:
        return set()
    aliases: set[str] = set()
    for place in gazetteer.find(store.city):
        distance = store.km_from(place.latitude, place.longitude)
        if distance is None or distance <= SAME_CITY_KM:
            aliases.update(name for name in place.names if name.count(" ") < ALIAS_WORDS)
            if distance is None:
                break
    return aliases


def _country_names(store: Store, gazetteer: Gazetteer) -> set[str]:
    """Names of the store's country."""
    if not store.country or store.online:
        return set()
    key = plain(store.country)
    return {
        key,
        *(
            name
            for place in gazetteer.find(key)
            if plain(place.name) == key and not place.admin
            for name in place.names
        ),
    }


def _categories(products: Iterable[ProductEntry]) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for product in products:
        words = tuple(stems(product.category))
        if words:
            found.setdefault(words, product.category)
    return found


def _states(stores: Iterable[Store], gazetteer: Gazetteer) -> dict[str, str]:
    codes = {plain(store.state): store.state for store in stores if store.state}
    for name, code in gazetteer.states.items():
        if plain(code) in codes:
            codes.setdefault(name, codes[plain(code)])
    return codes


def _read_products(connection: sqlite3.Connection) -> list[ProductEntry]:
    extras: dict[str, list[str]] = {}
    items: dict[str, list[str]] = {}
    sizes: dict[str, list[str]] = {}
    for row in connection.execute("SELECT sku, item_id, size, options FROM variants"):
        items.setdefault(row["sku"], []).append(row["item_id"])
        extras.setdefault(row["sku"], []).extend(_values(row["options"]))
        if row["size"] and row["size"] not in sizes.setdefault(row["sku"], []):
            sizes[row["sku"]].append(row["size"])
    query = (
        "SELECT sku, name, category, colour, gender, brand, sizes, attributes, description FROM products"
        " WHERE active = 1 ORDER BY product_no"
    )
    return [
        ProductEntry(
            sku=row["sku"],
            name=row["name"],
            category=row["category"] or "",
            colour=(row["colour"] or "").replace("|", " "),
            gender=row["gender"] or "",
            brand=row["brand"] or "",
            extra=" ".join(dict.fromkeys([*_values(row["attributes"]), *extras.get(row["sku"], [])])),
            sizes=tuple(size for size in row["sizes"].split("|") if size) or tuple(sizes.get(row["sku"], ())),
            description=row["description"],
            item_ids=tuple(items.get(row["sku"], ())),
        )
        for row in connection.execute(query)
    ]


def _values(text: str) -> list[str]:
    """The short texts in a JSON object of attributes or options."""
    parsed: object = json.loads(text or "{}")
    if not isinstance(parsed, dict):
        return []
    values = cast("dict[str, object]", parsed).values()
    return [value for value in values if isinstance(value, str) and len(value) <= 60 and "://" not in value]
