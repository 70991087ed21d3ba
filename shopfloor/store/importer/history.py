"""Orders and interactions become one table of events, each with a key that makes a second import an update."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shopfloor.store.importer.loading import Load, Once, upsert_sql
from shopfloor.store.importer.mapping import Plan, Record
from shopfloor.store.importer.readers import Source
from shopfloor.store.importer.report import FileReport
from shopfloor.store.importer.tables import Value

EVENT_COLUMNS = (
    "source_key",
    "ts",
    "basket",
    "user_id",
    "event",
    "status",
    "store_id",
    "sku",
    "item_id",
    "quantity",
    "price",
)
SAME_EVENT = {
    "buy": "purchase",
    "bought": "purchase",
    "order": "purchase",
    "purchased": "purchase",
    "sale": "purchase",
    "transaction": "purchase",
    "refund": "return",
    "returned": "return",
    "clicked": "click",
    "view": "click",
    "viewed": "click",
}


@dataclass(frozen=True, slots=True)
class Order:
    """The head of an order, until its lines are read."""

    ts: str
    user_id: str | None
    store_id: str | None
    status: str | None


def load_orders(load: Load, plan: Plan, source: Source, file: FileReport) -> dict[str, Order]:
    """Order heads by id; nothing is written before their lines come."""
    once = Once(load, file)
    orders: dict[str, Order] = {}
    for line, record in load.records(plan, source, file):
        order_id = str(record["order_id"])
        if once.is_new(order_id, line, f"order_id '{order_id}'"):
            orders[order_id] = Order(
                str(record["ts"]), _text(record, "user_id"), _text(record, "store_id"), _text(record, "status")
            )
    return orders


def load_order_items(load: Load, plan: Plan, source: Source, file: FileReport, orders: dict[str, Order]) -> None:
    """Order lines as events ``purchase``, or ``return`` where the quantity is negative."""
    once = Once(load, file)
    counted: Counter[str] = Counter()

    def rows() -> Iterator[Sequence[Value]]:
        for line, record in load.records(plan, source, file):
            order_id = str(record["order_id"])
            order = orders.get(order_id)
            if order is None:
                load.log.reject(file, line, f"order_id '{order_id}' is not among the orders")
                continue
            found = load.product_of(record)
            if isinstance(found, str):
                load.log.reject(file, line, found)
                continue
            counted[order_id] += 1
            line_no = record.get("line_no") or counted[order_id]
            key = f"order:{order_id}:{line_no}"
            if not once.is_new(key, line, f"line {line_no} of order '{order_id}'"):
                continue
            quantity = record.get("quantity")
            units = 1 if quantity is None else int(quantity)
            event = "return" if units < 0 else "purchase"
            sku, item = found
            yield (
                key,
                order.ts,
                order_id,
                order.user_id,
                event,
                order.status,
                order.store_id,
                sku,
                item or None,
                units,
                record.get("price"),
            )

    load.connection.executemany(upsert_sql("events", EVENT_COLUMNS, ("source_key",)), rows())


def load_interactions(load: Load, plan: Plan, source: Source, file: FileReport) -> None:
    """Interactions as events. Without an invoice, a shopper's events of one day are one basket."""
    repeated: Counter[str] = Counter()

    def rows() -> Iterator[Sequence[Value]]:
        for line, record in load.records(plan, source, file):
            found = load.product_of(record)
            if isinstance(found, str):
                load.log.reject(file, line, found)
                continue
            sku, item = found
            event, units = _event_of(record)
            ts, user = str(record["ts"]), _text(record, "user_id")
            invoice = _text(record, "invoice")
            basket = invoice or (f"{user}/{ts[:10]}" if user else f"row/{ts}/{line}")
            key = f"event:{basket}:{event}:{sku}:{item}" if invoice else f"event:{user}:{ts}:{event}:{sku}:{item}"
            repeated[key] += 1
            if repeated[key] > 1:
                key = f"{key}:{repeated[key]}"
            yield (
                key,
                ts,
                basket,
                user,
                event,
                _text(record, "status"),
                _text(record, "store_id"),
                sku,
                item or None,
                units,
                record.get("price"),
            )

    load.connection.executemany(upsert_sql("events", EVENT_COLUMNS, ("source_key",)), rows())


def _event_of(record: Record) -> tuple[str, int]:
    """The event's name and its units: negative for returns, whichever of the two the shop gave."""
    written = str(record.get("event") or "purchase").casefold()
    event = SAME_EVENT.get(written, written)
    quantity = record.get("quantity")
    units = 1 if quantity is None else int(quantity)
    if event == "purchase" and units < 0:
        return "return", units
    if event == "return":
        return event, -abs(units)
    return event, units


def _text(record: Record, name: str) -> str | None:
    value = record.get(name)
    return None if value is None else str(value)
