"""The shapes between the steps: what was said, a row made of it, and a row that was dropped."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from shopfloor.errors import InputError
from shopfloor.evaluation.corrections import OWNER
from shopfloor.store.reviews import Verdict

Agent = Literal["recommendation", "inventory", "router"]
AGENTS: tuple[Agent, ...] = ("recommendation", "inventory", "router")
Kind = Literal["route", "choose", "explain", "slots"]
Basis = Literal["correction", "rating", "action", "gemini"]
Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")

STRENGTH: dict[Basis, int] = {"correction": 3, "action": 2, "rating": 2, "gemini": 1}
"""Where two rows contradict each other, the stronger basis wins."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reaction with the turn and the answer it is about, or a turn alone. Absent parts are None or empty."""

    trace_id: str
    feedback_id: str
    user_id: str
    at: str  # when the reaction last changed, or the turn was made
    text: str
    route: str | None
    decided_by: str | None
    agent: str
    answer: str
    request: dict[str, Any]
    result: dict[str, Any]
    candidates: tuple[dict[str, Any], ...]
    shown: tuple[str, ...]
    sku: str | None
    position: int | None
    rating: int | None
    action: str | None
    correction: str | dict[str, Any] | None
    source: str
    fresh: bool
    review: Verdict | None = None  # the owner's, of this correction

    @property
    def verified(self) -> bool:
        """Whether the owner says that the correction is right: accepted, or the owner's own."""
        return self.review == "accepted" or (self.source == OWNER and self.review is None)

    @property
    def liked(self) -> bool | None:
        """True for 4 or 5 stars, a click or a purchase; False for 1 or 2 stars, ignored or returned; else None."""
        if self.action in {"ignored", "returned"} or (self.rating is not None and self.rating <= 2):
            return False
        if self.rating is not None:
            return True if self.rating >= 4 else None
        return True if self.action in {"clicked", "purchased"} else None

    @property
    def basis(self) -> Basis:
        """What the row rests on where there is no correction."""
        return "rating" if self.rating is not None else "action"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row comes from. ``feedback_id`` and ``user_id`` may be empty."""

    trace_id: str
    feedback_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to learn: for ``text``, ``target`` is right (or, with ``positive`` False, wrong).

    ``kind``: route (target: a route), choose (target: a SKU among ``candidates``), explain (target: the answer's text),
    slots (target: JSON of intent and slots). ``context`` is what stood beside the question. ``at`` sorts as time.
    ``verified``: the owner says so.
    """

    kind: Kind
    text: str
    target: str
    positive: bool
    basis: Basis
    at: str
    sources: tuple[Source, ...]
    fresh: bool = False
    verified: bool = False
    weight: float = 1.0
    context: str = ""
    candidates: tuple[dict[str, Any], ...] = ()
    rejected: tuple[str, ...] = ()
    position: int | None = None

    @property
    def user_id(self) -> str:
        """The first user who said it."""
        return self.sources[0].user_id

    def to_json(self, part: Part, user: str) -> dict[str, Any]:
        """The line of ``rows.jsonl``: no user id, no time of day."""
        value = asdict(self)
        for name in ("sources", "fresh", "verified"):
            del value[name]
        value["at"] = self.at[:10]
        return {"part": part, "user": user, **value}


@dataclass(frozen=True, slots=True)
class Drop:
    """A reaction that is not learned from, and why. ``reason`` is a fixed name, ``detail`` never quotes the shopper."""

    feedback_id: str
    trace_id: str
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Sifted:
    """What a step keeps and drops."""

    rows: list[Row] = field(default_factory=list[Row])
    drops: list[Drop] = field(default_factory=list[Drop])

    def drop(self, row: Row, reason: str, detail: str = "") -> None:
        """Drop a row, with a line for each of its sources."""
        self.drops.extend(Drop(source.feedback_id, source.trace_id, reason, detail) for source in row.sources)


class Unusable(Exception):
    """This reaction teaches nothing."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def check_agent(name: str) -> Agent:
    """The agent by its name.

    Raises:
        InputError: there is none of that name.
    """
    for agent in AGENTS:
        if agent == name:
            return agent
    raise InputError(f"--agent {name}: choose {', '.join(AGENTS)}.", matches=AGENTS)


def compact(value: object) -> str:
    """JSON in one fixed spelling, so that the same content has the same hash."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
