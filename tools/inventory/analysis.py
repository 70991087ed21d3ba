"""What stock figures mean: sales rate, days of cover, reorder point, what sells out, who should send to whom.

Everything is reckoned from the shop's own history: the last 90 days up to its last recorded sale, not up to today
(a history of fewer days counts as long as it is). Cancelled and refunded orders do not count, returns are taken off.

* daily sales: units sold in the window / days of the window
* days of cover: stock / daily sales
* reorder point: daily sales * lead time + z * sd(daily sales) * sqrt(lead time), rounded up: the demand expected
  during the lead time plus a safety stock for a 95 % cycle service level (z = 1.645), the usual continuous-review
  formula (Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains). No shop file names a lead
  time, so seven days are assumed.
"""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, sqrt

from rapidfuzz import fuzz

from shopfloor.settings import Settings
from shopfloor.tools.inventory import queries
from shopfloor.tools.inventory.queries import Product
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.schemas import Alternative, StockAnalysis

WINDOW_DAYS = 90
LEAD_TIME_DAYS = 7
SERVICE_Z = 1.645  # 95 % of replenishment cycles without a stock-out
COVER_TARGET_DAYS = 14  # a store is short below this many days of cover, and spares only what it has above it
MAX_COVER_DAYS = 9_999.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Sales of one product over a window of ``days``: mean and standard deviation of a day's units."""

    mean: float = 0.0
    deviation: float = 0.0
    days: int = WINDOW_DAYS

    def cover(self, quantity: int) -> float | None:
        """Days ``quantity`` lasts, one decimal; None when nothing was sold."""
        return min(round(quantity / self.mean, 1), MAX_COVER_DAYS) if self.mean > 0 else None

    def reorder_point(self) -> int | None:
        """Units at which to order again; None when nothing was sold."""
        if self.mean <= 0:
            return None
        return ceil(self.mean * LEAD_TIME_DAYS + SERVICE_Z * self.deviation * sqrt(LEAD_TIME_DAYS) - 1e-9)


@dataclass(frozen=True, slots=True)
class SellingOut:
    """A product that lasts no longer than the horizon at its rate."""

    sku: str
    name: str
    quantity: int
    days: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """Units that one store could send to another. ``distance_km`` is None for an online store."""

    sku: str
    from_store: str
    to_store: str
    quantity: int
    distance_km: float | None


def sales_rates(
    connection: sqlite3.Connection, *, sku: str | None = None, store_id: str | None = None
) -> dict[str, Rate]:
    """Sales rates by SKU; a product without sales in the window is missing."""
    span = queries.run(connection, "sales_span")[0]
    if span["last_day"] is None:
        return {}
    last, first = date.fromisoformat(span["last_day"]), date.fromisoformat(span["first_day"])
    days = min(WINDOW_DAYS, (last - first).days + 1)
    since = (last - timedelta(days=days - 1)).isoformat()
    by_sku: dict[str, list[int]] = defaultdict(list)
    for row in queries.run(connection, "daily_sales", sku=sku, store_id=store_id, since=since):
        by_sku[row["sku"]].append(int(row["units"]))
    return {name: _rate(units, days) for name, units in by_sku.items() if sum(units) > 0}


def _rate(units: list[int], days: int) -> Rate:
    mean = sum(units) / days
    squares = sum((value - mean) ** 2 for value in units) + (days - len(units)) * mean**2
    return Rate(mean, sqrt(squares / days), days)


def analyse(quantity: int, rate: Rate | None, settings: Settings) -> StockAnalysis:
    """Status and figures of one product."""
    rate = rate or Rate()
    point = rate.reorder_point()
    low = quantity <= max(settings.low_stock_units, 0) or (point is not None and quantity < point)
    status = "out" if quantity <= 0 else "low" if low else "in_stock"
    return StockAnalysis(
        status=status,
        days_of_cover=rate.cover(quantity),
        reorder_point=point,
        daily_sales=round(rate.mean, 3) if rate.mean > 0 else None,
    )


def alternatives(
    connection: sqlite3.Connection, product: Product, *, store_id: str | None = None, limit: int = 3
) -> list[Alternative]:
    """Products of the same category with stock, most alike by name, price and colour."""
    found: list[tuple[float, Alternative]] = []
    rows = queries.run(connection, "similar_in_stock", sku=product.sku, category=product.category, store_id=store_id)
    for row in rows:
        likeness = fuzz.token_set_ratio(product.name.casefold(), row["name"].casefold()) / 100
        reasons: list[str] = []
        if product.category:
            reasons.append(f"also in {product.category}")
        if product.gender and row["gender"] == product.gender:
            likeness += 1.0
        if product.colour and row["colour"] and product.colour.casefold() == row["colour"].casefold():
            likeness += 0.4
            reasons.append("same colour")
        if product.price and row["price"]:
            gap = abs(row["price"] - product.price) / max(product.price, row["price"])
            likeness += 0.5 * (1 - gap)
            if gap <= 0.15:
                reasons.append("similar price")
        alternative = Alternative(
            sku=row["sku"], name=row["name"], price=row["price"], currency=row["currency"],
            quantity=int(row["quantity"]), reason=", ".join(reasons),
        )  # fmt: skip
        found.append((likeness, alternative))
    found.sort(key=lambda item: (-item[0], item[1].sku))
    return [alternative for _, alternative in found[:limit]]


def selling_out(connection: sqlite3.Connection, horizon_days: int, store_id: str | None = None) -> list[SellingOut]:
    """Products with stock that lasts at most ``horizon_days`` at their rate, soonest first."""
    rates = sales_rates(connection, store_id=store_id)
    lines = queries.lines_at_store(connection, store_id) if store_id else queries.totals(connection)
    found: list[SellingOut] = []
    for line in lines:
        days = rates[line.sku].cover(line.quantity) if line.sku in rates else None
        if line.quantity > 0 and days is not None and days <= horizon_days:
            found.append(SellingOut(line.sku, line.name, line.quantity, days))
    return sorted(found, key=lambda item: (item.days, item.sku))


def transfers(
    connection: sqlite3.Connection,
    names: ShopNames,
    *,
    sku: str | None = None,
    to_store: str | None = None,
    limit: int = 10,
) -> list[Transfer]:
    """Who should send what to whom: from the nearest store with units to spare to the store that is shortest.

    A store's need and surplus are measured against 14 days of its own sales of the product (at least one unit);
    a store that has none and does not sell it needs one unit.
    """
    rates: dict[str, dict[str, Rate]] = {
        store_id: sales_rates(connection, sku=sku, store_id=store_id) for store_id in names.stores
    }
    held: dict[str, dict[str, int]] = defaultdict(dict)
    for row in queries.run(connection, "stock_pairs", sku=sku):
        held[row["sku"]][row["store_id"]] = int(row["quantity"])
    found: list[tuple[float, Transfer]] = []
    for product_sku, by_store in held.items():
        spare: dict[str, int] = {}
        needs: list[tuple[float, str, int]] = []
        for store_id, quantity in by_store.items():
            rate = rates[store_id].get(product_sku, Rate())
            target = max(1, ceil(rate.mean * COVER_TARGET_DAYS))
            if quantity > 2 * target:
                spare[store_id] = quantity - 2 * target
            elif quantity < target:
                needs.append((quantity / target, store_id, target - quantity))
        for shortness, store_id, units in sorted(needs):
            if to_store is not None and store_id != to_store:
                continue
            transfer = _from_nearest(names, product_sku, store_id, units, spare)
            if transfer is not None:
                spare[transfer.from_store] -= transfer.quantity
                found.append((shortness, transfer))
    found.sort(key=lambda item: (item[0], item[1].distance_km or 0.0, item[1].sku))
    return [transfer for _, transfer in found[:limit]]


def _from_nearest(names: ShopNames, sku: str, to_store: str, units: int, spare: dict[str, int]) -> Transfer | None:
    target = names.stores[to_store]
    best: tuple[float, str] | None = None
    for store_id, surplus in spare.items():
        if surplus <= 0 or store_id == to_store:
            continue
        distance = None
        if target.latitude is not None and target.longitude is not None:
            distance = names.stores[store_id].km_from(target.latitude, target.longitude)
        rank = (distance if distance is not None else 1e9, store_id)
        best = min(best, rank) if best is not None else rank
    if best is None:
        return None
    distance_km = round(best[0], 1) if best[0] < 1e9 else None
    return Transfer(sku, best[1], to_store, min(units, spare[best[1]]), distance_km)
