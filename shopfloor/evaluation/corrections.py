"""Shoppers' corrections of routes for the owner to look at: the most useful first, and what the owner says of them.

A correction counts as verified only when the owner accepts it (or imports it as their own); a refused one is not learned
from. People who say the same of the same words are one entry, and the owner's word is about all of them.
"""

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from shopfloor.errors import InputError, NotFoundError
from shopfloor.evaluation.scrub import MAX_CHARS, scrub
from shopfloor.store.reviews import By, Verdict, add_review, digest_of, holds, latest_reviews
from shopfloor.tools.schemas import Route

OWNER = "owner"
"""``source`` of what the owner has said or imported: verified from the start."""

SHOWN = 20
PER_USER = 2
TEXT_CHARS = 160
CANDIDATES = 2_000
"""Open corrections looked at, the newest first."""

SHORTEST_ID = 4
AGREEING_COUNTS = 0.5
"""Each further user who says the same is worth as much as the head being unsure by this."""
AGREEING_MOST = 4

_ROUTE_SAID = re.compile(
    rf"^\W*(?:(?:the )?(?:right |correct )?route(?: is| was|:|=)?\s*)?({'|'.join(get_args(Route))})\W*$", re.IGNORECASE
)


class ChangedError(InputError):
    """The correction is no longer what was looked at."""

    code = "correction_changed"
    status = 409


@dataclass(frozen=True, slots=True)
class OpenCorrection:
    """A correction that waits for the owner.

    Attributes:
        feedback_id: the newest reaction that says so.
        at: when.
        text: what was written, without personal data, shortened.
        decided: the route that was taken.
        decided_by: who took it: local, gemini, rules, caller.
        confidence: how sure, from 0 to 1, where that is known.
        says: the route that the shopper says is right.
        users: how many say the same of the same words.
        digest: of the correction, to be given back with the verdict.
    """

    feedback_id: str
    at: str
    text: str
    decided: str | None
    decided_by: str | None
    confidence: float | None
    says: str
    users: int
    digest: str

    @property
    def use(self) -> float:
        """How much looking at it may bring: an unsure head, and several users who agree."""
        unsure = 0.0 if self.confidence is None else 1.0 - self.confidence
        return unsure + AGREEING_COUNTS * (min(self.users, AGREEING_MOST) - 1)


@dataclass(frozen=True, slots=True)
class OpenCorrections:
    """Those to show, the most useful first, and how many there are in all."""

    shown: tuple[OpenCorrection, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class _Said:
    """One reaction with the turn it is about."""

    feedback_id: str
    at: str
    user: str
    correction: str
    says: str
    text: str
    decided: str | None
    decided_by: str | None
    confidence: float | None

    @property
    def key(self) -> tuple[str, str]:
        """The same for all who say the same of the same words."""
        return " ".join(self.text.casefold().split()), self.says


def route_said(correction: object) -> str | None:
    """The route that a correction names (an object with ``route``, or words that are nothing but a route); else None."""
    said = correction.get("route") if isinstance(correction, dict) else correction  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    found = _ROUTE_SAID.match(said) if isinstance(said, str) else None
    return found[1].casefold() if found else None


def open_corrections(state: sqlite3.Connection, most: int = SHOWN) -> OpenCorrections:
    """What waits for the owner: at most ``most``, two a user, the most useful first."""
    groups: dict[tuple[str, str], list[_Said]] = defaultdict(list)
    for said in _open(state):
        groups[said.key].append(said)
    entries = sorted(((_entry(group), group[0].user) for group in groups.values()), key=lambda pair: pair[0].at)
    entries.sort(key=lambda pair: -pair[0].use)  # stable: of equals, who waited longest
    of_user: Counter[str] = Counter()
    shown: list[OpenCorrection] = []
    for entry, user in entries:
        of_user[user] += 1
        if len(shown) < most and (not user or of_user[user] <= PER_USER):
            shown.append(replace(entry, text=_shortened(entry.text)))  # only now: it takes time
    return OpenCorrections(tuple(shown), len(entries))


def review(state: sqlite3.Connection, name: str, verdict: Verdict, by: By, digest: str = "") -> list[str]:
    """Accept or refuse a correction, and those open ones that say the same; inside the caller's transaction.

    Args:
        state: the state database.
        name: the reaction's id, or its first digits.
        verdict: what the owner says.
        by: where it was said.
        digest: of the correction as the owner saw it; empty: as it is now.

    Returns:
        The reactions it is about, the named one first; empty where nothing changed.

    Raises:
        NotFoundError: there is no such reaction, or it corrects nothing.
        InputError: the digits name several.
        ChangedError: it says something else by now.
    """
    feedback_id, correction = _named(state, name)
    if digest and digest != digest_of(correction):
        raise ChangedError("The shopper says something else by now: look at it again.")
    if holds(latest_reviews(state).get(feedback_id), correction) == verdict:
        return []
    waiting = list(_open(state))
    keys = {said.key for said in waiting if said.feedback_id == feedback_id}
    about = {feedback_id: correction} | {said.feedback_id: said.correction for said in waiting if said.key in keys}
    for one, said in about.items():
        add_review(state, one, verdict, said, by)
    return list(about)


def _named(state: sqlite3.Connection, name: str) -> tuple[str, str]:
    rows = state.execute(
        """SELECT feedback_id, correction FROM feedback
           WHERE correction IS NOT NULL AND (feedback_id = ?1 OR (length(?1) >= ?2 AND substr(feedback_id, 1, length(?1)) = ?1))
           ORDER BY feedback_id <> ?1, feedback_id LIMIT 3""",
        (name, SHORTEST_ID),
    ).fetchall()
    if not rows:
        raise NotFoundError(f"There is no correction '{name}' here.", code="unknown_correction")
    if len(rows) > 1 and rows[0]["feedback_id"] != name:
        raise InputError(f"Several corrections begin with '{name}'.", matches=[row["feedback_id"] for row in rows])
    return rows[0]["feedback_id"], rows[0]["correction"]


def _open(state: sqlite3.Connection) -> Iterator[_Said]:
    """Corrections of routes that no review holds for, the newest first."""
    reviews = latest_reviews(state)
    rows = state.execute(
        """SELECT feedback.feedback_id, feedback.updated_at, feedback.correction,
                  coalesce(feedback.user_id, turns.user_id, '') AS user,
                  turns.text, turns.route, turns.decided_by, turns.confidence
           FROM feedback JOIN turns ON turns.trace_id = feedback.trace_id
           WHERE feedback.correction IS NOT NULL AND feedback.source <> ?
           ORDER BY feedback.updated_at DESC, feedback.feedback_id""",
        (OWNER,),
    )
    found = 0
    for row in rows:
        says = route_said(json.loads(row["correction"]))
        if says is None or holds(reviews.get(row["feedback_id"]), row["correction"]) is not None:
            continue
        found += 1
        if found > CANDIDATES:
            return
        yield _Said(
            feedback_id=row["feedback_id"],
            at=row["updated_at"],
            user=row["user"],
            correction=row["correction"],
            says=says,
            text=row["text"],
            decided=row["route"],
            decided_by=row["decided_by"],
            confidence=row["confidence"],
        )


def _entry(group: Sequence[_Said]) -> OpenCorrection:
    first = group[0]
    known = [said.confidence for said in group if said.confidence is not None]
    return OpenCorrection(
        feedback_id=first.feedback_id,
        at=first.at,
        text=first.text,
        decided=first.decided,
        decided_by=first.decided_by,
        confidence=min(known) if known else None,
        says=first.says,
        users=len({said.user or said.feedback_id for said in group}),
        digest=digest_of(first.correction),
    )


def _shortened(text: str) -> str:
    """As a dataset would hold it, at most a few lines of it."""
    plain = scrub("".join(one if one.isprintable() else " " for one in text[:MAX_CHARS]))
    return plain if len(plain) <= TEXT_CHARS else f"{plain[: TEXT_CHARS - 1].rstrip()}…"
