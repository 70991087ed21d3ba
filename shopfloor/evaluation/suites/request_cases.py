"""Requests made from a shop's own rows, with gold by a check that shares no code with the agent's own.

The maker draws a product and asks for something like it in one of many wordings; what fits is then computed from the
database. It serves ``eval requests`` without a file, ``eval grounding``, and tests.
"""

import json
import math
import random
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

_COLOURS = ("red", "blue", "green", "yellow", "pink", "purple", "black", "white", "brown", "grey", "beige", "navy")
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Row:
    """A product as the check sees it, in plain lower-case text."""

    sku: str
    name: str
    category: str
    colours: tuple[str, ...]
    sizes: tuple[str, ...]
    gender: str
    brand: str
    prices: tuple[float, ...]
    currency: str
    pairs: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class MadeRequest:
    """A request and what its answer must keep."""

    text: str
    kind: str
    constraints: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


def load_rows(connection: sqlite3.Connection) -> list[Row]:
    """Every active product with the colours, sizes and prices of its variants joined in."""
    variants: dict[str, list[sqlite3.Row]] = {}
    for row in connection.execute("SELECT sku, size, colour, price, available FROM variants"):
        variants.setdefault(str(row["sku"]), []).append(row)
    query = "SELECT sku, name, category, price, currency, colour, gender, brand, sizes FROM products WHERE active = 1"
    return [_row(row, variants.get(str(row["sku"]), [])) for row in connection.execute(query + " ORDER BY sku")]


def _row(row: sqlite3.Row, variants: Sequence[sqlite3.Row]) -> Row:
    sold = [variant for variant in variants if variant["available"]] or variants
    gone = {c for v in variants for c in _parts(str(v["colour"] or ""))}
    colours = (_parts(str(row["colour"] or "")) - gone) | {c for v in sold for c in _parts(str(v["colour"] or ""))}
    if not colours:
        colours = {word for word in _WORDS.findall(str(row["name"]).lower()) if word in _COLOURS}
    gone = {str(v["size"]).strip().lower() for v in variants if v["size"]}
    sizes = (_parts(str(row["sizes"] or "")) - gone) | {str(v["size"]).strip().lower() for v in sold if v["size"]}
    told = [row["price"] if v["price"] is None else v["price"] for v in variants if v["available"]]
    prices = [price for price in told if price is not None] or [row["price"]] * (row["price"] is not None)
    return Row(
        sku=str(row["sku"]),
        name=str(row["name"]).lower(),
        category=str(row["category"] or "").strip().lower(),
        colours=tuple(sorted(colours)),
        sizes=tuple(sorted(sizes)),
        gender=str(row["gender"] or "").strip().lower(),
        brand=str(row["brand"] or "").strip().lower(),
        prices=tuple(float(price) for price in prices),
        currency=str(row["currency"]),
        pairs=frozenset((str(v["size"] or "").strip().lower(), c) for v in sold for c in _parts(str(v["colour"]))),
    )


def _parts(text: str) -> set[str]:
    return {part.strip().lower() for part in re.split(r"[|/,]", text) if part.strip()}


def fits(row: Row, constraints: Mapping[str, JsonValue]) -> bool:
    """Whether a product keeps every constraint of a case. A constraint of an unknown name is looked for in its text."""
    for name, value in constraints.items():
        if value in (None, "", [], {}):
            continue
        if name == "not":
            if isinstance(value, dict) and any(_denied(row, key, part) for key, part in value.items() if part):
                return False
        elif not _keeps(row, name, value):
            return False
    return _one_variant(row, constraints)


def _keeps(row: Row, name: str, value: JsonValue) -> bool:
    if isinstance(value, list):
        return any(_keeps(row, name, part) for part in value)
    if name in {"price_max", "price_min"} and isinstance(value, int | float):
        slack = 0.005
        if name == "price_max":
            return bool(row.prices) and min(row.prices) <= value + slack
        return bool(row.prices) and max(row.prices) >= value - slack
    test = _TESTS.get(name)
    text = str(value).strip().lower()
    return test(row, text) if test is not None else text in f"{row.name} {row.category} {row.brand}"


def _denied(row: Row, name: str, value: JsonValue) -> bool:
    """A colour is denied only where the product comes in no other; everything else where it has it."""
    if isinstance(value, list):
        if name == "colour":
            return bool(row.colours) and all(any(_names(c, str(part)) for part in value) for c in row.colours)
        return any(_denied(row, name, part) for part in value)
    if name == "colour":
        return _denied(row, name, [value])
    return _keeps(row, name, value)


def _names(colour: str, wanted: str) -> bool:
    same = {"gray": "grey"}
    words = {same.get(word, word) for word in _WORDS.findall(colour)}
    return words.issuperset(same.get(word, word) for word in _WORDS.findall(wanted.lower()))


def _is_kind(row: Row, wanted: str) -> bool:
    """The shop's category; or, where it has none of that name for the product, a word of the product's name."""
    return _singular(row.category) == _singular(wanted) or _has_words(f"{row.category} {row.name}", wanted)


def _has_words(text: str, wanted: str) -> bool:
    return {_singular(w) for w in _WORDS.findall(text)} >= {_singular(w) for w in _WORDS.findall(wanted)}


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "shes", "ches", "xes")) else word.removesuffix("s")


def _is_for(row: Row, wanted: str) -> bool:
    people = {
        "women": ("women", "woman", "female", "lad", "unisex"),
        "men": ("men", "man", "male", "unisex"),
        "girl": ("girl", "kid", "child"),
        "boy": ("boy", "kid", "child"),
        "kid": ("kid", "child", "girl", "boy"),
    }
    group = next((words for key, words in people.items() if wanted.startswith(key)), (wanted,))
    first = _WORDS.findall(row.gender)
    return not row.gender or any(word.startswith(start) for word in first for start in group)


def _one_variant(row: Row, constraints: Mapping[str, JsonValue]) -> bool:
    """Size and colour must be had together where variants say which go together."""
    size, colour = constraints.get("size"), constraints.get("colour")
    if not size or not colour or not any(s and c for s, c in row.pairs):
        return True
    return any(str(size).strip().lower() == s and _names(c, str(colour)) for s, c in row.pairs)


_TESTS: Mapping[str, Callable[[Row, str], bool]] = {
    "colour": lambda row, text: any(_names(colour, text) for colour in row.colours),
    "color": lambda row, text: any(_names(colour, text) for colour in row.colours),
    "size": lambda row, text: text in row.sizes,
    "category": _is_kind,
    "gender": _is_for,
    "brand": lambda row, text: row.brand == text,
    "term": lambda row, text: _has_words(row.name, text),
}


class RequestMaker:
    """Makes requests of one shop, always the same for a seed."""

    def __init__(self, rows: Sequence[Row], seed: int) -> None:
        self._rows = [row for row in rows if row.prices]
        self._random = random.Random(seed)
        self._labelled = any(row.category for row in self._rows)

    def make(self) -> MadeRequest:
        """One request that some product fits."""
        while True:
            row = self._random.choice(self._rows)
            constraints = self._constraints(row)
            if constraints is not None and fits(row, constraints):
                return MadeRequest(self._worded(row, constraints), self._kind(constraints), constraints)

    def _constraints(self, row: Row) -> dict[str, JsonValue] | None:
        noun = self._noun(row)
        if noun is None:
            return None
        out: dict[str, JsonValue] = {"category": noun}
        chance = self._random.random
        plain = [colour for colour in row.colours if colour in _COLOURS]
        if plain and chance() < 0.5:
            out["colour"] = self._random.choice(plain)
        elif chance() < 0.3:
            others = [colour for colour in _COLOURS if colour not in row.colours and colour != "navy"]
            out["not"] = {"colour": self._random.choice(others)}
        letters = [size for size in row.sizes if size in {"xs", "s", "m", "l", "xl", "xxl"} or size.isdigit()]
        if letters and chance() < 0.3:
            out["size"] = self._random.choice(letters)
        if chance() < 0.6:
            out["price_max"] = self._limit(min(row.prices))
        if row.gender and chance() < 0.5:
            gender = next((g for g in ("women", "girl", "boy", "kid", "men") if _is_for(row, g)), None)
            if gender is not None and "unisex" not in row.gender:
                out["gender"] = gender
        return out

    def _noun(self, row: Row) -> str | None:
        if self._labelled:
            return row.category or None
        words = [word for word in _WORDS.findall(row.name) if word not in _COLOURS and word.isalpha() and len(word) > 2]
        return words[-1] if words else None

    def _limit(self, price: float) -> float:
        factor = self._random.choice((1.02, 1.2, 1.6, 2.5))
        return float(math.ceil(price * factor)) if price > 5 else math.ceil(price * factor * 20) / 20

    def _kind(self, constraints: Mapping[str, JsonValue]) -> str:
        return "+".join(sorted(key for key in constraints if key != "category")) or "category"

    def _worded(self, row: Row, constraints: Mapping[str, JsonValue]) -> str:
        pick = self._random.choice
        noun = str(constraints["category"])
        colour = f"{constraints['colour']} " if "colour" in constraints else ""
        parts = [pick(("", "a ", "I need ", "I'm looking for ", "show me ", "do you have ", "please recommend "))]
        parts.append(f"{colour}{noun}" if pick((True, True, False)) or not colour else f"{noun} in {colour.strip()}")
        if "gender" in constraints:
            people = {"women": ("for my wife", "for women"), "men": ("for my husband", "for men"),
                      "girl": ("for my daughter", "for a girl"), "boy": ("for my son", "for a boy"),
                      "kid": ("for kids", "for a child")}  # fmt: skip
            parts.append(" " + pick(people[str(constraints["gender"])]))
        if "size" in constraints:
            parts.append(f" {pick(('in size', 'size'))} {str(constraints['size']).upper()}")
        if isinstance(denied := constraints.get("not"), dict):
            parts.append(
                pick((", not {}", " but not {}", ", anything but {}", ", no {} please")).format(denied["colour"])
            )
        if isinstance(limit := constraints.get("price_max"), int | float):
            figure = f"{limit:.0f}" if limit == int(limit) else f"{limit:.2f}"
            form = pick((" under {}", " up to {} {c}", ", max {}", " for less than {} {c}", ", my budget is {} {c}"))
            parts.append(form.format(figure, c=row.currency))
        return "".join(parts).strip()


def compact(constraints: Mapping[str, JsonValue]) -> str:
    """A constraint object in one line, for reports."""
    return json.dumps(constraints, ensure_ascii=False, sort_keys=True)
