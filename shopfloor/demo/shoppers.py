"""The shoppers: who they are, where they live, what they like and which size fits them."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from shopfloor.demo.chance import pick, stream
from shopfloor.demo.params import Params


@dataclass(frozen=True)
class Shopper:
    """One shopper's hidden self.

    Attributes:
        body: 0 (the smallest size of their own cut) to 1 (the largest).
        foot: the length of the foot as an EU shoe size.
        births: the birthdays of their children.
        orders_per_month: before the season counts.
        budget: logarithm of the price they aim at over the usual price of a kind of product.
    """

    user_id: str
    persona: str
    gender: str
    city: str
    climate: str
    south: bool
    joined: date
    body: float
    foot: float
    births: tuple[date, ...]
    orders_per_month: float
    budget: float
    online_share: float
    brands: dict[str, float]
    colours: dict[str, float]
    avoids: frozenset[str]
    missions: dict[str, float]


def make_shoppers(params: Params, brands: list[str], colours: list[str]) -> list[Shopper]:
    """All shoppers, in the order in which they joined; ``brands`` and ``colours`` are the catalogue's."""
    rng = stream(params.seed, "shoppers")
    days = params.months_until_all_joined * 30
    # The square root makes more of them join late: the shop grows. Nearly half were there from the start.
    joined = sorted(
        params.start + timedelta(days=0 if rng.random() < 0.45 else int(days * math.sqrt(rng.random())))
        for _ in range(params.shoppers)
    )
    return [_shopper(rng, params, f"CU-{n:04d}", day, brands, colours) for n, day in enumerate(joined, 1)]


def _shopper(rng: Random, params: Params, user_id: str, joined: date, brands: list[str], colours: list[str]) -> Shopper:
    names = list(params.personas)
    persona_name = pick(rng, names, [params.personas[n].share for n in names]) or names[0]
    persona = params.personas[persona_name]
    cities = list(params.cities)
    city_name = pick(rng, cities, [params.cities[c].share for c in cities]) or cities[0]
    city = params.cities[city_name]
    gender = "women" if rng.random() < 0.52 else "men"
    children = 1 + (rng.random() < 0.5) if persona_name == "parent" else int(rng.random() < 0.12)
    return Shopper(
        user_id=user_id,
        persona=persona_name,
        gender=gender,
        city=city_name,
        climate=city.climate,
        south=city.south,
        joined=joined,
        body=min(1.0, max(0.0, rng.gauss(0.48, 0.2))),
        foot=rng.gauss(43.0, 1.2) if gender == "men" else rng.gauss(38.5, 1.0),
        births=tuple(params.start - timedelta(days=int(rng.uniform(2.5, 11.0) * 365.25)) for _ in range(children)),
        orders_per_month=params.orders_per_month * persona.rate * math.exp(rng.gauss(-0.15, 0.55)),
        budget=persona.budget + rng.gauss(0.0, 0.2),
        online_share=1.0 if not city_name else min(1.0, params.online_share * math.exp(rng.gauss(0.0, 0.6))),
        brands=_vary(rng, persona.brands, brands, 0.3),
        colours=_vary(rng, persona.colours, colours, 0.45),
        avoids=frozenset(m for m, share in params.avoids.items() if rng.random() < share),
        missions=_vary(rng, persona.missions, list(persona.missions), 0.4),
    )


def _vary(rng: Random, mean: dict[str, float], keys: list[str], spread: float) -> dict[str, float]:
    """The persona's weights with one person's own leanings on top."""
    return {key: mean.get(key, 1.0) * math.exp(rng.gauss(0.0, spread)) for key in keys}
