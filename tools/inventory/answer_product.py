"""Answers about one or several products."""

from collections.abc import Callable

from pydantic import JsonValue

from shopfloor.tools.inventory import analysis, queries
from shopfloor.tools.inventory.outcome import Outcome, Shop, at, joined, json_id, km, labels, place, units
from shopfloor.tools.inventory.parse import Parsed
from shopfloor.tools.inventory.queries import Narrowing
from shopfloor.tools.inventory.snapshot import Store
from shopfloor.tools.matching import COLOURS, stems


class ProductAnswers:
    """One method an intent; ``sku`` and the stores are resolved by the caller."""

    def __init__(self, shop: Shop, parsed: Parsed, skus: list[str], stores: list[Store]) -> None:
        self._shop = shop
        self._parsed = parsed
        self._skus = skus
        self._stores = stores
        self._sku = skus[0]
        self._name = shop.product_name(self._sku)
        self._refused: list[str] = []  # what was asked for that the product does not come in
        self._only, self._said, self._note = self._narrowing()
        self._stock = shop.stock(self._sku, self._only) if not self._refused else {}

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
            "sizes_and_stock": self.sizes_and_stock,
            "days_of_cover": self.days_of_cover,
            "reorder_point": self.reorder_point,
            "alternatives": self.alternatives,
            "transfer": self.transfer,
        }

    def _narrowing(self) -> tuple[Narrowing, str, str]:
        """Which variants count: the narrowing, how to say it, and a note when the shop can't tell."""
        known = queries.variants(self._shop.connection, self._sku)
        counted = queries.counts_variants(self._shop.connection, self._sku)
        colour, colour_note = self._colour(known)
        size, size_note = self._size(known, counted)
        only = Narrowing(size=size, colour=colour if counted else None)
        said = (f" in {only.colour}" if only.colour else "") + (f" in size {size}" if size else "")
        return only, said, colour_note + size_note

    def _colour(self, known: list[queries.Variant]) -> tuple[str | None, str]:
        """The colour asked for, where the product comes in several."""
        own = self._shop.names.matcher.by_sku[self._sku]
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
            self._refused.append(' '.join(asked))
            return None, f"there is {joined(colours, 12)}"
        return None, ""

    def _words(self) -> tuple[str, ...]:
        return next((ref.words for ref in self._parsed.products if ref.sku == self._sku), ())

    def _size(self, known: list[queries.Variant], counted: bool) -> tuple[str | None, str]:
        """The size asked for as the shop writes it, when its stock is counted by size; else a note."""
        size = self._parsed.size
        if size is None:
            return None, ""
        product = queries.product(self._shop.connection, self._sku)
        offered = list(product.sizes) if product else []
        offered += [variant.size for variant in known if variant.size and variant.size not in offered]
        own = {name.casefold(): name for name in offered}.get(size.casefold())
        if own is not None and counted:
            return own, ""
        if own is not None:
            return None, f" It comes in size {own}, but stock is counted for all sizes together."
        if offered:
            self._refused.append(f"size {size}")
            return None, f"there is {joined(offered, 12)}"
        return None, " It comes in one size only."

    def refusal(self) -> Outcome | None:
        """The answer when the product does not come in the colour or size asked for."""
        if not self._refused:
            return None
        facts: dict[str, JsonValue] = {
            "carried": False, "quantity": 0, "in_stock": False, "answer": False, "error": "unknown_variant",
        }  # fmt: skip
        text = f"Sorry, the {self._name} does not come in {joined(self._refused)}; {self._note.strip()}."
        slots: dict[str, JsonValue] = {"sku": self._sku}
        return Outcome("answered", self._parsed.intent, slots, facts, text, sku=self._sku)

    def _outcome(self, slots: dict[str, JsonValue], structured: dict[str, JsonValue], text: str) -> Outcome:
        base: dict[str, JsonValue] = {"sku": self._sku}
        if self._parsed.size is not None:
            base["size"] = self._parsed.size
        return Outcome("answered", self._parsed.intent, base | slots, structured, text + self._note, sku=self._sku)

    def _in_stock(self) -> list[Store]:
        return [self._shop.store(store_id) for store_id, quantity in self._stock.items() if quantity > 0]

    def stock_at_store(self) -> Outcome:
        store = self._stores[0]
        quantity = self._stock.get(store.store_id, 0)
        carried = store.store_id in self._stock
        facts: dict[str, JsonValue] = {
            "carried": carried, "quantity": quantity, "in_stock": quantity > 0,
            "store_id": json_id(store.store_id), "city": store.label,
        }  # fmt: skip
        if quantity > 0:
            only = "just " if quantity <= self._shop.settings.low_stock_units else ""
            text = f"Yes, {at(store)} we have {only}{units(quantity)} of the {self._name}{self._said}."
        else:
            why = "is sold out" if carried else "is not carried"
            text = f"Sorry, the {self._name}{self._said} {why} {at(store)}."
            text += self._elsewhere(store, facts)
        return self._outcome({"city": store.label}, facts, text)

    def _elsewhere(self, store: Store, facts: dict[str, JsonValue]) -> str:
        """Where else it is, nearest first, or what could take its place."""
        ranked = self._ranked(store.latitude, store.longitude, skip={store.store_id})
        others = ranked or [(other, None) for other in self._in_stock()]
        if others:
            other, distance = others[0]
            facts["nearest"] = {
                "store_id": json_id(other.store_id), "city": other.label,
                "quantity": self._stock[other.store_id], "distance_km": distance,
            }  # fmt: skip
            away = f", {km(distance)}" if distance is not None else ""
            return f" The nearest with stock is {place(other)}{away}: {units(self._stock[other.store_id])}."
        product = queries.product(self._shop.connection, self._sku)
        if product is None:
            return ""
        similar = analysis.alternatives(self._shop.connection, product, store_id=store.store_id)
        facts["alternatives"] = [item.sku for item in similar]
        if not similar:
            return " No other store has it at the moment."
        return f" No other store has it. Here you could have {joined((item.name for item in similar), last='or')}."

    def _ranked(
        self, latitude: float | None, longitude: float | None, skip: set[str] | None = None
    ) -> list[tuple[Store, float]]:
        """Stores with stock and coordinates, nearest first, with the distance in km."""
        if latitude is None or longitude is None:
            return []
        need = max(1, self._parsed.amount or 1)
        found: list[tuple[float, Store]] = []
        for store_id, quantity in self._stock.items():
            distance = self._shop.store(store_id).km_from(latitude, longitude)
            if quantity >= need and distance is not None and store_id not in (skip or ()):
                found.append((distance, self._shop.store(store_id)))
        found.sort(key=lambda item: (item[0], item[1].store_id))
        return [(store, round(distance, 1)) for distance, store in found]

    def at_least_n(self) -> Outcome:
        wanted = self._parsed.amount or 1
        if not self._stores:
            total = sum(self._stock.values())
            enough = [store for store in self._in_stock() if self._stock[store.store_id] >= wanted]
            facts: dict[str, JsonValue] = {
                "answer": bool(enough), "quantity": total, "total_quantity": total,
                "store_ids": [json_id(store.store_id) for store in enough], "cities": [store.label for store in enough],
            }  # fmt: skip
            if enough:
                text = f"Yes: {wanted} of the {self._name}{self._said} in one place you find {_where(enough)}."
            elif total >= wanted:
                text = f"No single store has {wanted} of the {self._name}{self._said}, but all together we have {units(total)}."
            else:
                text = f"Sorry, we have {units(total)} of the {self._name}{self._said} in all, fewer than the {wanted} you want."
            return self._outcome({"n": wanted}, facts, text)
        store = self._stores[0]
        quantity = self._stock.get(store.store_id, 0)
        facts = {"answer": quantity >= wanted, "quantity": quantity, "store_id": json_id(store.store_id)}
        if quantity >= wanted:
            text = f"Yes, {at(store)} there is enough for {wanted}: {units(quantity)} of the {self._name}{self._said}."
        else:
            have = f"only {units(quantity)}" if quantity else "none"
            text = f"Sorry, {at(store)} there is {have} of the {self._name}{self._said}, not {wanted}."
            ranked = self._ranked(store.latitude, store.longitude, skip={store.store_id})
            if ranked:
                other, distance = ranked[0]
                text += f" The nearest with {wanted} or more is {place(other)}, {km(distance)}."
        return self._outcome({"city": store.label, "n": wanted}, facts, text)

    def stores_with_product(self) -> Outcome:
        need = max(1, self._parsed.amount or 1)
        having = [store for store in self._in_stock() if self._stock[store.store_id] >= need]
        facts: dict[str, JsonValue] = {
            "store_ids": [json_id(store.store_id) for store in having],
            "cities": [store.label for store in having],
            "count": len(having),
            "quantities": {json_key(store): self._stock[store.store_id] for store in having},
        }
        if having:
            shown = [f"{name} ({self._stock[store.store_id]})" for name, store in zip(labels(having), having, strict=True)]
            verb = "store has" if len(having) == 1 else "stores have"
            text = f"{len(having)} {verb} the {self._name}{self._said} in stock: {joined(shown, 12)}."
        else:
            text = f"Sorry, the {self._name}{self._said} is out of stock everywhere." + self._instead(facts)
        return self._outcome({}, facts, text)

    def _instead(self, facts: dict[str, JsonValue]) -> str:
        product = queries.product(self._shop.connection, self._sku)
        similar = analysis.alternatives(self._shop.connection, product) if product else []
        facts["alternatives"] = [item.sku for item in similar]
        return f" You could have {joined((item.name for item in similar), last='or')} instead." if similar else ""

    def total_stock(self) -> Outcome:
        total = sum(self._stock.values())
        count = len(self._in_stock())
        where = "1 store" if count == 1 else f"{count} stores"
        text = f"In all we have {units(total)} of the {self._name}{self._said}, in {where}."
        if total == 0:
            text = f"The {self._name}{self._said} is out of stock in every store."
        return self._outcome({}, {"total_quantity": total, "stores_in_stock": count}, text)

    def nearest_other_store(self) -> Outcome:
        origin = self._stores[0]
        ranked = self._ranked(origin.latitude, origin.longitude, skip={origin.store_id})
        facts = self._nearest_facts(ranked)
        if ranked:
            store, distance = ranked[0]
            text = (
                f"The nearest other store with the {self._name}{self._said} is {place(store)},"
                f" {distance:.1f} km from {origin.label}, with {units(self._stock[store.store_id])}."
            )
        else:
            others = [store for store in self._in_stock() if store.store_id != origin.store_id]
            if others:
                text = f"I can't reckon a distance from {place(origin)}; the {self._name}{self._said} is in stock {_where(others)}."
            else:
                text = f"Sorry, no other store has the {self._name}{self._said} in stock." + self._instead(facts)
        return self._outcome({"origin_city": origin.label}, facts, text)

    def _nearest_facts(self, ranked: list[tuple[Store, float]]) -> dict[str, JsonValue]:
        if not ranked:
            return {"store_id": None, "city": None, "quantity": None, "distance_km": None}
        store, distance = ranked[0]
        return {
            "store_id": json_id(store.store_id), "city": store.label,
            "quantity": self._stock[store.store_id], "distance_km": distance,
        }  # fmt: skip

    def nearest_from_point(self) -> Outcome:
        latitude, longitude = self._parsed.origin or (0.0, 0.0)
        ranked = self._ranked(latitude, longitude)
        facts = self._nearest_facts(ranked)
        if ranked:
            store, distance = ranked[0]
            text = (
                f"The nearest store with the {self._name}{self._said} is {place(store)}, {distance:.1f} km from you,"
                f" with {units(self._stock[store.store_id])}."
            )
        else:
            text = f"Sorry, no store has the {self._name}{self._said} in stock right now." + self._instead(facts)
        return self._outcome({"latitude": latitude, "longitude": longitude}, facts, text)

    def compare_stores(self) -> Outcome:
        refs = [ref for ref in self._parsed.places if ref.store_ids]
        names = labels(self._stores)
        names = [store.label if len(ref.store_ids) > 1 else name for ref, name, store in zip(refs, names, self._stores, strict=True)]
        quantities = {
            name: sum(self._stock.get(store_id, 0) for store_id in ref.store_ids)
            for name, ref in zip(names, refs, strict=True)
        }
        best = max(quantities.values())
        leaders = [name for name, quantity in quantities.items() if quantity == best]
        more = leaders[0] if len(leaders) == 1 else None
        said = joined(f"{name} has {quantity}" for name, quantity in quantities.items())
        text = f"Of the {self._name}{self._said}, {said}."
        if more is not None:
            text += f" {more} has more."
        else:
            text += " That is the same." if len(leaders) == len(quantities) else f" {joined(leaders)} have the most."
        slots: dict[str, JsonValue] = {f"city_{letter}": name for letter, name in zip("abcdefgh", names, strict=False)}
        return self._outcome(slots, {"quantities": dict(quantities), "more": more}, text)

    def top_store(self) -> Outcome:
        best = max(self._stock.values(), default=0)
        leaders = [store for store in self._in_stock() if self._stock[store.store_id] == best]
        facts: dict[str, JsonValue] = {
            "store_ids": [json_id(store.store_id) for store in leaders],
            "cities": [store.label for store in leaders],
            "quantity": best,
        }
        if not leaders:
            return self._outcome({}, facts, f"Sorry, the {self._name}{self._said} is out of stock everywhere.")
        verb = "has" if len(leaders) == 1 else "each have"
        text = f"{joined(labels(leaders))} {verb} the most of the {self._name}{self._said}: {units(best)}."
        return self._outcome({}, facts, text)

    def multi_product(self) -> Outcome:
        stores = self._stores
        slots: dict[str, JsonValue] = {"skus": list(self._skus)}
        if stores:
            slots["city"] = stores[0].label
        held = {sku: self._shop.stock(sku) for sku in self._skus}
        quantities = {
            sku: stock.get(stores[0].store_id, 0) if stores else sum(stock.values()) for sku, stock in held.items()
        }
        need = max(1, self._parsed.amount or 1)
        every = all(quantity >= need for quantity in quantities.values())
        parts = joined(f"the {self._shop.product_name(sku)}: {quantity or 'none'}" for sku, quantity in quantities.items())
        where = at(stores[0]) if stores else "in all stores together"
        start = "Yes, you can have them all" if every else "Not all of them are there"
        text = f"{start} {where}: {parts}." if every else f"{start}. {where[0].upper()}{where[1:]}: {parts}."
        facts: dict[str, JsonValue] = {"quantities": dict(quantities), "all_in_stock": every}
        if not every or not stores:
            full = [
                store for store in self._shop.names.stores.values()
                if all(stock.get(store.store_id, 0) >= need for stock in held.values())
            ]  # fmt: skip
            facts["stores_with_all"] = [json_id(store.store_id) for store in full]
            text += f" You find all of them {_where(full)}." if full else " No single store has them all."
        return Outcome("answered", self._parsed.intent, slots, facts, text, sku=self._sku)

    def sizes_and_stock(self) -> Outcome:
        product = queries.product(self._shop.connection, self._sku)
        store = self._stores[0] if self._stores else None
        known = queries.variants(self._shop.connection, self._sku, store.store_id if store else None)
        by_size: dict[str, int] = {}
        for variant in known:
            if variant.size and variant.quantity is not None:
                by_size[variant.size] = by_size.get(variant.size, 0) + variant.quantity
        sizes = list(product.sizes) if product and product.sizes else list(dict.fromkeys(
            variant.size for variant in known if variant.size
        ))  # fmt: skip
        quantity = self._stock.get(store.store_id, 0) if store else sum(self._stock.values())
        facts: dict[str, JsonValue] = {"sizes": list(sizes), "quantity": quantity}
        offered = f"The {self._name} comes in {joined(sizes, 15)}." if sizes else f"The {self._name} comes in one size only."
        where = at(store) if store else "in all stores together"
        text = f"{offered} {where[0].upper()}{where[1:]} there are {units(quantity)}."
        if quantity == 1:
            text = text.replace("there are 1 unit", "there is 1 unit")
        if by_size:
            facts["quantities"] = dict(by_size)
            left = [f"{size} ({count})" for size, count in by_size.items() if count > 0]
            if left:
                text = f"{text[:-1]}: {joined(left, 15)}."
        slots: dict[str, JsonValue] = {"city": store.label} if store else {}
        return self._outcome(slots, facts, text)

    def _rate(self) -> tuple[int, analysis.Rate, Store | None]:
        store = self._stores[0] if self._stores else None
        store_id = store.store_id if store else None
        rates = analysis.sales_rates(self._shop.connection, sku=self._sku, store_id=store_id)
        quantity = self._stock.get(store_id, 0) if store_id else sum(self._stock.values())
        return quantity, rates.get(self._sku, analysis.Rate()), store

    def days_of_cover(self) -> Outcome:
        quantity, rate, store = self._rate()
        cover = rate.cover(quantity)
        where = f" {at(store)}" if store else ""
        facts: dict[str, JsonValue] = {
            "quantity": quantity, "days_of_cover": cover,
            "daily_sales": round(rate.mean, 3) if rate.mean > 0 else None,
        }  # fmt: skip
        if cover is None:
            text = f"We have {units(quantity)} of the {self._name}{where}, and sold none in the last 90 days of records."
        else:
            text = (
                f"We have {units(quantity)} of the {self._name}{where}. At {rate.mean:.2f} a day (last 90 days of"
                f" records) that lasts about {cover:.1f} days."
            )
            facts["daily_sales_said"] = round(rate.mean, 2)
        return self._outcome({"city": store.label} if store else {}, facts, text)

    def reorder_point(self) -> Outcome:
        quantity, rate, store = self._rate()
        point = rate.reorder_point()
        where = f" {at(store)}" if store else ""
        facts: dict[str, JsonValue] = {
            "quantity": quantity, "reorder_point": point, "reorder_now": point is not None and quantity <= point,
            "lead_time_days": analysis.LEAD_TIME_DAYS,
        }  # fmt: skip
        if point is None:
            text = f"The {self._name} did not sell{where} in the last 90 days of records, so there is no reorder point."
        else:
            now = "so it is time to order" if quantity <= point else "so there is no hurry"
            text = (
                f"Reorder the {self._name}{where} at {units(point)} (lead time of {analysis.LEAD_TIME_DAYS} days and safety"
                f" stock). There are {units(quantity)}, {now}."
            )
        return self._outcome({"city": store.label} if store else {}, facts, text)

    def alternatives(self) -> Outcome:
        product = queries.product(self._shop.connection, self._sku)
        store = self._stores[0] if self._stores else None
        similar = (
            analysis.alternatives(self._shop.connection, product, store_id=store.store_id if store else None)
            if product
            else []
        )
        facts: dict[str, JsonValue] = {
            "skus": [item.sku for item in similar],
            "quantities": {item.sku: item.quantity for item in similar},
        }
        where = f" {at(store)}" if store else ""
        if similar:
            said = joined((f"{item.name} ({units(item.quantity)})" for item in similar), last="or")
            text = f"Instead of the {self._name} you could have{where}: {said}."
        else:
            text = f"Sorry, there is nothing like the {self._name} in stock{where}."
        return self._outcome({"city": store.label} if store else {}, facts, text)

    def transfer(self) -> Outcome:
        target = self._stores[-1] if self._stores else None
        found = analysis.transfers(
            self._shop.connection, self._shop.names, sku=self._sku, to_store=target.store_id if target else None
        )
        facts: dict[str, JsonValue] = {"transfers": [transfer_facts(item) for item in found]}
        if not found:
            text = f"No transfer of the {self._name} is needed: no store is short while another has plenty."
        else:
            said = "; ".join(transfer_words(self._shop, item) for item in found[:3])
            text = f"For the {self._name}: {said}."
        return self._outcome({"city": target.label} if target else {}, facts, text)


def transfer_facts(item: analysis.Transfer) -> JsonValue:
    """A transfer as JSON."""
    return {
        "sku": item.sku, "from_store": json_id(item.from_store), "to_store": json_id(item.to_store),
        "quantity": item.quantity, "distance_km": item.distance_km,
    }  # fmt: skip


def transfer_words(shop: Shop, item: analysis.Transfer) -> str:
    """A transfer in words."""
    sender, receiver = labels([shop.store(item.from_store), shop.store(item.to_store)])
    distance = f" ({item.distance_km:.1f} km)" if item.distance_km is not None else ""
    return f"{sender} could send {item.quantity} to {receiver}{distance}"


def json_key(store: Store) -> str:
    """A store id as a key."""
    return store.store_id


def _where(stores: list[Store]) -> str:
    offline = [store for store in stores if not store.online]
    parts = ["online"] if len(offline) < len(stores) else []
    if offline:
        parts.append(f"in {joined(labels(offline))}")
    return " and ".join(parts)
