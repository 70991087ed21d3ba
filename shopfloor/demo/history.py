"""Eighteen months of the shop's life: orders, cancellations, returns, exchanges and ratings."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from shopfloor.demo.catalogue import Catalogue, Product, Store, Variant
from shopfloor.demo.chance import pick, poisson, stream
from shopfloor.demo.params import Mission, Params, Slot
from shopfloor.demo.shoppers import Shopper
from shopfloor.demo.taste import Tastes, colour_weight, ideal_size

Carried = dict[str, dict[str, tuple[Variant, ...]]]


@dataclass(frozen=True)
class Line:
    """One variant in an order; ``misfit`` is how many sizes it is off for this shopper (0 fits)."""

    product: Product
    variant: Variant
    quantity: int
    unit_price: float
    misfit: float


@dataclass(frozen=True)
class Order:
    """One order; numbers are given later, in order of time."""

    at: datetime
    shopper: Shopper
    store_id: str
    status: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Return:
    """A line that was sent back."""

    at: datetime
    order: Order
    line: Line


@dataclass(frozen=True)
class Rating:
    """Stars (1 to 5) for a product that the shopper bought."""

    at: datetime
    shopper: Shopper
    product: Product
    stars: int


@dataclass(frozen=True)
class History:
    """Everything that happened, each list in order of time."""

    orders: list[Order]
    returns: list[Return]
    ratings: list[Rating]


class Storyteller:
    """Plays every shopper through the months and keeps what they did."""

    def __init__(self, params: Params, catalogue: Catalogue, tastes: Tastes, carried: Carried) -> None:
        self._params = params
        self._catalogue = catalogue
        self._tastes = tastes
        self._carried = carried
        self._by_sku = {p.sku: p for p in catalogue.products}
        self._orders: list[Order] = []
        self._returns: list[Return] = []
        self._ratings: list[Rating] = []

    def tell(self, shoppers: list[Shopper]) -> History:
        """The history of these shoppers; each has a stream of chance of their own."""
        for shopper in shoppers:
            self._live(shopper, stream(self._params.seed, f"life {shopper.user_id}"))
        return History(
            sorted(self._orders, key=lambda o: (o.at, o.shopper.user_id)),
            sorted(self._returns, key=lambda r: (r.at, r.order.shopper.user_id, r.line.variant.item_id)),
            sorted(self._ratings, key=lambda r: (r.at, r.shopper.user_id, r.product.sku)),
        )

    def _live(self, shopper: Shopper, rng: Random) -> None:
        owned: dict[str, date] = {}
        first = shopper.joined
        while first <= self._params.end:
            after = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
            days = (min(after, self._params.end + timedelta(days=1)) - first).days
            weight = self._params.month_weights[first.month - 1] * days / 30.4
            count = poisson(rng, shopper.orders_per_month * weight)
            for at in sorted(_moment(rng, first + timedelta(days=int(rng.random() * days))) for _ in range(count)):
                self._shop(shopper, rng, at, owned)
            first = after

    def _shop(self, shopper: Shopper, rng: Random, at: datetime, owned: dict[str, date]) -> None:
        mission = self._mission(shopper, rng, at.date())
        store = self._store(shopper, rng)
        lines: list[Line] = []
        for slot in mission.slots if mission else ():
            if rng.random() >= slot.chance:
                continue
            product = self._choose(shopper, rng, slot, store, at.date(), owned, lines)
            line = self._line(shopper, rng, product, store, at.date()) if product else None
            if line:
                lines.append(line)
        if not lines:
            return
        cancelled = rng.random() < self._params.cancelled_share
        order = Order(at, shopper, store.store_id, "CANCELLED" if cancelled else "COMPLETE", tuple(lines))
        self._orders.append(order)
        if not cancelled:
            owned.update((line.product.sku, at.date()) for line in lines)
            self._afterwards(order, rng)

    def _mission(self, shopper: Shopper, rng: Random, day: date) -> Mission | None:
        names = list(shopper.missions)
        missions = [self._params.missions[n] for n in names]
        north, turned = day.month - 1, (day.month + 5) % 12
        months = [m.months[turned if shopper.south and not m.everywhere else north] for m in missions]
        return pick(rng, missions, [shopper.missions[n] * month for n, month in zip(names, months, strict=True)])

    def _store(self, shopper: Shopper, rng: Random) -> Store:
        online = next(s for s in self._catalogue.stores if not s.city)
        near = [s for s in self._catalogue.stores if s.city and s.city == shopper.city]
        if not near or rng.random() < shopper.online_share:
            return online
        return pick(rng, near, [0.4 if s.type == "small" else 1.0 for s in near]) or online

    def _choose(
        self,
        shopper: Shopper,
        rng: Random,
        slot: Slot,
        store: Store,
        day: date,
        owned: dict[str, date],
        lines: list[Line],
    ) -> Product | None:
        basket = {line.product.sku for line in lines}
        products = [
            p
            for p in self._catalogue.products
            if (p.sku in slot.skus or p.kind in slot.kinds)
            and (not slot.occasion or slot.occasion in p.occasions)
            and p.sku in self._carried[store.store_id]
            and p.sku not in basket
        ]
        weights = [self._tastes.wish(shopper, p, day) ** 1.3 * self._again(p, owned.get(p.sku), day) for p in products]
        # A slot whose best product hardly interests this shopper today stays empty.
        if not weights or max(weights) < 0.08:
            return None
        return pick(rng, products, weights)

    def _again(self, product: Product, bought: date | None, day: date) -> float:
        """People buy socks again and tents hardly ever."""
        if bought is None:
            return 1.0
        repeat = self._params.repeat
        weight = repeat.get(product.kind, repeat["other"])
        return weight if (day - bought).days > 45 else weight * 0.3

    def _line(self, shopper: Shopper, rng: Random, product: Product, store: Store, day: date) -> Line | None:
        ideal = ideal_size(shopper, product, day)
        stranger = product.gender in ("men", "women") and product.gender != shopper.gender
        guess = rng.uniform(0, len(product.sizes) - 1) if stranger else ideal
        guess += rng.gauss(0.0, self._params.returns.size_guess_spread)
        size = product.sizes[min(len(product.sizes) - 1, max(0, round(guess)))]
        choices = [v for v in self._carried[store.store_id][product.sku] if v.size == size]
        variant = pick(rng, choices, [colour_weight(shopper, v) for v in choices])
        if variant is None:
            return None
        wanted = guess if stranger else ideal
        return self._made(product, variant, day, abs(product.sizes.index(size) - wanted - self._fit(product)), rng)

    def _fit(self, product: Product) -> float:
        return self._params.fit.get(product.sku, 0.0)

    def _made(self, product: Product, variant: Variant, day: date, misfit: float, rng: Random) -> Line:
        sale = self._params.sale
        on_sale = day.month in sale.months and "all year" not in product.seasons
        price = round(variant.price * (1 - sale.discount) if on_sale else variant.price, 2)
        several = product.kind in ("SCK", "TSH") or product.sku == "SKU_KID_06"
        quantity = 1 + (several and rng.random() < 0.3) + (several and rng.random() < 0.08)
        return Line(product, variant, quantity, price, misfit if len(product.sizes) > 1 else 0.0)

    def _afterwards(self, order: Order, rng: Random) -> None:
        chances = self._params.returns
        for line in order.lines:
            quality = self._params.quality.get(line.product.sku, 0.0)
            wrong = line.misfit > 0.75
            chance = chances.base + chances.wrong_size * wrong + chances.poor_quality * (quality <= -0.4)
            at = _moment(rng, order.at.date() + timedelta(days=3 + int(rng.random() * 20)))
            returned = rng.random() < chance
            if returned and at.date() <= self._params.end:
                self._returns.append(Return(at, order, line))
                if wrong and rng.random() < chances.exchange:
                    self._exchange(order, line, at, rng)
            self._rate(order, line, wrong, quality - 0.6 * returned, rng)

    def _exchange(self, order: Order, line: Line, at: datetime, rng: Random) -> None:
        """Order the neighbouring size in the same colour, on the way out or online the same evening."""
        product, shopper = line.product, order.shopper
        true = ideal_size(shopper, product, at.date()) + self._fit(product)
        size = product.sizes[min(len(product.sizes) - 1, max(0, round(true)))]
        carried = self._carried[order.store_id].get(product.sku, ())
        variant = next((v for v in carried if v.size == size and v.colour == line.variant.colour), None)
        if variant and variant != line.variant:
            price = round(variant.price * line.unit_price / line.variant.price, 2)  # the sale price, if it was one
            again = Line(product, variant, line.quantity, price, abs(product.sizes.index(size) - true))
            self._orders.append(Order(at + timedelta(minutes=4), shopper, order.store_id, "COMPLETE", (again,)))

    def _rate(self, order: Order, line: Line, wrong: bool, quality: float, rng: Random) -> None:
        rule = self._params.ratings
        asked = rng.random() < rule.chance
        at = _moment(rng, order.at.date() + timedelta(days=5 + int(rng.random() * 40)))
        noise = rng.gauss(0.0, rule.spread)
        if not asked or at.date() > self._params.end:
            return
        liking = min(1.0, max(-1.0, self._tastes.liking(order.shopper, line.product) - 1.0))
        stars = rule.mean + rule.taste * liking + rule.wrong_size * wrong + quality + noise
        self._ratings.append(Rating(at, order.shopper, line.product, min(5, max(1, round(stars)))))


def _moment(rng: Random, day: date) -> datetime:
    """A time of day with people awake, later in the day more often."""
    hour = 9 + int(12 * max(rng.random(), rng.random()))
    return datetime.combine(day, time(hour, int(rng.random() * 60), int(rng.random() * 60)))
