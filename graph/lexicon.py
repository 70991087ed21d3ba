"""The shop's own words that follow-ups turn on: its places, colours and sizes; read from the catalogue once."""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from shopfloor.graph.cues import normal, words
from shopfloor.graph.prompts import load_words

_LONGEST_PLACE = 4  # words
_LONGEST_NAME = 10
_ROWS_FOR_VALUES = 5000
_LONGEST_VALUE = 60  # characters; longer ones are prose
_MOST_COLUMNS = 2  # a word in more columns says nothing about any


def _nowhere(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Lexicon:
    """Words by kind, lower-cased.

    Attributes:
        shop_name: as the assistant says it.
        places: cities and stores of the shop.
        services: what stores offer.
        values: words of the products' attributes (leather, hiking) and the columns they occur in.
        names: SKUs by the names of products, in singular words; only names of two words or more.
        vocabulary: single words, in singular, of products' names, brands, categories and descriptions, of places and
            services.
        categories: kinds of products, those with most products first.
        is_city: whether a name is a city anywhere in the world.
    """

    shop_name: str = "the shop"
    places: frozenset[str] = frozenset()
    colours: frozenset[str] = frozenset()
    sizes: frozenset[str] = frozenset()
    skus: frozenset[str] = frozenset()
    not_places: frozenset[str] = frozenset()
    product_words: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    values: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]], compare=False)
    names: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    vocabulary: frozenset[str] = field(default=frozenset(), compare=False)
    categories: tuple[str, ...] = ()
    is_city: Callable[[str], bool] = field(default=_nowhere, compare=False)

    def place_in(self, text: str) -> str | None:
        """The place a message names, as written there; the shop's own places first, then cities after "in", "at", "near"."""
        tokens = re.findall(r"[^\W_]+(?:['.-][^\W_]+)*", text)
        for size in range(min(_LONGEST_PLACE, len(tokens)), 0, -1):
            for start in range(len(tokens) - size + 1):
                phrase = " ".join(tokens[start : start + size])
                if phrase.casefold() in self.places:
                    return phrase
        for match in re.finditer(
            r"\b(?:in|at|near|around|from)\s+(?:the\s+|our\s+|your\s+)?((?:[^\W\d_][\w'.-]*\s*){1,3})",
            text,
            re.IGNORECASE,
        ):
            found = self._leading_place(match[1].split())
            if found is not None:
                return found
        return None

    def is_place(self, phrase: str) -> bool:
        """Whether a phrase is a place and nothing else."""
        lowered = re.sub(r"^(the|our|your) | (store|shop|branch|one|then|instead|please)$", "", normal(phrase))
        if lowered in self.places:
            return True
        return not self._is_word(lowered) and self.is_city(lowered)

    def has_colour(self, text: str) -> bool:
        """Whether a message names a colour."""
        return not self.colours.isdisjoint(words(text))

    def is_colour(self, text: str) -> bool:
        """Whether a message is a colour and nothing else."""
        said = set(words(text)) - {"please", "in", "a", "the", "maybe", "or", "and", "light", "dark", "ok"}
        return bool(said) and said <= self.colours

    def names_product(self, text: str) -> bool:
        """Whether a message names a kind of product: the last word of a category or of a product's name."""
        return not self.product_words.isdisjoint(singular(word) for word in words(text))

    def knows(self, word: str) -> bool:
        """Whether a word is one of the shop's own: of a product, a place, a service, a colour or a size."""
        one = singular(word.casefold())
        groups = (self.vocabulary, self.product_words, self.colours, self.sizes, self.places)
        return one in self.values or any(form in group for form in (word, one) for group in groups)

    def columns_of(self, said: Iterable[str]) -> frozenset[str]:
        """The columns that have one of these words as a value: material for leather."""
        return frozenset(column for word in said for column in self.values.get(singular(word), ()))

    def products_in(self, text: str) -> tuple[str, ...]:
        """SKUs of the products a message names in full, in its order; a longer name hides a shorter one within it."""
        tokens = _name_tokens(text)
        found: list[str] = []
        start = 0
        while start < len(tokens):
            for size in range(min(_LONGEST_NAME, len(tokens) - start), 1, -1):
                sku = self.names.get(" ".join(tokens[start : start + size]))
                if sku is not None:
                    found.append(sku)
                    start += size - 1
                    break
            start += 1
        return tuple(dict.fromkeys(found))

    def names_service(self, text: str) -> bool:
        """Whether a message names something that stores offer."""
        lowered = normal(text)
        return any(re.search(rf"\b{re.escape(service)}", lowered) for service in self.services)

    def service_in(self, text: str) -> str | None:
        """The service whose words a message has all of, in any order: can I hire a tent."""
        said = {singular(word) for word in words(text)}
        return next((one for one in sorted(self.services) if {singular(word) for word in words(one)} <= said), None)

    def is_size(self, text: str) -> bool:
        """Whether a phrase is one of the shop's sizes."""
        return re.sub(r"^(a |an |size )+", "", normal(text)) in self.sizes

    def sku_in(self, text: str) -> str | None:
        """A SKU of the catalogue that a message names, as the catalogue writes it."""
        for token in re.findall(r"[\w-]+", text):
            if token.upper() in self.skus:
                return token.upper()
            if token in self.skus:
                return token
        return None

    def _leading_place(self, tokens: list[str]) -> str | None:
        for size in range(len(tokens), 0, -1):
            phrase = " ".join(tokens[:size])
            written = phrase[:1].isupper() and phrase.casefold() not in self.sizes
            if (written or not self._is_word(phrase.casefold())) and self.is_city(phrase.casefold()):
                return phrase
        return None

    def _is_word(self, lowered: str) -> bool:
        return lowered in self.colours or lowered in self.sizes or lowered in self.not_places or self.knows(lowered)


def singular(word: str) -> str:
    """A word without its plural s."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _name_tokens(text: str) -> list[str]:
    return [singular(word) for word in words(text.replace(".", ""))]


def read_lexicon(connection: sqlite3.Connection) -> Lexicon:
    """Read the shop's words from an open catalogue."""
    meta = {str(row["key"]): str(row["value"]) for row in connection.execute("SELECT key, value FROM meta")}
    places: set[str] = set()
    for row in connection.execute("SELECT name, city FROM stores"):
        places.update(part.casefold() for part in (row["name"], row["city"]) if part)
    colours = set(load_words("colours"))
    for row in connection.execute("SELECT DISTINCT colour FROM products WHERE colour IS NOT NULL"):
        colours.update(word for word in words(str(row["colour"])) if len(word) > 2)
    sizes: set[str] = set()
    for row in connection.execute("SELECT DISTINCT sizes FROM products WHERE sizes <> ''"):
        sizes.update(size.strip().casefold() for size in str(row["sizes"]).split("|"))
    product_words: set[str] = set()
    for row in connection.execute("SELECT DISTINCT category AS name FROM products WHERE active = 1 AND category <> ''"):
        product_words.update(singular(word) for word in words(str(row["name"]))[-1:] if len(word) > 2)
    for row in connection.execute("SELECT name FROM products WHERE active = 1"):
        product_words.update(singular(word) for word in words(str(row["name"]))[-1:] if len(word) > 2)
    services = {
        service.strip().casefold()
        for row in connection.execute("SELECT DISTINCT services FROM stores")
        for service in str(row["services"]).split("|")
    }
    skus = frozenset(str(row["sku"]) for row in connection.execute("SELECT sku FROM products WHERE active = 1"))
    return Lexicon(
        shop_name=meta.get("shop_name", "the shop"),
        places=frozenset(place for place in places if len(place) > 1),
        colours=frozenset(colours),
        sizes=frozenset(sizes),
        skus=skus,
        services=frozenset(service for service in services if len(service) > 2),
        names=_names(connection),
        values=_values(connection),
        not_places=load_words("not_places"),
        product_words=frozenset(word for word in product_words if word.isalpha()),
        vocabulary=_vocabulary(connection, (*places, *services)),
        categories=tuple(
            str(row["category"])
            for row in connection.execute(
                "SELECT category, count(*) AS n FROM products WHERE active = 1 AND category <> '' GROUP BY category ORDER BY n DESC, category"
            )
        ),
    )


def _vocabulary(connection: sqlite3.Connection, others: Iterable[str]) -> frozenset[str]:
    found = {singular(word) for text in others for word in words(text)}
    for row in connection.execute("SELECT description FROM products WHERE active = 1 LIMIT ?", (_ROWS_FOR_VALUES,)):
        found.update(singular(word) for word in words(str(row["description"] or "")))
    for row in connection.execute("SELECT name, brand, category FROM products WHERE active = 1"):
        found.update(singular(word) for word in words(f"{row['name']} {row['brand'] or ''} {row['category'] or ''}"))
    return frozenset(found)


def _names(connection: sqlite3.Connection) -> dict[str, str]:
    names: dict[str, str] = {}
    for row in connection.execute("SELECT name, sku FROM products WHERE active = 1 ORDER BY product_no DESC"):
        tokens = _name_tokens(str(row["name"]))
        if 1 < len(tokens) <= _LONGEST_NAME:
            names[" ".join(tokens)] = str(row["sku"])
    return names | _short_names(names)


def _short_names(names: Mapping[str, str]) -> dict[str, str]:
    """Names without the measure at their end (Trekking Pack 60 L), where that still names one product."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, sku in names.items():
        tokens = name.split()
        while tokens and (len(tokens[-1]) == 1 or any(char.isdigit() for char in tokens[-1])):
            tokens.pop()
        short = " ".join(tokens)
        if 1 < len(tokens) < len(name.split()) and short not in names:
            found[short].append(sku)
    return {name: skus[0] for name, skus in found.items() if len(skus) == 1}


def _values(connection: sqlite3.Connection) -> dict[str, frozenset[str]]:
    values: dict[str, set[str]] = defaultdict(set)
    for row in connection.execute("SELECT attributes FROM products WHERE active = 1 LIMIT ?", (_ROWS_FOR_VALUES,)):
        for column, value in cast("dict[str, object]", json.loads(str(row["attributes"]))).items():
            if isinstance(value, str) and len(value) <= _LONGEST_VALUE:
                for word in words(value.replace("-", " ")):
                    if len(word) > 2 and word.isalpha():
                        values[singular(word)].add(column)
    return {word: frozenset(columns) for word, columns in values.items() if len(columns) <= _MOST_COLUMNS}
