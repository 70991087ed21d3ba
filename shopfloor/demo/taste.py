"""How much a shopper wants a product on a day, and which size fits them."""

import math
import re
import statistics
from dataclasses import dataclass
from datetime import date

from shopfloor.demo.catalogue import Catalogue, Product, Variant
from shopfloor.demo.chance import stream
from shopfloor.demo.params import Params
from shopfloor.demo.shoppers import Shopper

_SEASONS = ("winter", "spring", "summer", "autumn")


def season_of(day: date, south: bool) -> str:
    """The season in that hemisphere; December opens the northern winter."""
    month = day.month + 6 if south else day.month
    return _SEASONS[month % 12 // 3]


@dataclass(frozen=True)
class Tastes:
    """The parameters joined with the catalogue: everything that does not depend on the shopper."""

    params: Params
    appeal: dict[str, float]
    usual_price: dict[str, float]

    @classmethod
    def of(cls, params: Params, catalogue: Catalogue) -> "Tastes":
        """Draw each product's own appeal and find the usual price of each kind of product."""
        rng = stream(params.seed, "appeal")
        appeal = {
            p.sku: params.appeal.get(p.sku, 1.0) * math.exp(rng.gauss(0.0, params.appeal_spread))
            for p in catalogue.products
        }
        kinds = {p.kind for p in catalogue.products}
        usual = {k: statistics.median(p.price for p in catalogue.products if p.kind == k) for k in sorted(kinds)}
        return cls(params, appeal, usual)

    def wish(self, shopper: Shopper, product: Product, day: date) -> float:
        """How much this shopper wants this product today: 0 for never, about 1 for usual."""
        launched = self.params.launches.get(product.sku, self.params.start)
        if day < launched:
            return 0.0
        months = (day - launched).days / 30.4
        return (
            self.appeal[product.sku]
            * self.params.trends.get(product.sku, 1.0) ** months
            * self.liking(shopper, product)
            * self._season(shopper, product, day)
            * _for_whom(shopper, product, day)
        )

    def liking(self, shopper: Shopper, product: Product) -> float:
        """Taste alone: brand, best colour, price and material, whatever the day."""
        gap = math.log(product.price / self.usual_price[product.kind]) - shopper.budget
        avoided = any(material in product.material for material in shopper.avoids)
        return (
            shopper.brands[product.brand]
            * max(shopper.colours[c] for c in product.colours) ** 0.7
            * math.exp(-0.5 * (gap / 0.45) ** 2)
            * (0.05 if avoided else 1.0)
        )

    def _season(self, shopper: Shopper, product: Product, day: date) -> float:
        match = self.params.season_match
        climate = self.params.climates[shopper.climate][product.warmth]
        if "all year" in product.seasons:
            return match["all year"] * climate
        now = season_of(day, shopper.south)
        coming = _SEASONS[(_SEASONS.index(now) + 1) % 4]
        when = "now" if now in product.seasons else "next" if coming in product.seasons else "off"
        return match[when] * climate


def age_on(birth: date, day: date) -> float:
    """Age in years."""
    return (day - birth).days / 365.25


def _child_for(shopper: Shopper, product: Product, day: date) -> date | None:
    """The first child whose age fits the product's age range."""
    low, high = (int(n) for n in re.findall(r"\d+", product.age_range))
    return next((b for b in shopper.births if low - 0.3 <= age_on(b, day) < high + 1), None)


def _for_whom(shopper: Shopper, product: Product, day: date) -> float:
    if product.gender == "kids":
        return 1.0 if _child_for(shopper, product, day) else 0.0
    if product.gender in ("unisex", shopper.gender):
        return 1.0
    return 0.03  # bought for somebody else


def ideal_size(shopper: Shopper, product: Product, day: date) -> float:
    """Where the shopper (or the child) truly falls on the product's size scale, as an index into ``sizes``.

    A product that runs small is not corrected for here: that is what the shopper does not know.
    """
    sizes = product.sizes
    last = len(sizes) - 1
    if last == 0:
        return 0.0
    if product.gender == "kids":
        return _child_size(shopper, product, day)
    if product.category in ("Shoes", "Boots"):
        return _clip(shopper.foot - float(sizes[0]), last)
    if product.category == "Socks":
        return float(sum(shopper.foot >= float(s.split("-")[0]) - 0.5 for s in sizes[1:]))
    if product.gender != "unisex":
        return _clip(shopper.body * last, last)
    # Unisex cuts: a woman falls lower on the scale than a man of the same relative build.
    scale = 0.3 + 0.7 * shopper.body if shopper.gender == "men" else 0.7 * shopper.body
    return _clip(scale * last, last)


def _child_size(shopper: Shopper, product: Product, day: date) -> float:
    birth = _child_for(shopper, product, day) or (shopper.births[0] if shopper.births else day)
    age = max(2.0, age_on(birth, day))
    sizes, last = product.sizes, len(product.sizes) - 1
    if "years" in sizes[0]:
        starts = [int(size.split("-")[0]) for size in sizes]
        return float(sum(age >= start for start in starts[1:]))
    wanted = 22 + 1.35 * age if product.category == "Kids shoes" else 80 + 6 * age
    step = float(sizes[1]) - float(sizes[0])
    return _clip((wanted - float(sizes[0])) / step, last)


def _clip(value: float, last: int) -> float:
    return min(float(last), max(0.0, value))


def colour_weight(shopper: Shopper, variant: Variant) -> float:
    """How gladly the shopper takes this colour."""
    return shopper.colours[variant.colour] ** 1.5
