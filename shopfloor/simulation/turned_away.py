"""Whose feedback the datasets left out: honest shoppers' and the ring's, by the reasons in the datasets' own reports."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from typing import Any

from shopfloor.finetune.datasets.build import DROPS_FILE
from shopfloor.finetune.datasets.opening import open_and_build
from shopfloor.finetune.datasets.rows import Agent
from shopfloor.settings import Settings
from shopfloor.store.database import connect

DISTRUST = frozenset(
    {"contradicted", "against_trusted_users", "same_product", "fresh_accounts_alone", "per_user", "fresh_accounts"}
)
"""Reasons that are rules against misuse; the others say that a reaction holds nothing to learn from."""
AGENTS: tuple[Agent, ...] = ("router", "recommendation")


def turned_away(settings: Settings, dishonest: Collection[str], bad_product: str) -> dict[str, Any]:
    """Build each agent's dataset once more from all feedback, and count what it left out (blocking).

    Args:
        settings: the simulated shop's.
        dishonest: trace ids of the ring's turns.
        bad_product: the product that the ring praises.
    """
    counted: dict[str, Any] = {}
    for agent in AGENTS:
        built = open_and_build(settings, agent)
        drops = [
            json.loads(line) for line in (built.folder / DROPS_FILE).read_text(encoding="utf-8").splitlines() if line
        ]
        with closing(connect(settings.state_path, read_only=True)) as state:
            reactions = _reactions(state, agent)
        ring = {feedback for feedback, trace in reactions.items() if trace in dishonest}
        counted[agent] = {
            "honest": _count(set(reactions) - ring, drops),
            "dishonest": _count(ring, drops),
            "rows": len(built.rows),
            "rows_of_dishonest": sum(any(source.feedback_id in ring for source in row.sources) for row in built.rows),
        }
        if agent == "recommendation":
            counted[agent]["praise_of_bad_product"] = sum(
                row.kind == "choose" and row.positive and row.target == bad_product for row in built.rows
            )
    return counted


def _reactions(state: sqlite3.Connection, agent: str) -> dict[str, str]:
    rows = state.execute(
        "SELECT feedback_id, coalesce(trace_id, '') AS trace_id FROM feedback WHERE ? = 'router' OR agent = ?",
        (agent, agent),
    )
    return {str(row["feedback_id"]): str(row["trace_id"]) for row in rows}


def _count(reactions: Collection[str], drops: list[dict[str, str]]) -> dict[str, Any]:
    """By feedback: one that made several rows counts once, by the strictest reason."""
    reasons: dict[str, str] = {}
    for drop in drops:
        feedback, reason = drop["feedback_id"], drop["reason"]
        if feedback in reactions and (feedback not in reasons or reason in DISTRUST):
            reasons[feedback] = reason
    counted = Counter(reasons.values())
    distrusted = sum(count for reason, count in counted.items() if reason in DISTRUST)
    return {
        "reactions": len(reactions),
        "turned_away": distrusted,
        "not_usable": sum(counted.values()) - distrusted,
        "reasons": dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))),
    }
