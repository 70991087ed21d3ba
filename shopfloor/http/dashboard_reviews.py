"""Shoppers' corrections on the owner's page: what waits, and what the owner says."""

import sqlite3
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shopfloor.evaluation.corrections import open_corrections, review
from shopfloor.http.service import Service
from shopfloor.observability import get_logger
from shopfloor.store.database import Database
from shopfloor.store.reviews import Verdict, newest_reviews

log = get_logger("shopfloor.dashboard")

REVIEWS_LOGGED = 20


class CorrectionRow(BaseModel):
    """A shopper's correction of a route that waits for the owner; ``digest`` goes back with the verdict."""

    model_config = ConfigDict(extra="forbid")

    feedback_id: str
    at: str
    text: str
    decided: str | None
    decided_by: str | None
    confidence: float | None
    says: str
    users: int
    digest: str


class Corrections(BaseModel):
    """Those whose answer may bring the most, and how many wait in all."""

    waiting: int = 0
    shown: list[CorrectionRow] = Field(default_factory=list[CorrectionRow])


class ReviewRequest(BaseModel):
    """The owner's word on a correction, as it was shown."""

    model_config = ConfigDict(extra="forbid")

    feedback_id: str = Field(min_length=1, max_length=200)
    verdict: Verdict
    digest: str = Field(pattern="^[0-9a-f]{64}$")


def read_corrections(state: sqlite3.Connection) -> Corrections:
    """What the owner may look at."""
    found = open_corrections(state)
    return Corrections(waiting=found.waiting, shown=[CorrectionRow(**asdict(one)) for one in found.shown])


def reviews_as_changes(state: sqlite3.Connection) -> list[dict[str, Any]]:
    """The owner's latest words, in the form of the log of decisions."""
    return [
        {
            "number": one.number,
            "at": one.at,
            "action": one.verdict,
            "hash": one.feedback_id,
            "agent": "router",
            "kind": "correction",
            "reason": "from the dashboard" if one.by == "dashboard" else "by command",
        }
        for one in newest_reviews(state, REVIEWS_LOGGED)
    ]


async def say(request: ReviewRequest, service: Service) -> str:
    """Record the owner's word; returns a sentence.

    Raises:
        NotFoundError: the correction is gone.
        ChangedError: it is no longer what was shown.
    """
    await service.assistant()  # its databases are there from then on
    async with Database(service.settings.state_path, readers=1) as state:
        about = await state.write(
            lambda connection: review(
                connection, request.feedback_id, request.verdict, "dashboard", digest=request.digest
            ),
            durable=True,
        )
    log.info("correction_reviewed", feedback_id=request.feedback_id, verdict=request.verdict, also=len(about) - 1)
    if not about:
        return f"It was {request.verdict} before."
    also = f" So are {len(about) - 1} that say the same." if len(about) > 1 else ""
    return f"The correction is {request.verdict}.{also}"
