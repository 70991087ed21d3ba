"""How the two sides of a trial did: outcomes from 0 to 1 in the order in which they came, out of turns and feedback.

An outcome belongs to the side that decided the turn, and to the share that was on then. A user, or a conversation of one
without a name, counts once for each: nobody outweighs the others, and outcomes do not hang together. Three are counted:

- quality, 0 to 1: what was said of the first turn that the user said something of (stars, what was done with a product,
  whether the route was corrected, unless the owner refused the correction);
- failed, 0 or 1: whether the user's first turn failed;
- slow, 0 or 1: whether it took longer than the budget.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from shopfloor.store.reviews import holds, latest_reviews
from shopfloor.store.rollouts import Rollout
from shopfloor.store.traces import Side

MOST_TURNS = 20_000
"""Turns of a stage that count, the first ones: enough for any difference that matters, and a bound on the work."""
NAMELESS = ("", "anonymous")
ACTIONS: Mapping[str, float] = {"purchased": 1.0, "clicked": 0.75, "ignored": 0.25, "returned": 0.0}


@dataclass(frozen=True, slots=True)
class SideOutcomes:
    """One side at one stage. ``users``: of whom it decided a turn that has ended."""

    users: int = 0
    quality: list[float] = field(default_factory=list[float])
    failed: list[float] = field(default_factory=list[float])
    slow: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Both sides at the stage that is on."""

    champion: SideOutcomes
    challenger: SideOutcomes


@dataclass(slots=True)
class _Judged:
    """What was said of one turn."""

    user: str
    side: Side
    scores: list[float] = field(default_factory=list[float])
    route: float | None = None


def read_outcomes(connection: sqlite3.Connection, trial: Rollout, budget_ms: float) -> Outcomes:
    """Outcomes of the stage that is on.

    Args:
        connection: of the state database.
        trial: whose.
        budget_ms: a turn that takes longer is slow.
    """
    sides = {"champion": SideOutcomes(), "challenger": SideOutcomes()}
    turns: dict[str, dict[str, tuple[str, float | None]]] = {"champion": {}, "challenger": {}}
    for row in connection.execute(
        """SELECT rollout_turns.side, turns.user_id, turns.thread_id, turns.status, json_extract(turns.timings_ms, '$.total') AS total
           FROM rollout_turns CROSS JOIN turns USING (trace_id)
           WHERE rollout_turns.rollout_id = ? AND rollout_turns.stage = ? AND turns.status != 'started'
           ORDER BY turns.created_at LIMIT ?""",
        (trial.rollout_id, trial.stage, MOST_TURNS),
    ):
        turns[row["side"]].setdefault(_user(row), (row["status"], row["total"]))
    judged = _quality(connection, trial)
    return Outcomes(*(_side(list(turns[side].values()), judged[side], budget_ms) for side in sides))


def _side(turns: list[tuple[str, float | None]], quality: list[float], budget_ms: float) -> SideOutcomes:
    found = SideOutcomes(users=len(turns), quality=quality)
    for status, total in turns:
        if status != "cancelled":  # a shopper who left is no fault by itself
            found.failed.append(float(status == "failed"))
        if total is not None and (status != "cancelled" or total > budget_ms):
            found.slow.append(float(total > budget_ms))
    return found


def _quality(connection: sqlite3.Connection, trial: Rollout) -> dict[str, list[float]]:
    judged: dict[str, _Judged] = {}
    reviews = latest_reviews(connection)
    for row in connection.execute(
        """SELECT feedback.feedback_id, feedback.trace_id, feedback.rating, feedback.action, feedback.correction, turns.user_id, turns.thread_id,
                  turns.route, rollout_turns.side
           FROM rollout_turns CROSS JOIN turns USING (trace_id) CROSS JOIN feedback USING (trace_id)
           WHERE rollout_turns.rollout_id = ? AND rollout_turns.stage = ?
           ORDER BY feedback.created_at, feedback.feedback_id""",
        (trial.rollout_id, trial.stage),
    ):
        one = judged.setdefault(row["trace_id"], _Judged(_user(row), row["side"]))
        stars = [] if row["rating"] is None else [(row["rating"] - 1) / 4]
        done = [] if row["action"] is None else [ACTIONS[row["action"]]]
        if said := stars + done:
            one.scores.append(sum(said) / len(said))
        refused = holds(reviews.get(row["feedback_id"]), row["correction"]) == "refused"
        right = None if refused else _route_was_right(row["correction"], row["route"])
        if right is not None:
            one.route = min(one.route if one.route is not None else 1.0, float(right))
    found: dict[str, dict[str, float]] = {"champion": {}, "challenger": {}}
    for one in judged.values():
        score = _score(one)
        if score is not None:
            found[one.side].setdefault(one.user, score)
    return {side: list(scores.values()) for side, scores in found.items()}


def _user(row: sqlite3.Row) -> str:
    return str(row["thread_id"] if row["user_id"] in NAMELESS else row["user_id"])


def _score(one: _Judged) -> float | None:
    """A turn that went the wrong way was a bad one, whatever else was said of it."""
    if one.route == 0:
        return 0.0
    if one.scores:
        return sum(one.scores) / len(one.scores)
    return one.route


def _route_was_right(correction: str | None, route: str | None) -> bool | None:
    """Whether a correction says that another agent should have answered; None where it says nothing of that."""
    if correction is None:
        return None
    said = json.loads(correction)
    if not isinstance(said, dict) or said.get("kind") != "route":  # pyright: ignore[reportUnknownMemberType]
        return None
    return said.get("route") == route  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
