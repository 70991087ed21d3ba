"""The demo shop's hidden tastes, as the shoppers of the simulation have them. Nothing that serves or learns reads them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random

from shopfloor.demo.catalogue import Catalogue, Product, load_catalogue
from shopfloor.demo.chance import pick
from shopfloor.demo.params import Mission, Params, load_params
from shopfloor.demo.shoppers import Shopper, make_shoppers
from shopfloor.demo.taste import Tastes as Wishes
from shopfloor.simulation.scene import Need, Person

_KEENNESS = 1.3  # as in the shop's history: who likes something a little more buys it clearly more often
_FAINT = 0.08  # below it the best product of a reason to shop hardly interests


class DemoTastes:
    """The 900 shoppers of the demo shop, on the days after its history ends."""

    def __init__(self) -> None:
        self._params: Params = load_params()
        self._catalogue: Catalogue = load_catalogue()
        products = self._catalogue.products
        brands = sorted({product.brand for product in products})
        colours = sorted({colour for product in products for colour in product.colours})
        self._shoppers = {one.user_id: one for one in make_shoppers(self._params, brands, colours)}
        self._wishes = Wishes.of(self._params, self._catalogue)

    @property
    def people(self) -> Sequence[Person]:
        """All shoppers; who has no store near buys online."""
        return [Person(one.user_id, one.city) for one in self._shoppers.values()]

    @property
    def disappointing(self) -> Mapping[str, float]:
        """Products of poor quality."""
        return {sku: min(1.0, -quality) for sku, quality in self._params.quality.items() if quality < 0}

    def need(self, person: Person, day: int, rng: Random) -> Need | None:
        """A product out of a basket that this shopper could have filled on the day, by the history's own rules."""
        shopper = self._shoppers[person.user_id]
        on = self._params.end + timedelta(days=day)
        wishes = {
            product.sku: self._wishes.wish(shopper, product, on) ** _KEENNESS for product in self._catalogue.products
        }
        for _ in range(12):
            found = self._slot(shopper, on, wishes, rng)
            if found is not None:
                return Need(found.sku, wishes)
        return None

    def _slot(self, shopper: Shopper, on: date, wishes: Mapping[str, float], rng: Random) -> Product | None:
        mission = self._mission(shopper, on, rng)
        slot = pick(rng, mission.slots, [one.chance for one in mission.slots]) if mission is not None else None
        if slot is None:
            return None
        products = [
            one
            for one in self._catalogue.products
            if (one.sku in slot.skus or one.kind in slot.kinds)
            and (not slot.occasion or slot.occasion in one.occasions)
        ]
        if max((wishes[one.sku] for one in products), default=0.0) < _FAINT:
            return None
        return pick(rng, products, [wishes[one.sku] for one in products])

    def _mission(self, shopper: Shopper, on: date, rng: Random) -> Mission | None:
        names = list(shopper.missions)
        missions = [self._params.missions[name] for name in names]
        north, turned = on.month - 1, (on.month + 5) % 12
        months = [one.months[turned if shopper.south and not one.everywhere else north] for one in missions]
        weights = [shopper.missions[name] * month for name, month in zip(names, months, strict=True)]
        return pick(rng, missions, weights)
