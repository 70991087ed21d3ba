"""How shoppers ask: plain wordings, and the shop's own ways of asking, which no router has heard before.

``phrases.json`` holds templates by route: ``plain``; ``own``, words that this shop's customers have come to use ("peg
check", "an egg has not hatched"); ``unheard``, further sentences with those words that only withheld shoppers say.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Literal, cast

from shopfloor.simulation.scene import Item, Need, Person, Scene
from shopfloor.tools.schemas import Route

Style = Literal["plain", "own", "unheard"]
ROUTES: tuple[Route, ...] = ("recommendation", "inventory", "both", "supervisor")
ROUTE_SHARES = (0.4, 0.3, 0.12, 0.18)
TYPO_SHARE = 0.08
COLOUR_SHARE, LIMIT_SHARE = 0.3, 0.2

_CHOICE = re.compile(r"\[([^\]]*)\]")
_WORD = re.compile(r"[a-z]{5,}")


@dataclass(frozen=True, slots=True)
class Ask:
    """A message with what only its writer knows: who should handle it, and what would please.

    ``fitting`` holds the appeal of each product that is what was asked for, 1 for the best of them; it is empty where
    the message is no wish.
    """

    text: str
    route: Route
    style: Style
    fitting: Mapping[str, float]

    @property
    def is_wish(self) -> bool:
        """Whether products were asked for."""
        return self.route in ("recommendation", "both")


@dataclass(frozen=True, slots=True)
class _Wish:
    words: str
    colour: str | None
    limit: float | None


class Speaker:
    """Puts needs into words."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._phrases = _phrases()
        self._occasions = cast("Sequence[str]", self._phrases["occasions"])

    def ask(self, person: Person, need: Need, style: Style, rng: Random) -> Ask:
        """One message of a shopper."""
        route = rng.choices(ROUTES, ROUTE_SHARES)[0]
        templates = cast("Mapping[Style, Mapping[Route, Sequence[str]]]", self._phrases)[style][route]
        return self._say(person, need, style, route, rng.choice(templates), rng)

    def about(self, person: Person, sku: str, rng: Random) -> Ask:
        """A plain wish for products of this one's kind."""
        templates = cast("Mapping[Style, Mapping[Route, Sequence[str]]]", self._phrases)["plain"]["recommendation"]
        return self._say(person, Need(sku, {sku: 1.0}), "plain", "recommendation", rng.choice(templates), rng)

    def _say(self, person: Person, need: Need, style: Style, route: Route, template: str, rng: Random) -> Ask:
        item = self._scene.items[need.sku]
        wish = _wish(item, rng) if "{wish}" in template else _Wish(item.kind, None, None)
        text = _CHOICE.sub(lambda choice: rng.choice(choice[1].split("|")), template).format(
            wish=wish.words,
            kind=item.kind,
            product=item.name,
            city=person.city or rng.choice(self._scene.cities or ["town"]),
            size=rng.choice(item.sizes or ("M",)),
            number=rng.randint(10_000, 99_999),
            occasion=rng.choice(self._occasions),
        )
        if rng.random() < TYPO_SHARE:
            text = with_typo(text, rng)
        names_kind = "{wish}" in template or "{kind}" in template
        fitting = self._fitting(item, wish, need, names_kind) if route in ("recommendation", "both") else {}
        return Ask(text, route, style, fitting)

    def _fitting(self, item: Item, wish: _Wish, need: Need, names_kind: bool) -> dict[str, float]:
        fits = {
            one.sku: max(0.0, need.appeal.get(one.sku, 0.0))
            for one in self._scene.items.values()
            if (not names_kind or one.kind == item.kind)
            and (wish.colour is None or wish.colour in one.colours)
            and (wish.limit is None or (one.price is not None and one.price <= wish.limit))
        }
        best = max(fits.values(), default=0.0)
        return {sku: value / best for sku, value in fits.items() if value > 0} if best > 0 else {item.sku: 1.0}


def with_typo(text: str, rng: Random) -> str:
    """Two letters of one longer word change places."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = rng.choice(words)
    place = rng.randrange(word.start() + 1, word.end() - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _wish(item: Item, rng: Random) -> _Wish:
    words, colour, limit = item.kind, None, None
    if item.colours and rng.random() < COLOUR_SHARE:
        colour = rng.choice(item.colours)
        words = f"{colour} {words}"
    if item.price and rng.random() < LIMIT_SHARE:
        limit = float(-(-int(item.price * 1.25) // 10) * 10)
        words = f"{words} under {limit:.0f}"
    return _Wish(words, colour, limit)


@cache
def _phrases() -> Mapping[str, object]:
    return json.loads((files("shopfloor.simulation") / "phrases.json").read_text(encoding="utf-8"))
