"""Reads reactions with their turns and answers, and Gemini's own decisions, in an order that never changes."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from shopfloor.finetune.datasets.rows import Evidence
from shopfloor.store.reviews import holds, latest_reviews

FRESH = timedelta(hours=24)
"""An account that reacts sooner than this after its first turn, and has been there on one day alone, is fresh."""

_REACTIONS = """
    SELECT feedback.feedback_id, feedback.updated_at AS at, feedback.agent, feedback.user_id, feedback.sku,
           feedback.position, feedback.rating, feedback.action, feedback.correction, feedback.source, feedback.trace_id,
           turns.text, turns.route, turns.decided_by, turns.user_id AS owner, answers.answer_id, answers.answer,
           answers.request, answers.result, answers.candidates
    FROM feedback LEFT JOIN turns ON turns.trace_id = feedback.trace_id
                  LEFT JOIN answers ON answers.answer_id = feedback.answer_id
    ORDER BY feedback.updated_at, feedback.feedback_id"""
_DECISIONS = """
    SELECT trace_id, created_at AS at, user_id AS owner, text, route, decided_by
    FROM turns WHERE decided_by = 'gemini' AND status = 'answered' AND route IS NOT NULL
    ORDER BY created_at, trace_id"""


def reactions(state: sqlite3.Connection) -> Iterator[Evidence]:
    """Every reaction, oldest first; one that joins to no turn has an empty ``trace_id``."""
    accounts = _accounts(state)
    shown = _shown(state)
    reviews = latest_reviews(state)
    for row in state.execute(_REACTIONS):
        user = row["user_id"] or row["owner"] or ""
        yield Evidence(
            trace_id=row["trace_id"] if row["text"] is not None else "",
            feedback_id=row["feedback_id"],
            user_id=user,
            at=row["at"],
            text=row["text"] or "",
            route=row["route"],
            decided_by=row["decided_by"],
            agent=row["agent"],
            answer=row["answer"] or "",
            request=_object(row["request"]),
            result=_object(row["result"]),
            candidates=tuple(json.loads(row["candidates"] or "[]")),
            shown=shown.get(row["answer_id"] or "", ()),
            sku=row["sku"],
            position=row["position"],
            rating=row["rating"],
            action=row["action"],
            correction=None if row["correction"] is None else json.loads(row["correction"]),
            source=row["source"],
            fresh=_is_fresh(accounts.get(user), row["at"]),
            review=holds(reviews.get(row["feedback_id"]), row["correction"]),
        )


def decisions(state: sqlite3.Connection) -> Iterator[Evidence]:
    """Turns whose route Gemini decided, oldest first, with nobody's reaction."""
    for row in state.execute(_DECISIONS):
        yield Evidence(
            trace_id=row["trace_id"],
            feedback_id="",
            user_id=row["owner"],
            at=row["at"],
            text=row["text"],
            route=row["route"],
            decided_by=row["decided_by"],
            agent="supervisor",
            answer="",
            request={},
            result={},
            candidates=(),
            shown=(),
            sku=None,
            position=None,
            rating=None,
            action=None,
            correction=None,
            source="gemini",
            fresh=False,
        )


def _accounts(state: sqlite3.Connection) -> Mapping[str, tuple[str, int]]:
    """First turn and number of active days of every user."""
    rows = state.execute(
        "SELECT user_id, min(created_at) AS first, count(DISTINCT substr(created_at, 1, 10)) AS days FROM turns GROUP BY user_id"
    )
    return {row["user_id"]: (row["first"], row["days"]) for row in rows}


def _is_fresh(account: tuple[str, int] | None, at: str) -> bool:
    if account is None:
        return True
    first, days = account
    return days < 2 and datetime.fromisoformat(at) - datetime.fromisoformat(first) < FRESH


def _shown(state: sqlite3.Connection) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in state.execute("SELECT answer_id, sku FROM shown ORDER BY answer_id, position"):
        found[row["answer_id"]] = (*found.get(row["answer_id"], ()), row["sku"])
    return found


def _object(text: str | None) -> dict[str, Any]:
    value: object = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]
