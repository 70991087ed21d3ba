"""What the owner made of shoppers' corrections: accepted or refused, each for the correction as it was seen.

Rows are only added, so the table is its own log. Of several about one reaction the last counts, and only while the
correction is the one that was looked at.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shopfloor.store.traces import now

Verdict = Literal["accepted", "refused"]
By = Literal["dashboard", "command"]


@dataclass(frozen=True, slots=True)
class Review:
    """One look at a correction. ``digest``: of the correction as it was seen."""

    number: int
    at: str
    feedback_id: str
    verdict: Verdict
    digest: str
    by: By


def digest_of(correction: str) -> str:
    """SHA-256 of a correction, given as the JSON that the database holds; its spelling does not matter."""
    said = json.dumps(json.loads(correction), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def latest_reviews(state: sqlite3.Connection) -> Mapping[str, Review]:
    """The last review of each reaction that has one, by the reaction's id; see :func:`holds` for whether it counts."""
    rows = state.execute(
        """SELECT review_no AS number, at, feedback_id, verdict, digest, by FROM feedback_reviews
           WHERE review_no IN (SELECT max(review_no) FROM feedback_reviews GROUP BY feedback_id)"""
    )
    return {row["feedback_id"]: Review(**dict(row)) for row in rows}


def holds(review: Review | None, correction: str | None) -> Verdict | None:
    """The verdict on a correction as it stands now; None where it was not looked at, or has changed since."""
    if review is None or correction is None or review.digest != digest_of(correction):
        return None
    return review.verdict


def add_review(state: sqlite3.Connection, feedback_id: str, verdict: Verdict, correction: str, by: By) -> None:
    """Record a look; inside the caller's transaction."""
    state.execute(
        "INSERT INTO feedback_reviews (at, feedback_id, verdict, digest, by) VALUES (?, ?, ?, ?, ?)",
        (now(), feedback_id, verdict, digest_of(correction), by),
    )


def newest_reviews(state: sqlite3.Connection, limit: int) -> list[Review]:
    """The log of looks, the newest first."""
    rows = state.execute(
        """SELECT review_no AS number, at, feedback_id, verdict, digest, by FROM feedback_reviews
           ORDER BY review_no DESC LIMIT ?""",
        (limit,),
    )
    return [Review(**dict(row)) for row in rows]
