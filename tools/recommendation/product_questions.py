"""Questions about a product's variants: prices, availability, choices, differences. Rules and the database alone."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from shopfloor.tools.recommendation.prices import read_prices
from shopfloor.tools.recommendation.text import plain, stems

_DEAR = re.compile(r"most expensive|highest price|costs? the most|priciest|dearest")
_CHEAP = re.compile(r"cheapest|lowest price|costs? the least|least expensive|most affordable")
_DIFFERENCE = re.compile(r"price difference|differ(?:ence)? in price|how much more|how much cheaper|compare the price")
_COUNT = re.compile(r"how many|number of")
_CHOICES = re.compile(r"\b(?:choices?|values?|options?|come in|comes in|range of|which kinds?)\b")
_PRICE = re.compile(
    r"how much (?:is|are|does|do|would)|what(?:'s| is| are|s)? the price|price of|cost of|what does .* cost"
)
_BUDGET = re.compile(r"budget|afford|at most|under|below|less than|up to|cost|within|no more than")


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
        text = plain(question)
        sku = self._product(text)
        if sku is None:
            return {}
        items = self._items[sku]
        sold = [item for item in items if item.available]
        if _DIFFERENCE.search(text):
            return _difference(text, items)
        if _DEAR.search(text) or _CHEAP.search(text):
            return _extreme(sold, dear=_DEAR.search(text) is not None)
        if _COUNT.search(text):
            return {"count": len(_having(text, sold))}
        found = _exact(text, items)
        if found is not None:
            asks_price = _PRICE.search(text) is not None
            return {
                "item_id": found.item_id,
                **({"price": found.price} if asks_price else {"available": found.available}),
            }
        limit = read_prices(text).high
        if limit is not None and _BUDGET.search(text):
            return {"item_ids": [item.item_id for item in sold if item.price <= limit + 1e-9]}
        option = _option(text, items)
        values = _values(text, items)
        if option is not None and not values and _CHOICES.search(text):
            return {"values": [*sorted({item.options[option] for item in sold if option in item.options})]}
        return {"item_ids": [item.item_id for item in _having(text, sold)]}

    def _product(self, text: str) -> str | None:
        words = set(stems(text))
        named = [(len(stems(name)), sku) for sku, name in self._names.items() if words.issuperset(stems(name))]
        return max(named)[1] if named else None


def _pairs(items: Sequence[Item]) -> list[tuple[str, str]]:
    return sorted({pair for item in items for pair in item.options.items()}, key=lambda pair: (-len(pair[1]), pair))


def _values(text: str, items: Sequence[Item]) -> dict[str, str]:
    """Options that the text gives values of: "key: value", "key is value", "key value", and values no key shares."""
    found: dict[str, str] = {}
    for key, value in _pairs(items):
        said = rf"(?<![\w.-]){re.escape(plain(key))}\s*(?::|=|is|of|in)?\s*{re.escape(plain(value))}(?![\w-]|\.\d)"
        if key not in found and re.search(said, text):
            found[key] = value
    if found:
        return found
    keys_of: dict[str, set[str]] = {}
    for key, value in _pairs(items):
        keys_of.setdefault(plain(value), set()).add(key)
    for key, value in _pairs(items):
        bare = rf"(?<![\w.-]){re.escape(plain(value))}(?![\w-]|\.\d)"
        clear = len(keys_of[plain(value)]) == 1 and plain(value) not in {"yes", "no"}
        if key not in found and clear and re.search(bare, text):
            found[key] = value
    return found


def _having(text: str, items: Sequence[Item]) -> list[Item]:
    wanted = _values(text, items)
    option = _option(text, items)
    if not wanted and option is not None and re.search(r"\b(?:have|has|where|with)\b", text):
        return []  # a value that no variant has
    return [item for item in items if all(item.options.get(key) == value for key, value in wanted.items())]


def _exact(text: str, items: Sequence[Item]) -> Item | None:
    """The one variant whose every option the text gives; None when some are left open."""
    wanted = _values(text, items)
    if not wanted or len(wanted) < max(len(item.options) for item in items):
        return None
    return next((item for item in items if dict(item.options) == wanted), None)


def _option(text: str, items: Sequence[Item]) -> str | None:
    """The option that the text speaks of, the longest name first."""
    keys = sorted({key for item in items for key in item.options}, key=len, reverse=True)
    return next((key for key in keys if re.search(rf"\b{re.escape(plain(key))}s?\b", text)), None)


def _extreme(items: Sequence[Item], *, dear: bool) -> dict[str, JsonValue]:
    if not items:
        return {"item_ids": []}
    price = (max if dear else min)(item.price for item in items)
    return {"item_ids": [item.item_id for item in items if item.price == price], "price": price}


def _difference(text: str, items: Sequence[Item]) -> dict[str, JsonValue]:
    """The two variants are told apart by "and the one", "and the", "versus"."""
    for cut in (r"\band (?:the|a) one\b", r"\bversus\b|\bvs\b\.?", r"\band (?:the|a)\b", r"\bthan\b"):
        for match in re.finditer(cut, text):
            first, second = _exact(text[: match.start()], items), _exact(text[match.end() :], items)
            if first is not None and second is not None:
                return {
                    "item_ids": [first.item_id, second.item_id],
                    "difference": round(abs(first.price - second.price), 2),
                }
    return {}
