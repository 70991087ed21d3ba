"""What fits a hand-written request, computed from the shop's database; shares no code with the agent's own reading.

A case states what every shown product must keep (``keep``) and, where some of those answer better than others, what
the best have besides (``best``). Both are predicates, in which all fields must hold and a list means "any of these"::

    keep: {name: rain jacket, for: women, colour: red, size: M, price: {max: 150}, not: {material: wool}}
    best: {any: [{season: winter}, {warmth: very warm}]}

``name``, ``category``, ``brand`` and every further column of the shop's products (``material: cotton``) ask for words,
in any order, singular or plural; ``{min: …, max: …}`` asks for a number in a column. Colour, size and price must be had
together in one variant that is for sale. A product fits where one of its variants does.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from shopfloor.errors import InputError

Words = str | list[str]

_WORDS = re.compile(r"[^\W_]+(?:[.][0-9]+)?")
_NUMBER = re.compile(r"-?[0-9]+(?:[.][0-9]+)?")
_YEARS = re.compile(r"([0-9]+) ?[-–] ?([0-9]+) years")
_CENT = 0.005
_CHILDREN = frozenset({"kid", "child", "children", "girl", "boy", "baby", "teen"})
_WOMEN = frozenset({"women", "woman", "female", "lady"})
_MEN = frozenset({"men", "man", "male"})


class Range(BaseModel):
    """Numbers from ``min`` to ``max``, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min: float | None = None
    max: float | None = None

    def holds(self, value: float) -> bool:
        """Whether ``value`` is in the range, to half a cent."""
        above = self.min is None or value >= self.min - _CENT
        return above and (self.max is None or value <= self.max + _CENT)


class Predicate(BaseModel):
    """Conditions that must all hold; fields that are not declared name a column of the shop's products."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, str | list[str] | Range] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    sku: Words | None = None
    name: Words | None = None
    category: Words | None = None
    brand: Words | None = None
    colour: Words | None = None
    size: Words | None = None
    price: Range | None = None
    wearer: Words | None = Field(default=None, alias="for")
    age: int | None = Field(default=None, ge=0, le=120)
    city: str | None = None
    cheaper: bool = False
    every: list["Predicate"] = Field(default_factory=list["Predicate"], alias="all")
    either: list["Predicate"] = Field(default_factory=list["Predicate"], alias="any")
    never: "Predicate | None" = Field(default=None, alias="not")

    def columns(self) -> set[str]:
        """Every further column that is asked for, in the parts too."""
        parts = [*self.every, *self.either, *([self.never] if self.never is not None else [])]
        return set(self.__pydantic_extra__).union(*(part.columns() for part in parts))


@dataclass(frozen=True, slots=True)
class Offer:
    """One variant that is for sale, or the product itself where it has none."""

    size: str
    colour: str
    price: float | None


@dataclass(frozen=True, slots=True)
class Good:
    """A product as the gold sees it. ``columns`` holds its further columns' text, by lower-case name."""

    sku: str
    name: str
    category: str
    brand: str
    gender: str
    offers: tuple[Offer, ...]
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    cities: frozenset[str] = frozenset()


class Gold:
    """The products of one shop, and which of them keep a predicate."""

    def __init__(self, goods: Sequence[Good]) -> None:
        self._goods = list(goods)
        self._columns: set[str] = set().union(*(good.columns for good in self._goods))
        self._words = {good.sku: _words(good.name) for good in self._goods}

    @classmethod
    def load(cls, connection: sqlite3.Connection) -> "Gold":
        """Read every active product, its variants for sale and the cities that have it in stock."""
        offers: dict[str, list[Offer]] = {}
        with_variants: set[str] = set()
        for row in connection.execute("SELECT sku, size, colour, price, available FROM variants"):
            with_variants.add(str(row["sku"]))
            if row["available"]:
                offers.setdefault(str(row["sku"]), []).append(_offer(row["size"], row["colour"], row["price"]))
        cities: dict[str, set[str]] = {}
        stocked = "SELECT DISTINCT sku, city FROM stock JOIN stores USING (store_id) WHERE quantity > 0 AND city <> ''"
        for row in connection.execute(stocked):
            cities.setdefault(str(row["sku"]), set()).add(str(row["city"]).lower())
        goods: list[Good] = []
        for row in connection.execute("SELECT * FROM products WHERE active = 1 ORDER BY sku"):
            sku = str(row["sku"])
            own = offers.get(sku, []) if sku in with_variants else _plain_offers(row)
            priced = [Offer(offer.size, offer.colour, offer.price or row["price"]) for offer in own]
            goods.append(_good(row, priced, frozenset(cities.get(sku, ()))))
        return cls(goods)

    def fitting(self, predicate: Predicate, *, cheaper_than: float | None = None) -> list[str]:
        """The SKUs that keep ``predicate``, in order.

        Raises:
            InputError: the predicate asks for a column that this shop's products do not have.
        """
        unknown = sorted(predicate.columns() - self._columns)
        if unknown:
            raise InputError(f"No product of this shop has the column {unknown[0]!r} that a case asks for.")
        return [
            good.sku
            for good in self._goods
            if any(self._keeps(good, offer, predicate, cheaper_than) for offer in good.offers)
        ]

    def dearest(self, words: str) -> tuple[str, float] | None:
        """The most expensive product with these words in its name, and its price."""
        wanted = _words(words)
        found = [
            (max(offer.price or 0.0 for offer in good.offers), good.sku)
            for good in self._goods
            if good.offers and wanted <= self._words[good.sku]
        ]
        return (max(found)[1], max(found)[0]) if found else None

    def _keeps(self, good: Good, offer: Offer, wanted: Predicate, limit: float | None) -> bool:
        if not self._keeps_own(good, offer, wanted, limit):
            return False
        if not all(self._keeps(good, offer, part, limit) for part in wanted.every):
            return False
        if wanted.either and not any(self._keeps(good, offer, part, limit) for part in wanted.either):
            return False
        if wanted.never is None:
            return True
        return not self._touches(good, offer, wanted.never, limit)

    def _touches(self, good: Good, offer: Offer, denied: Predicate, limit: float | None) -> bool:
        """Whether any single field of ``denied`` holds: "neither black nor wool" denies each."""
        fields = denied.model_dump(by_alias=True, exclude_unset=True)
        return any(self._keeps(good, offer, Predicate.model_validate({name: fields[name]}), limit) for name in fields)

    def _keeps_own(self, good: Good, offer: Offer, wanted: Predicate, limit: float | None) -> bool:
        return self._is_wanted(good, wanted) and self._is_offered(good, offer, wanted, limit)

    def _is_wanted(self, good: Good, wanted: Predicate) -> bool:
        """What holds of a product whatever the variant."""
        name = self._words[good.sku]
        return (
            (wanted.sku is None or good.sku in _list(wanted.sku))
            and (wanted.name is None or any(_words(text) <= name for text in _list(wanted.name)))
            and (
                wanted.category is None or any(_words(text) == _words(good.category) for text in _list(wanted.category))
            )
            and (wanted.brand is None or any(_words(text) == _words(good.brand) for text in _list(wanted.brand)))
            and (wanted.wearer is None or any(_suits(good.gender, text) for text in _list(wanted.wearer)))
            and (wanted.age is None or _suits_age(good, wanted.age))
            and (wanted.city is None or wanted.city.lower() in good.cities)
            and all(_has_value(good.columns.get(key, ""), value) for key, value in wanted.__pydantic_extra__.items())
        )

    def _is_offered(self, good: Good, offer: Offer, wanted: Predicate, limit: float | None) -> bool:
        """What holds of a variant."""
        cheaper = not wanted.cheaper or limit is None or (offer.price is not None and offer.price < limit - _CENT)
        return (
            cheaper
            and (wanted.price is None or (offer.price is not None and wanted.price.holds(offer.price)))
            and (wanted.size is None or offer.size.lower() in {text.lower() for text in _list(wanted.size)})
            and (wanted.colour is None or _has_colour(offer.colour, self._words[good.sku], _list(wanted.colour)))
        )


def _offer(size: object, colour: object, price: object) -> Offer:
    amount = float(price) if isinstance(price, int | float) else None
    return Offer(str(size or "").strip(), str(colour or "").strip(), amount)


def _plain_offers(row: sqlite3.Row) -> list[Offer]:
    sizes = [part.strip() for part in str(row["sizes"] or "").split("|")]
    colours = [part.strip() for part in str(row["colour"] or "").split("|")]
    return [_offer(size, colour, row["price"]) for size in sizes for colour in colours]


def _good(row: sqlite3.Row, offers: Iterable[Offer], cities: frozenset[str]) -> Good:
    further: dict[str, object] = json.loads(row["attributes"])
    columns = {key.lower(): " | ".join(map(str, v)) if isinstance(v, list) else str(v) for key, v in further.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return Good(
        sku=str(row["sku"]),
        name=str(row["name"]),
        category=str(row["category"] or ""),
        brand=str(row["brand"] or ""),
        gender=str(row["gender"] or ""),
        offers=tuple(offers),
        columns=columns,
        cities=cities,
    )


def _list(value: Words) -> list[str]:
    return [value] if isinstance(value, str) else value


@lru_cache(maxsize=65_536)
def _words(text: str) -> frozenset[str]:
    plain = text.lower().replace("'s", "").replace("\u2019s", "")
    return frozenset(_singular(word) for word in _WORDS.findall(plain))


def _singular(word: str) -> str:
    if len(word) < 4 or word.endswith("ss"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "shes", "ches", "xes")) else word.removesuffix("s")


def _has_colour(colour: str, name: frozenset[str], wanted: Sequence[str]) -> bool:
    """The variant's colour; where the shop states none, the words of the product's name."""
    words = _words(colour) if colour else name
    return any(_words(text) <= words for text in wanted)


def _suits(gender: str, wearer: str) -> bool:
    words = _words(gender)
    if wearer == "adult":
        return not words & _CHILDREN
    if wearer in {"kids", "girl", "boy"}:
        return bool(words & _CHILDREN)
    return not words or bool(words & ((_WOMEN if wearer == "women" else _MEN) | {"unisex"}))


def _suits_age(good: Good, age: int) -> bool:
    texts = [*good.columns.values(), *(offer.size for offer in good.offers)]
    return any(int(low) <= age <= int(high) for text in texts for low, high in _YEARS.findall(text))


def _has_value(text: str, wanted: str | list[str] | Range) -> bool:
    if isinstance(wanted, Range):
        number = _NUMBER.search(text)
        return number is not None and wanted.holds(float(number.group()))
    words = _words(text)
    return any(_words(part) <= words for part in _list(wanted))
