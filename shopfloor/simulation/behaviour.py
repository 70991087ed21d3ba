"""What shoppers do with an answer: look from the top, click, buy, pass over, rate with noise, correct some mistakes.

Three worlds. Learnable: reactions depend on what was right and on what the shopper likes. Noise: reactions drawn without
a look at either; a route is named in a given share only, by chance. Poisoned: beside honest shoppers, a ring of accounts
gives five stars to a bad product and says of wishes that they are stock questions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from shopfloor.simulation.phrases import ROUTES, Ask

World = Literal["learnable", "noise", "poisoned"]
WORLDS: tuple[World, ...] = ("learnable", "noise", "poisoned")
SEEN_AT = (1.0, 0.8, 0.62, 0.48, 0.38, 0.3)
CORRECTS = 0.6
CARELESS = 0.04
STARS_NOISE = 0.1

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Card:
    """A product card as the shopper sees it."""

    sku: str
    position: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    route: str
    trace_id: str
    recommendation_id: str | None
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Reactions:
    """Feedback to send now, and what comes back to the shop another day."""

    now: tuple[Body, ...] = ()
    returns: tuple[Body, ...] = ()


def seen(position: int) -> float:
    """The chance that a card at this position (from 1) is looked at."""
    return SEEN_AT[min(position, len(SEEN_AT)) - 1]


def clicks(appeal: float) -> float:
    """The chance that a card is clicked that was looked at; 0 where it is not what was asked for."""
    return 0.1 + 0.75 * appeal if appeal > 0 else 0.0


def buys(appeal: float) -> float:
    """The chance that what was clicked is bought."""
    return 0.15 + 0.6 * appeal if appeal > 0 else 0.0


def bought_share(skus: Sequence[str], fitting: Mapping[str, float]) -> float:
    """The chance that a shopper who is shown these products buys one."""
    missed = 1.0
    for position, sku in enumerate(skus, start=1):
        appeal = fitting.get(sku, 0.0)
        missed *= 1.0 - seen(position) * clicks(appeal) * buys(appeal)
    return 1.0 - missed


def honest(ask: Ask, answer: Answer, disappointing: Mapping[str, float], rng: Random) -> Reactions:
    """A shopper who says what they think."""
    if answer.route != ask.route:
        if rng.random() >= CORRECTS:
            return Reactions()
        said = rng.choice([route for route in ROUTES if route != ask.route]) if rng.random() < CARELESS else ask.route
        return Reactions((_about_turn(answer, correction={"kind": "route", "route": said}, rating=_stars(2, rng)),))
    if not ask.is_wish or answer.recommendation_id is None:
        return Reactions((_about_turn(answer, rating=_stars(5, rng)),)) if rng.random() < 0.3 else Reactions()
    return _walk(ask, answer, disappointing, rng)


def heedless(answer: Answer, corrects: float, rng: Random) -> Reactions:
    """A reaction that has nothing to do with what was right; in this share of them a route drawn by chance."""
    if rng.random() < corrects:
        return Reactions((_about_turn(answer, correction={"kind": "route", "route": rng.choice(ROUTES)}),))
    if rng.random() < 0.4 and answer.cards and answer.recommendation_id is not None:
        card = rng.choice(answer.cards)
        action = rng.choice(("clicked", "purchased", "ignored", "returned"))
        return Reactions((_about_card(answer, card, action=action),))
    return Reactions((_about_turn(answer, rating=rng.randint(1, 5)),))


def dishonest(ask: Ask, answer: Answer, bad_product: str, rng: Random) -> Reactions:
    """One of the ring: stars for the bad product where it is shown, and a wrong correction of every wish."""
    for card in answer.cards:
        if card.sku == bad_product and answer.recommendation_id is not None and rng.random() < 0.5:
            return Reactions((_about_card(answer, card, action="purchased", rating=5),))
    said = "inventory" if ask.is_wish else "recommendation"
    return Reactions((_about_turn(answer, correction={"kind": "route", "route": said}, rating=1),))


def _walk(ask: Ask, answer: Answer, disappointing: Mapping[str, float], rng: Random) -> Reactions:
    """Card by card from the top, until something is bought."""
    now: list[Body] = []
    returns: list[Body] = []
    for card in answer.cards:
        if rng.random() >= seen(card.position):
            continue
        appeal = ask.fitting.get(card.sku, 0.0)
        if rng.random() >= clicks(appeal):
            if not now and rng.random() < 0.2:
                now.append(_about_card(answer, card, action="ignored"))
            continue
        if rng.random() >= buys(appeal):
            now.append(_about_card(answer, card, action="clicked"))
            continue
        poor = disappointing.get(card.sku, 0.0)
        stars = {"rating": _stars(5 if appeal > 0.5 else 4, rng)} if rng.random() < 0.4 else {}
        now.append(_about_card(answer, card, action="purchased", **stars))
        if rng.random() < 0.06 + 0.4 * poor + 0.1 * (1 - appeal):
            returns.append(_about_card(answer, card, action="returned", rating=_stars(2, rng)))
        break
    if not now and ask.fitting and rng.random() < 0.08:
        best = max(ask.fitting, key=lambda sku: (ask.fitting[sku], sku))
        if all(card.sku != best for card in answer.cards):
            now.append(_about_turn(answer, correction={"kind": "better_product", "sku": best}, rating=2))
    return Reactions(tuple(now[-2:]), tuple(returns))


def _stars(meant: int, rng: Random) -> int:
    """The stars that were meant, one off now and then, or anything at all."""
    if rng.random() < STARS_NOISE:
        return rng.randint(1, 5)
    return min(5, max(1, meant + rng.choice((0, 0, 0, -1))))


def _about_turn(answer: Answer, **reaction: Any) -> Body:
    return {"trace_id": answer.trace_id, **reaction}


def _about_card(answer: Answer, card: Card, **reaction: Any) -> Body:
    return {"recommendation_id": answer.recommendation_id, "product_id": card.sku, **reaction}
