"""What people said of the answers, joined to the answer they said it about.

A reaction names an answer (``recommendation_id``), a SKU, or a turn (``trace_id``). A SKU is joined to that user's
latest answer that showed it. A known SKU that joins to no answer is stored with ``trace_id`` None and is never used
for training; an unknown one is an error that offers the nearest.

A second reaction of one user to one product of one answer changes the first: a rating and a later purchase are one
row. Feedback is on disk before it is acknowledged (synchronous FULL).
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shopfloor.errors import AccessError, InputError, NotFoundError
from shopfloor.store.catalogue import nearest_skus, product_by_sku
from shopfloor.store.database import Database
from shopfloor.store.traces import new_id, now

Action = Literal["clicked", "purchased", "ignored", "returned"]

NO_AGENT = "none"
"""``agent`` of a reaction that joins to no answer and whose product no agent has ever shown."""

USABLE = "trace_id IS NOT NULL AND (rating IS NOT NULL OR action IS NOT NULL OR correction IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class NewFeedback:
    """A reaction as it came in. ``recommendation_id`` is an answer's id, or a SKU."""

    user_id: str | None = None
    recommendation_id: str | None = None
    product_id: str | None = None
    trace_id: str | None = None
    rating: int | None = None
    action: Action | None = None
    correction: str | Mapping[str, Any] | None = None
    comment: str | None = None
    idempotency_key: str | None = None
    source: str = "api"


@dataclass(frozen=True, slots=True)
class StoredFeedback:
    """A reaction as it is stored. ``trace_id`` None: it joins to no answer."""

    feedback_id: str
    created_at: str
    updated_at: str
    user_id: str | None
    agent: str
    trace_id: str | None
    answer_id: str | None
    sku: str | None
    position: int | None
    rating: int | None
    action: str | None
    correction: str | dict[str, Any] | None
    comment: str | None
    source: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class FeedbackTotals:
    """One agent's feedback so far. ``usable``: joined to an answer, so training may look at it."""

    count: int
    mean_rating: float | None
    usable: int


@dataclass(frozen=True, slots=True)
class _Joined:
    """What a reaction is about, and whose it is."""

    user_id: str | None
    agent: str
    trace_id: str | None
    answer_id: str | None
    sku: str | None
    position: int | None


class FeedbackStore:
    """Reactions in the state database, checked against the catalogue."""

    def __init__(self, state: Database, catalogue: Database) -> None:
        self._state = state
        self._catalogue = catalogue

    async def add(self, new: NewFeedback) -> StoredFeedback:
        """Store a reaction, or merge it into the one it repeats.

        The same ``idempotency_key`` gives the same row back, with ``duplicate`` true and nothing changed.

        Raises:
            NotFoundError: the SKU, answer or trace is not known; the nearest matches are offered.
            AccessError: the answer was made for another user.
            InputError: the product was not part of the answer named beside it, or the reaction says nothing.
        """
        if new.rating is None and new.action is None and new.correction is None:
            raise InputError("Feedback needs at least one of rating, action, correction.")
        repeated = await self._by_key(new)
        if repeated is not None:
            return repeated
        sku = await self._known_sku(new)

        def work(connection: sqlite3.Connection) -> StoredFeedback:
            again = _find_by_key(connection, new)
            if again is not None:
                return again
            joined = _join(connection, new, sku)
            return _store(connection, new, joined)

        return await self._state.write(work, durable=True)

    async def get(self, feedback_id: str) -> StoredFeedback | None:
        """A reaction by its id."""
        row = await self._state.read(
            lambda connection: connection.execute(
                "SELECT * FROM feedback WHERE feedback_id = ?", (feedback_id,)
            ).fetchone()
        )
        return None if row is None else feedback_from_row(row)

    async def totals(self) -> dict[str, FeedbackTotals]:
        """Count, mean rating and usable reactions of every agent."""
        rows = await self._state.read(
            lambda connection: connection.execute(
                f"""SELECT agent, count(*) AS number, avg(rating) AS mean, sum({USABLE}) AS usable
                    FROM feedback GROUP BY agent"""
            ).fetchall()
        )
        return {str(row["agent"]): FeedbackTotals(row["number"], row["mean"], row["usable"]) for row in rows}

    async def _by_key(self, new: NewFeedback) -> StoredFeedback | None:
        if new.idempotency_key is None:
            return None
        return await self._state.read(lambda connection: _find_by_key(connection, new))

    async def _known_sku(self, new: NewFeedback) -> str | None:
        """The catalogue's SKU for the product named, if one is named.

        A ``recommendation_id`` that is an answer's id names none; anything else there must be a product.
        """
        sku = new.product_id
        if sku is None and new.recommendation_id is not None:
            answer_id = new.recommendation_id
            is_answer = await self._state.read(lambda connection: _answer(connection, answer_id) is not None)
            sku = None if is_answer else answer_id
        if sku is None:
            return None
        named = sku
        product = await self._catalogue.read(lambda connection: product_by_sku(connection, named))
        if product is not None:
            return product.sku
        # A product that the shop has dropped since this user saw it can still be rated.
        if await self._state.read(lambda connection: _was_shown(connection, new.user_id, named)):
            return named
        near = await self._catalogue.read(lambda connection: nearest_skus(connection, named))
        kind = "product" if new.product_id is not None else "answer or product"
        raise NotFoundError(f"There is no {kind} '{named}'; check the id.", code="unknown_sku", matches=near)


def feedback_from_row(row: sqlite3.Row, *, duplicate: bool = False) -> StoredFeedback:
    """A row of ``feedback`` as a :class:`StoredFeedback`."""
    return StoredFeedback(
        feedback_id=row["feedback_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        user_id=row["user_id"],
        agent=row["agent"],
        trace_id=row["trace_id"],
        answer_id=row["answer_id"],
        sku=row["sku"],
        position=row["position"],
        rating=row["rating"],
        action=row["action"],
        correction=None if row["correction"] is None else json.loads(row["correction"]),
        comment=row["comment"],
        source=row["source"],
        duplicate=duplicate,
    )


def dump_correction(correction: str | Mapping[str, Any] | None) -> str | None:
    """A correction as the column holds it: JSON of a text or an object."""
    if correction is None:
        return None
    return json.dumps(correction if isinstance(correction, str) else dict(correction), ensure_ascii=False)


def _find_by_key(connection: sqlite3.Connection, new: NewFeedback) -> StoredFeedback | None:
    if new.idempotency_key is None:
        return None
    row = connection.execute(
        """SELECT feedback.* FROM feedback JOIN feedback_keys USING (feedback_id)
           WHERE feedback_keys.user_id = ? AND feedback_keys.idempotency_key = ?""",
        (new.user_id or "", new.idempotency_key),
    ).fetchone()
    return None if row is None else feedback_from_row(row, duplicate=True)


def _join(connection: sqlite3.Connection, new: NewFeedback, sku: str | None) -> _Joined:
    if new.recommendation_id is not None:
        answer = _answer(connection, new.recommendation_id)
        if answer is not None:
            return _about_answer(connection, new, answer, sku)
    if new.trace_id is not None:
        return _about_turn(connection, new, sku)
    assert sku is not None
    return _about_product(connection, new.user_id, sku)


def _about_answer(connection: sqlite3.Connection, new: NewFeedback, answer: sqlite3.Row, sku: str | None) -> _Joined:
    owner = _owner(answer["user_id"], new.user_id)
    if new.trace_id is not None and new.trace_id != answer["trace_id"]:
        raise InputError("recommendation_id and trace_id name different turns; send one of them.")
    shown = _shown_in(connection, answer["answer_id"])
    if sku is not None and sku not in shown and shown:
        raise NotFoundError(f"'{sku}' was not part of this answer.", code="not_shown", matches=list(shown))
    if sku is None and len(shown) == 1:
        sku = next(iter(shown))
    position = None if sku is None else shown.get(sku)
    return _Joined(owner, answer["agent"], answer["trace_id"], answer["answer_id"], sku, position)


def _about_turn(connection: sqlite3.Connection, new: NewFeedback, sku: str | None) -> _Joined:
    turn = connection.execute("SELECT user_id FROM turns WHERE trace_id = ?", (new.trace_id,)).fetchone()
    if turn is None:
        raise NotFoundError(
            f"There is no turn '{new.trace_id}'; send the trace_id or recommendation_id of an answer.",
            code="unknown_trace",
        )
    owner = _owner(turn["user_id"], new.user_id)
    answers = connection.execute(
        "SELECT answer_id, agent, trace_id FROM answers WHERE trace_id = ? ORDER BY created_at DESC, rowid DESC",
        (new.trace_id,),
    ).fetchall()
    shown = {row["answer_id"]: _shown_in(connection, row["answer_id"]) for row in answers}
    if sku is not None:
        for answer in answers:
            if sku in shown[answer["answer_id"]]:
                position = shown[answer["answer_id"]][sku]
                return _Joined(owner, answer["agent"], new.trace_id, answer["answer_id"], sku, position)
        everything = [name for products in shown.values() for name in products]
        if everything:
            raise NotFoundError(f"'{sku}' was not part of this answer.", code="not_shown", matches=everything)
    if not answers:
        # The supervisor answered by itself: there is a turn to react to, but no agent's answer.
        return _Joined(owner, "supervisor", new.trace_id, None, sku, None)
    latest = answers[0]
    only = shown[latest["answer_id"]]
    if sku is None and len(only) == 1:
        sku = next(iter(only))
    return _Joined(owner, latest["agent"], new.trace_id, latest["answer_id"], sku, only.get(sku) if sku else None)


def _about_product(connection: sqlite3.Connection, user_id: str | None, sku: str) -> _Joined:
    row = connection.execute(
        """SELECT answers.agent, answers.trace_id, answers.answer_id, shown.position
           FROM shown JOIN answers USING (answer_id)
           WHERE shown.user_id = ? AND shown.sku = ?
           ORDER BY answers.created_at DESC, answers.rowid DESC, shown.position LIMIT 1""",
        (user_id, sku),
    ).fetchone()
    if row is None:
        return _Joined(user_id, NO_AGENT, None, None, sku, None)
    return _Joined(user_id, row["agent"], row["trace_id"], row["answer_id"], sku, row["position"])


def _store(connection: sqlite3.Connection, new: NewFeedback, joined: _Joined) -> StoredFeedback:
    """Insert, or merge into this user's earlier reaction to the same product of the same answer."""
    feedback_id = _earlier(connection, joined)
    if feedback_id is None:
        feedback_id = _insert(connection, new, joined)
    else:
        connection.execute(
            """UPDATE feedback SET updated_at = ?, rating = coalesce(?, rating), action = coalesce(?, action),
                      correction = coalesce(?, correction), comment = coalesce(?, comment)
               WHERE feedback_id = ?""",
            (now(), new.rating, new.action, dump_correction(new.correction), new.comment, feedback_id),
        )
    if new.idempotency_key is not None:
        connection.execute(
            "INSERT INTO feedback_keys (user_id, idempotency_key, feedback_id) VALUES (?, ?, ?)",
            (new.user_id or "", new.idempotency_key, feedback_id),
        )
    row = connection.execute("SELECT * FROM feedback WHERE feedback_id = ?", (feedback_id,)).fetchone()
    return feedback_from_row(row)


def _insert(connection: sqlite3.Connection, new: NewFeedback, joined: _Joined) -> str:
    feedback_id, moment = new_id(), now()
    connection.execute(
        """INSERT INTO feedback (feedback_id, created_at, updated_at, user_id, agent, trace_id, answer_id, sku,
                                 position, rating, action, correction, comment, source)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            feedback_id,
            moment,
            moment,
            joined.user_id,
            joined.agent,
            joined.trace_id,
            joined.answer_id,
            joined.sku,
            joined.position,
            new.rating,
            new.action,
            dump_correction(new.correction),
            new.comment,
            new.source,
        ),
    )
    return feedback_id


def _earlier(connection: sqlite3.Connection, joined: _Joined) -> str | None:
    """The reaction that this one repeats; a nameless user's reaction to no answer repeats none."""
    if joined.user_id is None:
        return None
    row = connection.execute(
        """SELECT feedback_id FROM feedback
           WHERE user_id = ? AND trace_id IS ? AND answer_id IS ? AND sku IS ?
           ORDER BY created_at DESC LIMIT 1""",
        (joined.user_id, joined.trace_id, joined.answer_id, joined.sku),
    ).fetchone()
    return None if row is None else str(row["feedback_id"])


def _answer(connection: sqlite3.Connection, answer_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT answer_id, trace_id, agent, user_id FROM answers WHERE answer_id = ?", (answer_id,)
    ).fetchone()
    return row


def _was_shown(connection: sqlite3.Connection, user_id: str | None, sku: str) -> bool:
    found = connection.execute("SELECT 1 FROM shown WHERE user_id = ? AND sku = ? LIMIT 1", (user_id, sku)).fetchone()
    return found is not None


def _shown_in(connection: sqlite3.Connection, answer_id: str) -> dict[str, int]:
    rows = connection.execute("SELECT sku, position FROM shown WHERE answer_id = ? ORDER BY position", (answer_id,))
    shown: dict[str, int] = {}
    for row in rows:
        shown.setdefault(row["sku"], row["position"])
    return shown


def _owner(owner: str, user_id: str | None) -> str:
    """Whose reaction it is. Who gives no name but knows the answer's id is taken for the user it was given to."""
    if user_id is not None and owner != user_id:
        raise AccessError("This answer was given to another user; only that user can rate it.")
    return owner
