"""What the agent is asked, what it understood, and what it answers. Plain values; no logic but JSON in and out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal, Self, cast

from pydantic import JsonValue

from shopfloor.tools.recommendation.usage import ModelUsage
from shopfloor.tools.schemas import RecommendedItem

Order = Literal["price_low", "price_high", "rating", "popular"]


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A request as understood. Everything but ``terms``, ``order`` and ``occasion`` is a hard constraint.

    ``categories`` and ``head`` say what kind of thing is asked for: any of the categories or, where the catalogue has
    none of that name, names with all the stems of ``head``. Colours, sizes, brands, categories and attribute values are the
    catalogue's own spellings in lower case. Bounds of prices are inclusive. ``quality`` is what the shopper wants the most
    of ("the warmest"); ``modifiers`` are words that stand before the thing ("*lunch* bag"), ``described`` those that describe it
    ("with dinosaurs"), ``measures`` (what, from, to) in base units, ``near`` a thing that others
    may stand for; a ``price_firm`` bound ("cheaper") is never given up, and once something
    else was asked after it the bound is ``price_implied`` and goes first; ``degree_above`` is what the ``quality`` must exceed ("warmer"); ``relaxed`` names what was given up to find
    what was shown, so that what follows starts from there.
    """

    text: str = ""
    colours: tuple[str, ...] = ()
    not_colours: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    age: float | None = None
    categories: tuple[str, ...] = ()
    not_categories: tuple[str, ...] = ()
    gender: str | None = None
    not_genders: tuple[str, ...] = ()
    price_min: float | None = None
    price_max: float | None = None
    brands: tuple[str, ...] = ()
    not_brands: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    not_attributes: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    not_terms: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    measures: tuple[tuple[str, float | None, float | None], ...] = ()
    occasion: str | None = None
    order: Order | None = None
    quantity: int | None = None
    like_sku: str | None = None
    exclude_skus: tuple[str, ...] = ()
    refines: bool = False
    quality: str | None = None
    price_firm: bool = False
    price_implied: bool = False
    degree_above: float | None = None
    relaxed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, JsonValue]:
        """Only what is set, as JSON."""
        out: dict[str, JsonValue] = {}
        for item in fields(self):
            value: object = getattr(self, item.name)
            if value in (None, (), False, ""):
                continue
            out[item.name] = _to_json(value)
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """The inverse of ``to_json``; fields it does not know are ignored."""
        known = {item.name for item in fields(cls)}
        return cls(**{name: _from_json(value) for name, value in data.items() if name in known})  # type: ignore[arg-type]

    @property
    def is_vague(self) -> bool:
        """Nothing says what kind of thing is wanted."""
        return not (self.categories or self.head or self.terms or self.like_sku)

    @property
    def is_empty(self) -> bool:
        """Nothing was asked at all."""
        return not {key for key in self.to_json() if key not in {"text", "quantity", "refines", "relaxed"}}


def _to_json(value: object) -> JsonValue:
    if isinstance(value, tuple):
        return [_to_json(part) for part in cast(tuple[object, ...], value)]
    return cast(JsonValue, value)


def _from_json(value: object) -> object:
    if isinstance(value, list):
        return tuple(_from_json(part) for part in cast(list[object], value))
    return value


@dataclass(frozen=True, slots=True)
class RecommendQuery:
    """One request to the agent.

    Attributes:
        text: what the shopper wrote; empty: recommend from history and popularity.
        count: how many cards, 1 to 20.
        user_id: whose history counts; unknown users have none.
        shown: SKUs on the shopper's screen, in order.
        focus_sku: the product the conversation is about.
        previous: what the last request in this conversation was understood as.
        basket: SKUs the shopper has in the basket now.
        city: only what is in stock in this city; ``store_id``: in this store.
        now: the moment of asking; the clock's when None.
    """

    text: str = ""
    count: int = 3
    user_id: str | None = None
    shown: tuple[str, ...] = ()
    focus_sku: str | None = None
    previous: ParsedRequest | None = None
    basket: tuple[str, ...] = ()
    city: str | None = None
    store_id: str | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product that was considered, with what every signal gave it."""

    sku: str
    score: float
    signals: Mapping[str, float]

    def to_json(self) -> dict[str, JsonValue]:
        """For the trace."""
        return {
            "sku": self.sku,
            "score": round(self.score, 6),
            "signals": {name: round(value, 6) for name, value in self.signals.items()},
        }


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The agent's answer. ``items`` are in their final order.

    ``note`` says what was relaxed because nothing fitted; ``answer`` is the finished explanation by template,
    which ``explain`` may word differently by choosing among ``phrasings`` (for each sentence the ways to say it).
    ``prompt`` is what the model saw, empty when it was skipped; ``usage`` what scoring cost it (explaining adds to its own).
    """

    items: list[RecommendedItem]
    parsed: ParsedRequest
    candidates: tuple[Candidate, ...] = ()
    prompt: str = ""
    model_scored: bool = False
    degraded: bool = False
    timings_ms: dict[str, float] = field(default_factory=dict[str, float])
    answer: str = ""
    note: str = ""
    phrasings: tuple[tuple[str, ...], ...] = ()
    usage: ModelUsage = field(default_factory=ModelUsage)
