"""Answers about where a product is and how many there are."""

from collections.abc import Callable

from pydantic import JsonValue

from shopfloor.tools.inventory import analysis, queries
from shopfloor.tools.inventory.outcome import Area, Outcome, at, joined, json_id, km, labels, place, units, verb
from shopfloor.tools.inventory.product_facts import ProductFacts
from shopfloor.tools.inventory.snapshot import Store


class ProductAnswers(ProductFacts):
    """One method an intent."""

    def handlers(self) -> dict[str, Callable[[], Outcome]]:
        """The intents answered here."""
        return {
            "stock_at_store": self.stock_at_store,
            "at_least_n": self.at_least_n,
            "stores_with_product": self.stores_with_product,
            "total_stock": self.total_stock,
            "nearest_other_store": self.nearest_other_store,
            "nearest_from_point": self.nearest_from_point,
            "compare_stores": self.compare_stores,
            "top_store": self.top_store,
            "multi_product": self.multi_product,
        }

    def stock_at_store(self) -> Outcome:
        if not self.areas[0].single:
            return self._stock_in_area(self.areas[0])
        store = self.stores[0]
        quantity = self.stock.get(store.store_id, 0)
        carried = store.store_id in self.stock
        facts: dict[str, JsonValue] = {
            "carried": carried, "quantity": quantity, "in_stock": quantity > 0,
            "store_id": json_id(store.store_id), "city": store.label,
        }  # fmt: skip
        if quantity > 0:
            only = "just " if quantity <= self.shop.settings.low_stock_units else ""
            text = f"Yes, {at(store)} we have {only}{units(quantity)} of the {self.name}{self.said}."
        else:
            why = verb(self.name, "is", "are") + (" sold out" if carried else " not carried")
            text = f"Sorry, the {self.name}{self.said} {why} {at(store)}."
            text += self._elsewhere(store, facts)
        return self.outcome({"city": store.label}, facts, text)

    def _stock_in_area(self, area: Area) -> Outcome:
        """Every store of a city, by name, and the sum."""
        total = self.held(area)
        having = [store for store in area.stores if self.stock.get(store.store_id, 0) > 0]
        best = max(area.stores, key=lambda store: self.stock.get(store.store_id, 0))
        facts: dict[str, JsonValue] = {
            "carried": any(store.store_id in self.stock for store in area.stores), "quantity": total, "in_stock": total > 0,
            "store_id": json_id(best.store_id), "store_ids": [json_id(store.store_id) for store in having],
            "quantities": {store.store_id: self.stock.get(store.store_id, 0) for store in area.stores}, "city": area.label,
        }  # fmt: skip
        if having:
            text = f"Yes, {area.where} you can have the {self.name}{self.said}: {self._each(area)}"
            text += f", {total} in all." if len(having) > 1 else "."
        else:
            text = f"Sorry, none of our stores in {area.label} has the {self.name}{self.said}."
            text += self._elsewhere(area.stores[0], facts, area)
        return self.outcome({"city": area.label}, facts, text)

    def _each(self, area: Area) -> str:
        """ "Mitte has 4 and Kreuzberg 2"; a store without any is said to have none."""
        counts = [self.stock.get(store.store_id, 0) or "none" for store in area.stores]
        names = labels(area.stores)
        return joined((f"{name} has {count}" for name, count in zip(names, counts, strict=True)), 12)

    def _elsewhere(self, store: Store, facts: dict[str, JsonValue], area: Area | None = None) -> str:
        """Where else it is, nearest first, or what could take its place."""
        here = {other.store_id for other in area.stores} if area is not None else {store.store_id}
        ranked = self.ranked(store.latitude, store.longitude, skip=here)
        others = ranked or [(other, None) for other in self.in_stock()]
        if others:
            other, distance = others[0]
            facts["nearest"] = {
                "store_id": json_id(other.store_id), "city": other.label,
                "quantity": self.stock[other.store_id], "distance_km": distance,
            }  # fmt: skip
            away = f", {km(distance)}" if distance is not None else ""
            return f" The nearest with stock is {place(other)}{away}: {units(self.stock[other.store_id])}."
        product = queries.product(self.shop.connection, self.sku)
        if product is None:
            return ""
        similar = analysis.alternatives(self.shop.connection, product, store_id=store.store_id)
        facts["alternatives"] = [item.sku for item in similar]
        if not similar:
            return " No other store has it at the moment."
        return f" No other store has it. Here you could have {joined((item.name for item in similar), last='or')}."

    def at_least_n(self) -> Outcome:
        wanted = self.parsed.amount or 1
        if not self.stores:
            total = sum(self.stock.values())
            enough = [store for store in self.in_stock() if self.stock[store.store_id] >= wanted]
            facts: dict[str, JsonValue] = {
                "answer": bool(enough), "quantity": total, "total_quantity": total,
                "store_ids": [json_id(store.store_id) for store in enough], "cities": [store.label for store in enough],
            }  # fmt: skip
            if enough:
                text = f"Yes: {wanted} of the {self.name}{self.said} in one place you find {_where(enough)}."
            elif total >= wanted:
                text = f"No single store has {wanted} of the {self.name}{self.said}, but all together we have {units(total)}."
            else:
                text = f"Sorry, we have {units(total)} of the {self.name}{self.said} in all, fewer than the {wanted} you want."
            return self.outcome({"n": wanted}, facts, text)
        if not self.areas[0].single:
            return self._at_least_in_area(self.areas[0], wanted)
        store = self.stores[0]
        quantity = self.stock.get(store.store_id, 0)
        facts = {"answer": quantity >= wanted, "quantity": quantity, "store_id": json_id(store.store_id)}
        if quantity >= wanted:
            text = f"Yes, {at(store)} there is enough for {wanted}: {units(quantity)} of the {self.name}{self.said}."
        else:
            have = f"only {units(quantity)}" if quantity else "none"
            text = f"Sorry, you want {wanted}, and {at(store)} we have {have} of the {self.name}{self.said}."
            ranked = self.ranked(store.latitude, store.longitude, skip={store.store_id})
            if ranked:
                other, distance = ranked[0]
                text += f" The nearest with {wanted} or more is {place(other)}, {km(distance)}."
        return self.outcome({"city": store.label, "n": wanted}, facts, text)

    def _at_least_in_area(self, area: Area, wanted: int) -> Outcome:
        """Whether one store of a city has enough, or all of them together."""
        total = self.held(area)
        enough = [store for store in area.stores if self.stock.get(store.store_id, 0) >= wanted]
        facts: dict[str, JsonValue] = {
            "answer": bool(enough), "quantity": total, "store_ids": [json_id(store.store_id) for store in enough],
            "quantities": {store.store_id: self.stock.get(store.store_id, 0) for store in area.stores},
        }  # fmt: skip
        each = self._each(area)
        if enough:
            text = f"Yes, there is enough for {wanted} of the {self.name}{self.said}: {each}."
        elif total >= wanted:
            text = f"No single store {area.where} has {wanted} of the {self.name}{self.said}, but together they do: {each}."
        else:
            text = f"Sorry, you want {wanted}, and {area.where} we have {units(total)} of the {self.name}{self.said}: {each}."
        return self.outcome({"city": area.label, "n": wanted}, facts, text)

    def stores_with_product(self) -> Outcome:
        need = max(1, self.parsed.amount or 1)
        having = [store for store in self.in_stock() if self.stock[store.store_id] >= need]
        facts: dict[str, JsonValue] = {
            "store_ids": [json_id(store.store_id) for store in having],
            "cities": [store.label for store in having],
            "count": len(having),
            "quantities": {store.store_id: self.stock[store.store_id] for store in having},
        }
        if having:
            shown = [
                f"{name} ({self.stock[store.store_id]})" for name, store in zip(labels(having), having, strict=True)
            ]
            has = "store has" if len(having) == 1 else "stores have"
            text = f"{len(having)} {has} the {self.name}{self.said} in stock: {joined(shown, 12)}."
        else:
            text = (
                f"Sorry, the {self.name}{self.said} {verb(self.name, 'is', 'are')} out of stock everywhere."
                + self.instead(facts)
            )
        return self.outcome({}, facts, text)

    def total_stock(self) -> Outcome:
        total = sum(self.stock.values())
        count = len(self.in_stock())
        where = "1 store" if count == 1 else f"{count} stores"
        text = f"In all we have {units(total)} of the {self.name}{self.said}, in {where}."
        if total == 0:
            text = f"The {self.name}{self.said} {verb(self.name, 'is', 'are')} out of stock in every store."
        return self.outcome({}, {"total_quantity": total, "stores_in_stock": count}, text)

    def nearest_other_store(self) -> Outcome:
        origin = self.stores[0]
        here = {store.store_id for store in self.areas[0].stores}
        ranked = self.ranked(origin.latitude, origin.longitude, skip=here)
        facts = self._nearest_facts(ranked)
        if ranked:
            store, distance = ranked[0]
            text = (
                f"The nearest other store with the {self.name}{self.said} is {place(store)},"
                f" {distance:.1f} km from {origin.label}, with {units(self.stock[store.store_id])}."
            )
        else:
            others = [store for store in self.in_stock() if store.store_id not in here]
            if others:
                text = f"I can't reckon a distance from {place(origin)}; the {self.name}{self.said} {verb(self.name, 'is', 'are')} in stock {_where(others)}."
            else:
                text = f"Sorry, no other store has the {self.name}{self.said} in stock." + self.instead(facts)
        return self.outcome({"origin_city": origin.label}, facts, text)

    def _nearest_facts(self, ranked: list[tuple[Store, float]]) -> dict[str, JsonValue]:
        if not ranked:
            return {"store_id": None, "city": None, "quantity": None, "distance_km": None}
        store, distance = ranked[0]
        return {
            "store_id": json_id(store.store_id), "city": store.label,
            "quantity": self.stock[store.store_id], "distance_km": distance,
        }  # fmt: skip

    def nearest_from_point(self) -> Outcome:
        latitude, longitude = self.parsed.origin or (0.0, 0.0)
        ranked = self.ranked(latitude, longitude)
        facts = self._nearest_facts(ranked)
        if ranked:
            store, distance = ranked[0]
            text = (
                f"The nearest store with the {self.name}{self.said} is {place(store)}, {distance:.1f} km from you,"
                f" with {units(self.stock[store.store_id])}."
            )
        else:
            text = f"Sorry, no store has the {self.name}{self.said} in stock right now." + self.instead(facts)
        return self.outcome({"latitude": latitude, "longitude": longitude}, facts, text)

    def compare_stores(self) -> Outcome:
        refs = [ref for ref in self.parsed.places if ref.store_ids]
        names = labels(self.stores)
        names = [
            store.label if len(ref.store_ids) > 1 else name
            for ref, name, store in zip(refs, names, self.stores, strict=True)
        ]
        quantities = {
            name: sum(self.stock.get(store_id, 0) for store_id in ref.store_ids)
            for name, ref in zip(names, refs, strict=True)
        }
        best = max(quantities.values())
        leaders = [name for name, quantity in quantities.items() if quantity == best]
        more = leaders[0] if len(leaders) == 1 else None
        said = joined(f"{name} has {quantity}" for name, quantity in quantities.items())
        text = f"Of the {self.name}{self.said}, {said}."
        if more is not None:
            text += f" {more} has more."
        else:
            text += " That is the same." if len(leaders) == len(quantities) else f" {joined(leaders)} have the most."
        slots: dict[str, JsonValue] = {f"city_{letter}": name for letter, name in zip("abcdefgh", names, strict=False)}
        return self.outcome(slots, {"quantities": dict(quantities), "more": more}, text)

    def top_store(self) -> Outcome:
        best = max(self.stock.values(), default=0)
        leaders = [store for store in self.in_stock() if self.stock[store.store_id] == best]
        facts: dict[str, JsonValue] = {
            "store_ids": [json_id(store.store_id) for store in leaders],
            "cities": [store.label for store in leaders],
            "quantity": best,
        }
        if not leaders:
            return self.outcome(
                {}, facts, f"Sorry, the {self.name}{self.said} {verb(self.name, 'is', 'are')} out of stock everywhere."
            )
        has = "has" if len(leaders) == 1 else "each have"
        text = f"{joined(labels(leaders))} {has} the most of the {self.name}{self.said}: {units(best)}."
        return self.outcome({}, facts, text)

    def multi_product(self) -> Outcome:
        area = self.areas[0] if self.areas else None
        slots: dict[str, JsonValue] = {"skus": list(self.skus)}
        if area is not None:
            slots["city"] = area.label
        held = {sku: self.shop.stock(sku) for sku in self.skus}
        quantities = {
            sku: sum(stock.get(store.store_id, 0) for store in area.stores) if area is not None else sum(stock.values())
            for sku, stock in held.items()
        }
        need = max(1, self.parsed.amount or 1)
        every = all(quantity >= need for quantity in quantities.values())
        parts = joined(
            f"the {self.shop.product_name(sku)}: {quantity or 'none'}" for sku, quantity in quantities.items()
        )
        where = area.where if area is not None else "in all stores together"
        start = "Yes, you can have them all" if every else "Not all of them are there"
        text = f"{start} {where}: {parts}." if every else f"{start}. {where[0].upper()}{where[1:]}: {parts}."
        facts: dict[str, JsonValue] = {"quantities": dict(quantities), "all_in_stock": every}
        if not every or area is None or not area.single:
            full = [
                store for store in self.shop.names.stores.values()
                if all(stock.get(store.store_id, 0) >= need for stock in held.values())
            ]  # fmt: skip
            facts["stores_with_all"] = [json_id(store.store_id) for store in full]
            text += f" You find all of them {_where(full)}." if full else " No single store has them all."
        return Outcome("answered", self.parsed.intent, slots, facts, text, sku=self.sku)


def _where(stores: list[Store]) -> str:
    offline = [store for store in stores if not store.online]
    parts = ["online"] if len(offline) < len(stores) else []
    if offline:
        parts.append(f"in {joined(labels(offline))}")
    return " and ".join(parts)
