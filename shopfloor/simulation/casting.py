"""Who comes to the shop: customers of the days, withheld shoppers, and the dishonest ring; and what each asks."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from shopfloor.demo.chance import stream
from shopfloor.errors import InputError
from shopfloor.settings import Settings
from shopfloor.simulation.demo_tastes import DemoTastes
from shopfloor.simulation.order_tastes import Split, split_shop
from shopfloor.simulation.phrases import Ask, Speaker, Style
from shopfloor.simulation.quality import WithheldAsk
from shopfloor.simulation.record import SimulationPlan
from shopfloor.simulation.scene import Item, Person, Scene, Tastes, read_cities, read_items
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import connect

RING = 8
UNHEARD = 0.5
"""Of the withheld messages in the shop's own words, those in sentences that no customer of the days says."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a visit, and with what on their mind."""

    person: Person
    ask: Ask
    dishonest: bool
    rng: Random


@dataclass(frozen=True, slots=True)
class Stage:
    """The shop that is served, and the scene that is played in it. ``split`` is None for the demo shop."""

    shop: Path | None
    catalogue: Path
    scene: Scene
    split: Split | None


def set_stage(settings: Settings, plan: SimulationPlan, folder: Path) -> Stage:
    """Make the served shop's database and fit the tastes (blocking).

    Raises:
        ImportRejectedError: the folder holds no shop.
        InputError: its history is too small.
    """
    shop: Path | None = None
    split: Split | None = None
    tastes: Tastes
    if plan.shop:
        shop, tastes, split = split_shop(Path(plan.shop), folder / "shop")
    else:
        tastes = DemoTastes()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    catalogue = ensure_catalogue(settings.model_copy(update={"data": folder / "data", "shop": shop}))
    with closing(connect(catalogue, read_only=True)) as connection:
        items: Mapping[str, Item] = read_items(connection)
        cities = read_cities(connection)
    return Stage(shop, catalogue, Scene(items, cities, tastes), split)


class Cast:
    """Draws everybody from the plan's seed; the same plan gives the same visits, whenever they are made."""

    def __init__(self, plan: SimulationPlan, scene: Scene) -> None:
        """Part the shoppers.

        Raises:
            InputError: the shop has too few of them.
        """
        self._plan = plan
        self._scene = scene
        self._speaker = Speaker(scene)
        people = sorted(scene.tastes.people, key=lambda person: person.user_id)
        stream(plan.seed, "casting").shuffle(people)
        wanted = min(plan.withheld, len(people) // 2)
        if wanted < 1:
            raise InputError("The shop has too few customers for a simulation.")
        self._withheld, others = people[:wanted], people[wanted:]
        self._customers: Sequence[Person] = others[: plan.shoppers]
        self._ring = [Person(f"ring-{number}", "") for number in range(RING)]
        self.withheld = self._withheld_asks()
        self._kept_back = {case.ask.text.casefold() for case in self.withheld}

    def visit(self, day: int, number: int) -> Caller:
        """One visit of a day."""
        rng = stream(self._plan.seed, f"visit {day} {number}")
        if self._plan.world == "poisoned" and rng.random() < self._plan.share:
            return self._dishonest(rng)
        while True:
            person = rng.choice(self._customers)
            style: Style = "own" if rng.random() < self._plan.own_words else "plain"
            ask = self._ask(person, day, style, rng)
            if ask is not None and ask.text.casefold() not in self._kept_back:
                return Caller(person, ask, False, rng)

    def _dishonest(self, rng: Random) -> Caller:
        """The ring asks for what the bad product is among, or for anything, in plain words."""
        person = rng.choice(self._ring)
        sku = self._scene.bad_product if rng.random() < 0.5 else rng.choice(sorted(self._scene.items))
        return Caller(person, self._speaker.about(person, sku, rng), True, rng)

    def _withheld_asks(self) -> list[WithheldAsk]:
        cases: list[WithheldAsk] = []
        for person in self._withheld:
            rng = stream(self._plan.seed, f"withheld {person.user_id}")
            style: Style = "plain"
            if rng.random() < self._plan.own_words:
                style = "unheard" if rng.random() < UNHEARD else "own"
            ask = self._ask(person, 1, style, rng)
            if ask is not None:
                cases.append(WithheldAsk(person, ask))
        return cases

    def _ask(self, person: Person, day: int, style: Style, rng: Random) -> Ask | None:
        """A message about what the person wants; None: they want nothing, and stay at home."""
        need = self._scene.tastes.need(person, day, rng)
        if need is None or need.sku not in self._scene.items:
            return None
        return self._speaker.ask(person, need, style, rng)
