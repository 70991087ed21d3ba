"""What every answer about a product starts from: its stock, narrowed to the size and colour asked for."""

import re

from pydantic import JsonValue

from shopfloor.tools.inventory import analysis, queries
from shopfloor.tools.inventory.outcome import Area, Outcome, Shop, joined, verb
from shopfloor.tools.inventory.parse import Parsed
from shopfloor.tools.inventory.queries import Narrowing
from shopfloor.tools.inventory.snapshot import Store
from shopfloor.tools.matching import COLOURS, stems


class ProductFacts:
    """One product (the first of several) with its stock; ``sku`` and the places are resolved by the caller.

    ``areas`` holds the stores of each place asked about: one, or all of a city. ``stores`` is the first of each.
    """

    def __init__(self, shop: Shop, parsed: Parsed, skus: list[str], areas: list[Area]) -> None:
        self.shop = shop
        self.parsed = parsed
        self.skus = skus
        self.areas = areas
        self.stores = [area.stores[0] for area in areas]
        self.sku = skus[0]
        self.name = shop.product_name(self.sku)
        self.offered: list[str] = []  # what it comes in instead
        self.refused: list[str] = []  # what was asked for that the product does not come in
        self.only, self.said, self.note = self._narrowing()
        self.stock = shop.stock(self.sku, self.only) if not self.refused else {}

    def _narrowing(self) -> tuple[Narrowing, str, str]:
        """Which variants count: the narrowing, how to say it, and a note when the shop can't tell."""
        known = queries.variants(self.shop.connection, self.sku)
        counted = queries.counts_variants(self.shop.connection, self.sku)
        colour, colour_note = self._colour(known)
        size, size_note = self._size(known, counted)
        only = Narrowing(size=size, colour=colour if counted else None)
        said = (f" in {only.colour}" if only.colour else "") + (f" in size {size}" if size else "")
        return only, said, colour_note + size_note

    def _colour(self, known: list[queries.Variant]) -> tuple[str | None, str]:
        """The colour asked for, where the product comes in several."""
        own = self.shop.names.matcher.by_sku[self.sku]
        colours = list(dict.fromkeys(variant.colour for variant in known if variant.colour))
        if not colours and own.colour and not set(self._words()) <= set(stems(f"{own.name} {own.extra}")):
            colours = [own.colour]
        asked = [word for word in self._words() if word in COLOURS]
        fitting = [colour for colour in colours if asked and set(asked) <= set(stems(colour))]
        exact = [colour for colour in fitting if set(stems(colour)) == set(asked)]
        if exact or len(fitting) == 1:
            chosen = (exact or fitting)[0]
            return (chosen, "") if len(colours) > 1 else (None, "")
        if asked and colours and not fitting:
            self.refused.append(" ".join(asked))
            return None, f"there is {joined(colours, 12)}"
        return None, ""

    def _words(self) -> tuple[str, ...]:
        return next((ref.words for ref in self.parsed.products if ref.sku == self.sku), ())

    def _size(self, known: list[queries.Variant], counted: bool) -> tuple[str | None, str]:
        """The size asked for as the shop writes it, when its stock is counted by size; else a note."""
        size = self.parsed.size
        if size is None:
            return None, ""
        product = queries.product(self.shop.connection, self.sku)
        offered = list(product.sizes) if product else []
        offered += [variant.size for variant in known if variant.size and variant.size not in offered]
        own = {name.casefold(): name for name in offered}.get(size.casefold())
        own = own or range_with(size, offered)
        if own is not None and counted:
            return own, ""
        if own is not None:
            return None, f" It comes in size {own}, but stock is counted for all sizes together."
        if offered:
            self.refused.append(f"size {size}")
            self.offered += offered
            return None, f"there is {joined(offered, 12)}"
        return None, " It comes in one size only."

    def refusal(self) -> Outcome | None:
        """The answer when the product does not come in the colour or size asked for."""
        if not self.refused:
            return None
        facts: dict[str, JsonValue] = {
            "carried": False, "quantity": 0, "in_stock": False, "answer": False, "error": "unknown_variant",
            "offered": list(self.offered),
        }  # fmt: skip
        text = f"Sorry, the {self.name} {verb(self.name, 'does', 'do')} not come in {joined(self.refused)}; {self.note.strip()}."
        slots: dict[str, JsonValue] = {"sku": self.sku}
        return Outcome("answered", self.parsed.intent, slots, facts, text, sku=self.sku)

    def outcome(self, slots: dict[str, JsonValue], structured: dict[str, JsonValue], text: str) -> Outcome:
        """An answered outcome with the slots every answer has."""
        base: dict[str, JsonValue] = {"sku": self.sku}
        if self.parsed.size is not None:
            base["size"] = self.only.size or self.parsed.size
        return Outcome("answered", self.parsed.intent, base | slots, structured, text + self.note, sku=self.sku)

    def held(self, area: Area) -> int:
        """Units in all stores of a place."""
        return sum(self.stock.get(store.store_id, 0) for store in area.stores)

    def in_stock(self) -> list[Store]:
        """Stores that have it."""
        return [self.shop.store(store_id) for store_id, quantity in self.stock.items() if quantity > 0]

    def ranked(
        self, latitude: float | None, longitude: float | None, skip: set[str] | None = None
    ) -> list[tuple[Store, float]]:
        """Stores with stock and coordinates, nearest first, with the distance in km."""
        if latitude is None or longitude is None:
            return []
        need = max(1, self.parsed.amount or 1)
        found: list[tuple[float, Store]] = []
        for store_id, quantity in self.stock.items():
            distance = self.shop.store(store_id).km_from(latitude, longitude)
            if quantity >= need and distance is not None and store_id not in (skip or ()):
                found.append((distance, self.shop.store(store_id)))
        found.sort(key=lambda item: (item[0], item[1].store_id))
        return [(store, round(distance, 1)) for distance, store in found]

    def instead(self, facts: dict[str, JsonValue]) -> str:
        """What else could be had, in words."""
        product = queries.product(self.shop.connection, self.sku)
        similar = analysis.alternatives(self.shop.connection, product) if product else []
        facts["alternatives"] = [item.sku for item in similar]
        return f" You could have {joined((item.name for item in similar), last='or')} instead." if similar else ""


def range_with(size: str, offered: list[str]) -> str | None:
    """The offered size that is a range around a number: "39-42" for 41."""
    if not re.fullmatch(r"\d{1,3}(?:\.\d)?", size):
        return None
    for name in offered:
        ends = re.fullmatch(r"\D*(\d{1,3})\s*[-–/]\s*(\d{1,3})\D*", name)
        if ends is not None and int(ends[1]) <= float(size) <= int(ends[2]):
            return name
    return None
