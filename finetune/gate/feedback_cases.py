"""Cases for the gate out of the shop's own feedback: only what the owner has verified, two a user at the most.

The owner verifies by accepting a shopper's correction (``shopfloor feedback review``, the dashboard), or by importing
feedback with ``source`` "owner" (``shopfloor feedback import``). A case stays one, so that champions of different months
are judged alike, and its text is never trained on; unless the owner refuses it after all, or the shopper has said
something else since it was accepted: then it is none until it is looked at again.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shopfloor.finetune.datasets.collect import reactions
from shopfloor.finetune.datasets.routes import row_of
from shopfloor.finetune.datasets.rows import Evidence, Unusable
from shopfloor.store.loop import transaction
from shopfloor.store.traces import now

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
    evidences = list(reactions(state))
    _give_up(state, evidences)
    rows = state.execute("SELECT case_id, user_id FROM gate_cases WHERE agent = 'router'").fetchall()
    known = {row["case_id"] for row in rows}
    of_user = Counter(row["user_id"] for row in rows)
    new: list[tuple[str, str, str, str]] = []
    for evidence in evidences:
        if not evidence.verified or not evidence.trace_id or evidence.feedback_id in known:
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


def _give_up(state: sqlite3.Connection, evidences: Sequence[Evidence]) -> None:
    """Take out the cases that the owner no longer stands for; those of reactions that are gone stay."""
    doubtful = {evidence.feedback_id for evidence in evidences if not evidence.verified}
    rows = state.execute("SELECT case_id, feedback_id FROM gate_cases WHERE agent = 'router'").fetchall()
    gone = [(row["case_id"],) for row in rows if row["feedback_id"] in doubtful]
    if gone:
        with transaction(state):
            state.executemany("DELETE FROM gate_cases WHERE case_id = ?", gone)


def _number(feedback_id: str) -> int:
    return int(hashlib.sha256(feedback_id.encode()).hexdigest()[:8], 16)
