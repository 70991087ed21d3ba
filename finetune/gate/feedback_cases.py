"""Cases for the gate out of the shop's own feedback: only what the owner has verified, two a user at the most.

The owner verifies by importing feedback with ``source`` "owner" (``shopfloor feedback import``); a shopper's reaction
comes in with another source, and can't become a case. A case stays one, so that champions of different months are
judged alike, and its text is never trained on.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass

from shopfloor.finetune.datasets.collect import reactions
from shopfloor.finetune.datasets.routes import row_of
from shopfloor.finetune.datasets.rows import Unusable
from shopfloor.store.loop import transaction
from shopfloor.store.traces import now

OWNER = "owner"
PER_USER = 2
ONE_IN = 3
"""Of what the owner has verified, about a third is kept for judging; the rest is learned from."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What may not be learned from."""

    feedback_ids: frozenset[str]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedbackCase:
    """A verified case of routing."""

    case_id: str
    text: str
    label: str


def hold_out(state: sqlite3.Connection, agent: str) -> HeldOut:
    """Choose new cases among what the owner has verified, keep the old, and say what they are."""
    if agent == "router":
        _choose(state)
    rows = state.execute(
        "SELECT feedback_id, body FROM gate_cases WHERE agent = ? ORDER BY case_id", (agent,)
    ).fetchall()
    texts = tuple(str(json.loads(row["body"])["text"]) for row in rows)
    return HeldOut(frozenset(str(row["feedback_id"]) for row in rows), texts)


def routing_cases(state: sqlite3.Connection) -> list[FeedbackCase]:
    """The verified cases of routing."""
    rows = state.execute("SELECT case_id, body FROM gate_cases WHERE agent = 'router' ORDER BY case_id").fetchall()
    bodies = [(row["case_id"], json.loads(row["body"])) for row in rows]
    return [FeedbackCase(name, body["text"], body["label"]) for name, body in bodies]


def _choose(state: sqlite3.Connection) -> None:
    rows = state.execute("SELECT case_id, user_id FROM gate_cases WHERE agent = 'router'").fetchall()
    known = {row["case_id"] for row in rows}
    of_user = Counter(row["user_id"] for row in rows)
    new: list[tuple[str, str, str, str]] = []
    for evidence in reactions(state):
        if evidence.source != OWNER or not evidence.trace_id or evidence.feedback_id in known:
            continue
        if _number(evidence.feedback_id) % ONE_IN or of_user[evidence.user_id] >= PER_USER:
            continue
        try:
            row = row_of(evidence)
        except Unusable:
            continue
        if row.basis != "correction":
            continue
        of_user[evidence.user_id] += 1
        body = json.dumps({"text": row.text, "label": row.target}, ensure_ascii=False)
        new.append((evidence.feedback_id, evidence.feedback_id, evidence.user_id, body))
    if not new:
        return
    with transaction(state):
        state.executemany(
            """INSERT OR IGNORE INTO gate_cases (case_id, agent, feedback_id, user_id, created_at, body)
               VALUES (?, 'router', ?, ?, ?, ?)""",
            [(case, feedback, user, now(), body) for case, feedback, user, body in new],
        )


def _number(feedback_id: str) -> int:
    return int(hashlib.sha256(feedback_id.encode()).hexdigest()[:8], 16)
