"""Answers about a product's supply: sizes, how long it lasts, when to reorder, what could replace it, transfers."""

from collections.abc import Callable

from pydantic import JsonValue

from shopfloor.tools.inventory import analysis, queries
from shopfloor.tools.inventory.outcome import Outcome, Shop, at, joined, json_id, labels, units, verb
from shopfloor.tools.inventory.product_facts import ProductFacts
from shopfloor.tools.inventory.snapshot import Store


class SupplyAnswers(ProductFacts):
    """One method an intent."""

    def handlers(self) -> dict[str, Callable[[], Outcome]]:
        """The intents answered here."""
        return {
            "sizes_and_stock": self.sizes_and_stock,
            "days_of_cover": self.days_of_cover,
            "reorder_point": self.reorder_point,
            "alternatives": self.alternatives,
            "transfer": self.transfer,
        }

    def sizes_and_stock(self) -> Outcome:
        product = queries.product(self.shop.connection, self.sku)
        area = self.areas[0] if self.areas else None
        stores = [store.store_id for store in area.stores] if area is not None else [None]
        known = [
            variant for store_id in stores for variant in queries.variants(self.shop.connection, self.sku, store_id)
        ]
        by_size: dict[str, int] = {}
        for variant in known:
            if variant.size and variant.quantity is not None:
                by_size[variant.size] = by_size.get(variant.size, 0) + variant.quantity
        sizes = list(product.sizes) if product and product.sizes else list(dict.fromkeys(
            variant.size for variant in known if variant.size
        ))  # fmt: skip
        quantity = self.held(area) if area is not None else sum(self.stock.values())
        facts: dict[str, JsonValue] = {"sizes": list(sizes), "quantity": quantity}
        offered = (
            f"The {self.name} {verb(self.name, 'comes', 'come')} in {joined(sizes, 15)}."
            if sizes
            else f"The {self.name} {verb(self.name, 'comes', 'come')} in one size only."
        )
        where = area.where if area is not None else "in all stores together"
        text = f"{offered} {where[0].upper()}{where[1:]} there are {units(quantity)}."
        if quantity == 1:
            text = text.replace("there are 1 unit", "there is 1 unit")
        if by_size:
            facts["quantities"] = dict(by_size)
            left = [f"{size} ({count})" for size, count in by_size.items() if count > 0]
            if left:
                text = f"{text[:-1]}: {joined(left, 15)}."
        slots: dict[str, JsonValue] = {"city": area.label} if area is not None else {}
        return self.outcome(slots, facts, text)

    def _rate(self) -> tuple[int, analysis.Rate, Store | None]:
        store = self.stores[0] if self.stores else None
        store_id = store.store_id if store else None
        rates = analysis.sales_rates(self.shop.connection, sku=self.sku, store_id=store_id)
        quantity = self.stock.get(store_id, 0) if store_id else sum(self.stock.values())
        return quantity, rates.get(self.sku, analysis.Rate()), store

    def days_of_cover(self) -> Outcome:
        quantity, rate, store = self._rate()
        cover = rate.cover(quantity)
        where = f" {at(store)}" if store else ""
        facts: dict[str, JsonValue] = {
            "quantity": quantity, "days_of_cover": cover, "window_days": rate.days,
            "daily_sales": round(rate.mean, 3) if rate.mean > 0 else None,
        }  # fmt: skip
        if cover is None:
            text = f"We have {units(quantity)} of the {self.name}{where}, and sold none in the last {rate.days} days of records."
        else:
            text = (
                f"We have {units(quantity)} of the {self.name}{where}. At {rate.mean:.2f} a day (last {rate.days} days of"
                f" records) that lasts about {cover:.1f} days."
            )
            facts["daily_sales_said"] = round(rate.mean, 2)
        return self.outcome({"city": store.label} if store else {}, facts, text)

    def reorder_point(self) -> Outcome:
        quantity, rate, store = self._rate()
        point = rate.reorder_point()
        where = f" {at(store)}" if store else ""
        facts: dict[str, JsonValue] = {
            "quantity": quantity, "reorder_point": point, "reorder_now": point is not None and quantity <= point,
            "window_days": rate.days,
            "lead_time_days": analysis.LEAD_TIME_DAYS,
        }  # fmt: skip
        if point is None:
            text = f"The {self.name} did not sell{where} in the last {rate.days} days of records, so there is no reorder point."
        else:
            now = "so it is time to order" if quantity <= point else "so there is no hurry"
            text = (
                f"Reorder the {self.name}{where} at {units(point)} (lead time of {analysis.LEAD_TIME_DAYS} days and safety"
                f" stock). There are {units(quantity)}, {now}."
            )
        return self.outcome({"city": store.label} if store else {}, facts, text)

    def alternatives(self) -> Outcome:
        product = queries.product(self.shop.connection, self.sku)
        area = self.areas[0] if self.areas else None
        store = area.stores[0] if area is not None and area.single else None
        similar = (
            analysis.alternatives(self.shop.connection, product, store_id=store.store_id if store else None)
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
            text = f"Instead of the {self.name} you could have{where}: {said}."
        else:
            text = f"Sorry, there is nothing like the {self.name} in stock{where}."
        return self.outcome({"city": store.label} if store else {}, facts, text)

    def transfer(self) -> Outcome:
        target = self.stores[-1] if self.stores else None
        found = analysis.transfers(
            self.shop.connection, self.shop.names, sku=self.sku, to_store=target.store_id if target else None
        )
        facts: dict[str, JsonValue] = {"transfers": [transfer_facts(item) for item in found]}
        if not found:
            text = f"No transfer of the {self.name} is needed: no store is short while another has plenty."
        else:
            said = "; ".join(transfer_words(self.shop, item) for item in found[:3])
            text = f"For the {self.name}: {said}."
        return self.outcome({"city": target.label} if target else {}, facts, text)


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
