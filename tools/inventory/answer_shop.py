"""Answers about a store's or the whole shop's stock."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from pydantic import JsonValue

from shopfloor.tools.inventory import analysis, queries
from shopfloor.tools.inventory.answer_supply import transfer_facts, transfer_words
from shopfloor.tools.inventory.outcome import Area, Outcome, Shop, joined, json_id, labels, place, units
from shopfloor.tools.inventory.parse import Parsed
from shopfloor.tools.inventory.product_facts import range_with
from shopfloor.tools.inventory.queries import Line
from shopfloor.tools.matching import COLOURS, stems

HORIZON_DAYS = 7


class ShopAnswers:
    """One method an intent; the place, where one is needed, is resolved by the caller."""

    def __init__(self, shop: Shop, parsed: Parsed, area: Area | None) -> None:
        self._shop = shop
        self._parsed = parsed
        self._area = area
        self._store = area.stores[0] if area is not None else None

    def handlers(self) -> dict[str, Callable[[], Outcome]]:
        """The intents answered here."""
        return {
            "low_stock_at_store": self.low_stock,
            "out_of_stock_at_store": self.out_of_stock,
            "out_of_stock_overall": self.out_of_stock,
            "category_at_store": self.category,
            "category_overall": self.category,
            "units_at_store": self.units_at_store,
            "units_overall": self.units_at_store,
            "units_by_store": self.units_by_store,
            "reorder_overall": self.reorder_overall,
            "sells_out_soon": self.sells_out_soon,
            "transfer": self.transfer,
        }

    def _lines(self) -> list[Line]:
        if self._area is None:
            return queries.totals(self._shop.connection)
        found: dict[str, Line] = {}
        for store in self._area.stores:
            for line in queries.lines_at_store(self._shop.connection, store.store_id):
                before = found[line.sku].quantity if line.sku in found else 0
                found[line.sku] = replace(line, quantity=line.quantity + before)
        return list(found.values())

    def _outcome(self, slots: dict[str, JsonValue], structured: dict[str, JsonValue], text: str) -> Outcome:
        where: dict[str, JsonValue] = {"city": self._area.label} if self._area is not None else {}
        return Outcome("answered", self._parsed.intent, slots | where, structured, text)

    def _where(self) -> str:
        return self._area.where if self._area is not None else "over all stores"

    def low_stock(self) -> Outcome:
        threshold = self._parsed.threshold
        if threshold is None:
            threshold = self._shop.settings.low_stock_units
        low = [line for line in self._lines() if line.quantity <= threshold]
        facts = _list_facts(low)
        if low:
            what = "1 product has" if len(low) == 1 else f"{len(low)} products have"
            text = f"{_capital(self._where())} {what} {threshold} or fewer left: {_said(low)}."
        else:
            text = f"Nothing {self._where()} is down to {threshold} or fewer."
        return self._outcome({"threshold": threshold}, facts, text)

    def out_of_stock(self) -> Outcome:
        gone = [line for line in self._lines() if line.quantity == 0]
        facts: dict[str, JsonValue] = {
            "skus": [line.sku for line in gone],
            "names": {line.sku: line.name for line in gone},
            "count": len(gone),
        }
        if gone:
            what = "1 product is" if len(gone) == 1 else f"{len(gone)} products are"
            text = f"{_capital(self._where())} {what} sold out: {joined(line.name for line in gone)}."
        else:
            text = f"Nothing is sold out {self._where()}."
        return self._outcome({}, facts, text)

    def category(self) -> Outcome:
        wanted = set(self._parsed.group)
        lines = [self._narrowed(line) for line in self._lines() if line.sku in wanted]
        having = [line for line in lines if line.quantity > 0]
        facts = _list_facts(having)
        name = self._parsed.category or "these"
        if having:
            size = f" in size {self._parsed.size}" if self._parsed.size else ""
            text = f"{_capital(self._where())} you can have{size} {_said(having)}."
        else:
            kind = self._parsed.group_text or name
            text = f"Sorry, there is nothing like that ({kind}) in stock {self._where()}."
        slots: dict[str, JsonValue] = {"category": name}
        if self._parsed.size is not None:
            slots["size"] = self._parsed.size
        return self._outcome(slots, facts, text)

    def _narrowed(self, line: Line) -> Line:
        """The line with the units of the size and colour asked for, where the shop counts variants."""
        size = self._parsed.size
        if size is not None and line.sku in self._shop.names.matcher.by_sku:
            size = range_with(size, list(self._shop.names.matcher.by_sku[line.sku].sizes)) or size
        asked = {word for word in self._parsed.group_words if word in COLOURS}
        if (size is None and not asked) or not queries.counts_variants(self._shop.connection, line.sku):
            return line
        known = queries.variants(self._shop.connection, line.sku) if asked else []
        own = dict.fromkeys(variant.colour for variant in known if variant.colour)
        colours = [colour for colour in own if asked <= set(stems(colour))] or [None]
        if size is None and colours == [None]:
            return line
        held = [self._shop.stock(line.sku, queries.Narrowing(size=size, colour=colour)) for colour in colours]
        stores = self._shop.names.stores if self._area is None else [store.store_id for store in self._area.stores]
        return replace(line, quantity=sum(stock.get(store_id, 0) for stock in held for store_id in stores))

    def units_at_store(self) -> Outcome:
        lines = self._lines()
        total = sum(line.quantity for line in lines)
        kinds = sum(1 for line in lines if line.quantity > 0)
        facts: dict[str, JsonValue] = {"total_quantity": total, "products_in_stock": kinds}
        return self._outcome({}, facts, f"{_capital(self._where())} there are {units(total)} of {kinds} products.")

    def units_by_store(self) -> Outcome:
        held = queries.units_by_store(self._shop.connection)
        least = self._parsed.mentions.masked.find("least") >= 0 or "lowest" in self._parsed.mentions.masked
        best = (min if least else max)(held.values(), default=0)
        leaders = [store for store in self._shop.names.stores.values() if held.get(store.store_id) == best]
        facts: dict[str, JsonValue] = {
            "store_ids": [json_id(store.store_id) for store in leaders],
            "cities": [store.label for store in leaders],
            "quantity": best,
        }
        word = "least" if least else "most"
        return self._outcome({}, facts, f"{joined(labels(leaders))} holds the {word} stock: {units(best)}.")

    def reorder_overall(self) -> Outcome:
        threshold = self._parsed.threshold
        lines = queries.totals(self._shop.connection)
        if threshold is not None:
            low = [line for line in lines if line.quantity < threshold]
            slots: dict[str, JsonValue] = {"threshold": threshold}
            rule = f"has fewer than {threshold} units over all stores"
        else:
            rates = analysis.sales_rates(self._shop.connection)
            low = [
                line for line in lines if line.quantity <= (rates.get(line.sku, analysis.Rate()).reorder_point() or 0)
            ]
            slots, rule = {}, "is down to its reorder point"
        facts = _list_facts(low)
        if low:
            many = rule.replace("has ", "have ").replace("is down to its", "are down to their")
            what = f"1 product {rule}" if len(low) == 1 else f"{len(low)} products {many}"
            text = f"{what}: {_said(low)}."
        else:
            text = f"No product {rule}."
        return self._outcome(slots, facts, text)

    def sells_out_soon(self) -> Outcome:
        horizon = self._parsed.mentions.horizon_days or HORIZON_DAYS
        store_id = self._store.store_id if self._store is not None else None
        found = analysis.selling_out(self._shop.connection, horizon, store_id)
        facts: dict[str, JsonValue] = {
            "skus": [item.sku for item in found], "count": len(found), "horizon_days": horizon,
            "days_of_cover": {item.sku: item.days for item in found},
            "quantities": {item.sku: item.quantity for item in found}, "names": {item.sku: item.name for item in found},
        }  # fmt: skip
        if found:
            said = joined(f"{item.name} ({units(item.quantity)}, {item.days:.1f} days)" for item in found)
            text = f"{_capital(self._where())}, at the present rate, {said} will sell out within {horizon} days."
        else:
            text = f"At the present rate nothing sells out {self._where()} within {horizon} days."
        return self._outcome({}, facts, text)

    def transfer(self) -> Outcome:
        target = self._store.store_id if self._store is not None else None
        found = analysis.transfers(self._shop.connection, self._shop.names, to_store=target)
        names: dict[str, JsonValue] = {item.sku: self._shop.product_name(item.sku) for item in found}
        facts: dict[str, JsonValue] = {"transfers": [transfer_facts(item) for item in found], "names": names}
        if found:
            said = "; ".join(
                f"{transfer_words(self._shop, item)}: {self._shop.product_name(item.sku)}" for item in found[:4]
            )
            text = f"These transfers help most. {said}."
        else:
            text = "No transfer is needed: no store is short of something that another has plenty of."
        if not found and self._store is not None:
            text = f"{place(self._store)[0].upper()}{place(self._store)[1:]} needs nothing that another store has to spare."
        return self._outcome({}, facts, text)


def _list_facts(lines: Iterable[Line]) -> dict[str, JsonValue]:
    found = list(lines)
    return {
        "skus": [line.sku for line in found],
        "quantities": {line.sku: line.quantity for line in found},
        "names": {line.sku: line.name for line in found},
        "count": len(found),
    }


def _said(lines: Iterable[Line]) -> str:
    return joined(f"{line.name} ({line.quantity})" for line in lines)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
