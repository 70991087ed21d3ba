"""Questions about a product's variants: prices, availability, choices, differences. Rules and the database alone."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from shopfloor.tools.recommendation.option_values import GivenValues, given_values, names_of
from shopfloor.tools.recommendation.text import plain, stems

_DEAR = re.compile(
    r"most expensive|highest[- ]price|costs? (?:the |you the )?most|priciest|dearest|most costly|costliest|top price|most pricey"
    r"|the most (?:i|you|one) (?:can|could) (?:spend|pay)|upper end|maximum price"
)
_CHEAP = re.compile(
    r"cheapest|lowest[- ]price|costs? (?:the |you the )?least|least expensive|most affordable|least (?:costly|pricey)"
    r"|best price|minimum price|the least (?:i|you|one) (?:can|could) (?:spend|pay)|most economical"
)
_DIFFERENCE = re.compile(
    r"price (?:difference|gap)|differ(?:ence|s)?\b.*\bpric|pric\w*\b.*\bdiffer|how much (?:more|less|cheaper|dearer)|compare the pric"
    r"|(?:pay|cost)\w* more .* than|what do i save|how much (?:do|would) i save|by how much"
)
_CUTS = re.compile(
    r"\b(?:and|versus|vs\.?|than|from|against|compared (?:to|with)|or|to)\b(?: (?:the|a|for|those|that)(?: ones?)?\b)?"
)
_COUNT = re.compile(r"\bhow many\b|\bnumber of\b|\bcount\b|\bhow large is the (?:choice|selection)")
_CHOICES = re.compile(
    r"\b(?:choices?|values?|options?|selection|comes?|available|range of|kinds?|types?|offer(?:ed)?|are there|is there|do you have)\b"
)
_PRICE = re.compile(
    r"how much|\bprice|\bcosts?\b|what do(?:es)? .* (?:cost|go for)|what would .* (?:cost|set me back)|set me back|go for\b"
)
_CAP = re.compile(
    r"(?:\bunder|\bbelow|\bless than|\bup to|\bat most|\b(?:no|not) more than|\bwithin|\bmax(?:imum)?(?: of)?|\bunderneath|\bcheaper than"
    r"|\bdoes(?: not|n't) exceed|\bnot exceeding|\bunder the)\D{0,14}?(?P<after>\d+(?:[.,]\d+)?)"
    r"|(?P<before>\d+(?:[.,]\d+)?)\D{0,10}?(?:or less|or under|or below|at most|max\b|maximum|tops|or cheaper|at the most)"
)
_SPEND = re.compile(r"\b(?:budget|afford|spend|money|have only|got only)\b")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Item:
    """A variant."""

    item_id: str
    sku: str
    options: Mapping[str, str]
    price: float
    available: bool


class ProductQuestions:
    """Answers over one catalogue's variants, which it reads when it is made."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._names: dict[str, str] = {}
        self._items: dict[str, list[Item]] = {}
        query = (
            "SELECT v.item_id, v.sku, p.name, v.options, coalesce(v.price, p.price) AS price, v.available"
            " FROM variants v JOIN products p USING (sku) ORDER BY v.item_id"
        )
        for row in connection.execute(query):
            options: dict[str, object] = json.loads(row["options"])
            item = Item(
                str(row["item_id"]),
                str(row["sku"]),
                {str(key): str(value) for key, value in options.items()},
                float(row["price"] or 0.0),
                bool(row["available"]),
            )
            self._names[item.sku] = str(row["name"])
            self._items.setdefault(item.sku, []).append(item)

    def answer(self, question: str) -> dict[str, JsonValue]:
        """The structured answer: the fields depend on what is asked. Empty when no product is named."""
        sku = self._product(question)
        return {} if sku is None else _answer(_without_name(question, self._names[sku]), self._items[sku])

    def _product(self, question: str) -> str | None:
        """The product named: all words of its name, the longest name first; else the only one of that noun."""
        words = _forms(question)
        named = [
            (len(stems(name)), sku) for sku, name in self._names.items() if all(stem in words for stem in stems(name))
        ]
        if named:
            return max(named)[1]
        nouns = [sku for sku, name in self._names.items() if stems(name) and stems(name)[-1] in words]
        return nouns[0] if len(nouns) == 1 else None


def _forms(text: str) -> set[str]:
    """Stems of a text, with those of plurals in -es both ways ("trellises": "trellise" and "trellis")."""
    found = set(stems(text))
    return found | {word.removesuffix("e") for word in found if word.endswith("e")} | {f"{word}e" for word in found}


def _without_name(question: str, name: str) -> str:
    """The question with the product's name blanked out, so that no value is read from it."""
    words = [re.escape(word) for word in name.split()]
    return re.sub(rf"(?i)\b{r'[ -]'.join(words)}(?:e?s)?\b", lambda found: " " * len(found.group()), question)


def _answer(question: str, items: Sequence[Item]) -> dict[str, JsonValue]:
    text = plain(question)
    sold = [item for item in items if item.available]
    if _DIFFERENCE.search(text):
        found = _difference(question, items)
        if found:
            return found
    given = given_values(question, _choices(items))
    if _DEAR.search(text) or _CHEAP.search(text):
        return _extreme(_having(given, sold), dear=_DEAR.search(text) is not None)
    option = _asked_option(text, given, items)
    if _COUNT.search(text) and option is None:
        return {"count": len(_having(given, sold))}
    if option is not None:
        return {"values": [*sorted({i.options[option] for i in _having(given, sold) if option in i.options})]}
    asks_price = _PRICE.search(text) is not None
    one = _exact(given, items)
    limit = _limit(given.rest)
    if one is None and limit is None and asks_price and len(fitting := _having(given, items)) == 1:
        one = fitting[0]
    if one is not None and limit is None:
        known: JsonValue = one.price if asks_price else one.available
        return {"item_id": one.item_id, "price" if asks_price else "available": known}
    if limit is not None:
        return {"item_ids": [item.item_id for item in _having(given, sold) if item.price <= limit + 1e-9]}
    if not given.wanted and not given.denied and _names_unknown_value(text, items):
        return {"item_ids": []}
    return {"item_ids": [item.item_id for item in _having(given, sold)]}


def _choices(items: Sequence[Item]) -> dict[str, list[str]]:
    out: dict[str, set[str]] = {}
    for item in items:
        for key, value in item.options.items():
            out.setdefault(key, set()).add(value)
    return {key: sorted(values) for key, values in sorted(out.items())}


def _having(given: GivenValues, items: Sequence[Item]) -> list[Item]:
    return [
        item
        for item in items
        if all(item.options.get(key) == value for key, value in given.wanted.items())
        and not any(item.options.get(key) in values for key, values in given.denied.items())
    ]


def _exact(given: GivenValues, items: Sequence[Item]) -> Item | None:
    """The one variant whose every option the text gives; None when some are left open."""
    if not given.wanted or len(given.wanted) < max(len(item.options) for item in items):
        return None
    return next((item for item in items if dict(item.options) == dict(given.wanted)), None)


def _asked_option(text: str, given: GivenValues, items: Sequence[Item]) -> str | None:
    """The option whose values are asked for ("which sizes", "what colour choices"), None when none is."""
    for key, values in sorted(_choices(items).items(), key=lambda pair: -len(pair[0])):
        if key in given.wanted and plain(given.wanted[key]) not in {"yes", "no"}:
            continue
        name = names_of(key)
        if {plain(value) for value in values} <= {"yes", "no"}:
            continue
        if re.search(
            rf"\b(?:what|which)(?: \w+){{0,2}}? {name}(?: (?:choices?|options?|values?))?\b(?! is| are there any)", text
        ):
            direct = re.search(
                rf"\b(?:what|which)(?: (?:different|other|kinds? of|types? of|choices? of))? {name}\b", text
            )
            if direct is not None or _CHOICES.search(text):
                return key
        if re.search(
            rf"\b{name} (?:choices?|options?|values?|range)\b|\b(?:choices?|options?|range|values?) of {name}\b", text
        ):
            return key
        many = re.search(rf"\b{name}\b", text)
        if many is not None and many.group().endswith("s") and not plain(key).endswith("s") and _CHOICES.search(text):
            return key
    return None


def _names_unknown_value(text: str, items: Sequence[Item]) -> bool:
    """Whether an option is spoken of with a value that no variant has ("a glass top")."""
    spoken = any(re.search(rf"\b{names_of(key)}\b", text) for key in _choices(items))
    return spoken and re.search(r"\b(?:have|has|where|with|in|of)\b", text) is not None


def _limit(rest: str) -> float | None:
    """The most that may be paid, read where no option's value stands."""
    found = _CAP.search(rest)
    number = (found["after"] or found["before"]) if found is not None else None
    if number is None and _SPEND.search(rest):
        lone = _NUMBER.search(rest)
        number = lone.group() if lone is not None else None
    if number is None:
        return None
    return float(number.replace(",", "" if re.fullmatch(r"\d+,\d{3}", number) else "."))


def _extreme(items: Sequence[Item], *, dear: bool) -> dict[str, JsonValue]:
    if not items:
        return {"item_ids": []}
    price = (max if dear else min)(item.price for item in items)
    return {"item_ids": [item.item_id for item in items if item.price == price], "price": price}


def _difference(question: str, items: Sequence[Item]) -> dict[str, JsonValue]:
    """The two variants of a comparison: both sides of some cut name one each."""
    choices = _choices(items)
    for cut in _CUTS.finditer(plain(question)):
        before, after = question[: cut.start()], question[cut.end() :]
        first, second = _exact(given_values(before, choices), items), _exact(given_values(after, choices), items)
        if first is not None and second is not None and first is not second:
            return {
                "item_ids": [first.item_id, second.item_id],
                "difference": round(abs(first.price - second.price), 2),
            }
    return {}
