"""What the assistant did: every turn, every agent's answer, and what the shopper was shown in which place.

A turn is written when it starts, so a process that is killed leaves a row ``started``; the next start turns it into
``failed`` (:meth:`TraceStore.fail_interrupted`).
"""

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from shopfloor.errors import NotFoundError
from shopfloor.store.database import Database

Ending = Literal["failed", "cancelled"]
Side = Literal["champion", "challenger"]


def new_id() -> str:
    """32 hex digits, unlike any other."""
    return uuid.uuid4().hex


def now() -> str:
    """The moment in UTC, ISO 8601 with microseconds, so that texts sort as times."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A message that came in. ``door``: ask, rest, openai, mcp, cli, langserve, ..."""

    trace_id: str
    thread_id: str
    user_id: str
    door: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """How a turn was answered."""

    reply: str
    route: str
    decided_by: str
    confidence: float
    degraded: bool = False
    timings_ms: Mapping[str, float] = field(default_factory=dict[str, float])
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product the agent weighed, whether it was shown or not."""

    sku: str
    score: float
    signals: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Shown:
    """A product as the shopper saw it; ``position`` counts from 1."""

    sku: str
    position: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """One agent's answer. ``answer_id`` is the recommendation_id that feedback names."""

    trace_id: str
    agent: str
    user_id: str
    answer: str
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prompt: str | None = None
    candidates: Sequence[Candidate] = ()
    shown: Sequence[Shown] = ()
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tokens: int = 0
    timings_ms: Mapping[str, float] = field(default_factory=dict[str, float])
    answer_id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn as it is stored; what is not known yet is None."""

    trace_id: str
    thread_id: str
    user_id: str
    created_at: str
    door: str
    text: str
    status: str
    reply: str | None
    route: str | None
    decided_by: str | None
    confidence: float | None
    degraded: bool
    timings_ms: dict[str, float]
    usage: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it is stored, with what was shown in order of position."""

    answer_id: str
    trace_id: str
    agent: str
    user_id: str
    created_at: str
    request: dict[str, Any]
    prompt: str | None
    candidates: tuple[Candidate, ...]
    shown: tuple[Shown, ...]
    answer: str
    result: dict[str, Any]
    model: dict[str, Any]
    tokens: int
    timings_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class AgentTotals:
    """One agent's answers so far. ``latencies_ms``: of its latest 1,000 answers, oldest first."""

    requests: int
    tokens: int
    latencies_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which side decided a turn. ``artefact``: empty where it came with the package."""

    rollout_id: str
    stage: int
    side: Side
    artefact: str


class TraceStore:
    """Turns, answers and what was shown, in the state database."""

    def __init__(self, state: Database) -> None:
        self._state = state

    async def start_turn(self, turn: NewTurn) -> None:
        """Record a message before anything is done about it."""
        row = (turn.trace_id, turn.thread_id, turn.user_id, now(), turn.door, turn.text)
        await self._state.write(
            lambda connection: connection.execute(
                """INSERT INTO turns (trace_id, thread_id, user_id, created_at, door, text, status)
                   VALUES (?, ?, ?, ?, ?, ?, 'started')""",
                row,
            )
        )

    async def expose(self, trace_id: str, exposure: Exposure) -> None:
        """Record which side of a trial decided a turn; a turn is decided once."""
        row = (trace_id, exposure.rollout_id, exposure.stage, exposure.side, exposure.artefact)
        await self._state.write(
            lambda connection: connection.execute(
                """INSERT INTO rollout_turns (trace_id, rollout_id, stage, side, artefact) VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT (trace_id) DO NOTHING""",
                row,
            )
        )

    async def finish_turn(self, trace_id: str, outcome: TurnOutcome) -> None:
        """The turn was answered.

        Raises:
            NotFoundError: it was never started.
        """
        row = (
            outcome.reply,
            outcome.route,
            outcome.decided_by,
            outcome.confidence,
            int(outcome.degraded),
            _dump(outcome.timings_ms),
            _dump(outcome.usage),
            trace_id,
        )
        changed = await self._state.write(
            lambda connection: (
                connection.execute(
                    """UPDATE turns SET status = 'answered', reply = ?, route = ?, decided_by = ?, confidence = ?,
                          degraded = ?, timings_ms = ?, usage = ?
                   WHERE trace_id = ?""",
                    row,
                ).rowcount
            )
        )
        if not changed:
            raise _no_turn(trace_id)

    async def end_turn(self, trace_id: str, status: Ending, *, timings_ms: Mapping[str, float] | None = None) -> None:
        """The turn failed or the shopper went away. A turn that was answered stays answered."""
        row = (status, _dump(timings_ms or {}), trace_id)
        await self._state.write(
            lambda connection: connection.execute(
                "UPDATE turns SET status = ?, timings_ms = ? WHERE trace_id = ? AND status = 'started'", row
            )
        )

    async def fail_interrupted(self) -> int:
        """Call once at start: turns that a killed process left ``started`` become ``failed``. Returns how many."""
        return await self._state.write(
            lambda connection: (
                connection.execute("UPDATE turns SET status = 'failed' WHERE status = 'started'").rowcount
            )
        )

    async def save_answer(self, answer: NewAnswer) -> str:
        """Store an agent's answer and what it showed; returns its id.

        Raises:
            NotFoundError: its turn was never started.
        """

        def work(connection: sqlite3.Connection) -> None:
            known = connection.execute("SELECT 1 FROM turns WHERE trace_id = ?", (answer.trace_id,)).fetchone()
            if known is None:
                raise _no_turn(answer.trace_id)
            _insert_answer(connection, answer)

        await self._state.write(work)
        return answer.answer_id

    async def turn(self, trace_id: str) -> StoredTurn | None:
        """A turn by its trace id."""
        row = await self._state.read(
            lambda connection: connection.execute("SELECT * FROM turns WHERE trace_id = ?", (trace_id,)).fetchone()
        )
        return None if row is None else _turn(row)

    async def thread_turns(self, thread_id: str, *, limit: int = 100) -> list[StoredTurn]:
        """The latest turns of a conversation, oldest first. Whose conversation it is, ``ThreadStore`` knows."""
        rows = await self._state.read(
            lambda connection: connection.execute(
                "SELECT * FROM turns WHERE thread_id = ? ORDER BY created_at DESC LIMIT ?", (thread_id, limit)
            ).fetchall()
        )
        return [_turn(row) for row in reversed(rows)]

    async def answer(self, answer_id: str) -> StoredAnswer | None:
        """An answer by its id."""
        return await self._state.read(lambda connection: _read_answer(connection, answer_id))

    async def answers_of(self, trace_id: str) -> list[StoredAnswer]:
        """A turn's answers, in the order they were made."""

        def work(connection: sqlite3.Connection) -> list[StoredAnswer]:
            rows = connection.execute(
                "SELECT answer_id FROM answers WHERE trace_id = ? ORDER BY created_at, rowid", (trace_id,)
            ).fetchall()
            found = [_read_answer(connection, str(row[0])) for row in rows]
            return [answer for answer in found if answer is not None]

        return await self._state.read(work)

    async def totals(self) -> dict[str, AgentTotals]:
        """Requests, tokens and latest latencies (``timings_ms.total``, where it was measured) of every agent."""

        def work(connection: sqlite3.Connection) -> dict[str, AgentTotals]:
            rows = connection.execute(
                "SELECT agent, count(*) AS requests, sum(tokens) AS tokens FROM answers GROUP BY agent"
            ).fetchall()
            return {
                str(row["agent"]): AgentTotals(
                    int(row["requests"]), int(row["tokens"]), _latencies(connection, str(row["agent"]))
                )
                for row in rows
            }

        return await self._state.read(work)


def _insert_answer(connection: sqlite3.Connection, answer: NewAnswer) -> None:
    candidates = [
        {"sku": candidate.sku, "score": candidate.score, "signals": dict(candidate.signals)}
        for candidate in answer.candidates
    ]
    connection.execute(
        """INSERT INTO answers (answer_id, trace_id, agent, user_id, created_at, request, prompt, candidates,
                                answer, result, model, tokens, timings_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            answer.answer_id,
            answer.trace_id,
            answer.agent,
            answer.user_id,
            now(),
            _dump(answer.request),
            answer.prompt,
            _dump(candidates),
            answer.answer,
            _dump(answer.result),
            _dump(answer.model),
            answer.tokens,
            _dump(answer.timings_ms),
        ),
    )
    connection.executemany(
        "INSERT INTO shown (answer_id, position, sku, user_id, score) VALUES (?, ?, ?, ?, ?)",
        [(answer.answer_id, item.position, item.sku, answer.user_id, item.score) for item in answer.shown],
    )


def _read_answer(connection: sqlite3.Connection, answer_id: str) -> StoredAnswer | None:
    row = connection.execute("SELECT * FROM answers WHERE answer_id = ?", (answer_id,)).fetchone()
    if row is None:
        return None
    shown = connection.execute(
        "SELECT sku, position, score FROM shown WHERE answer_id = ? ORDER BY position", (answer_id,)
    )
    return StoredAnswer(
        answer_id=row["answer_id"],
        trace_id=row["trace_id"],
        agent=row["agent"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        request=json.loads(row["request"]),
        prompt=row["prompt"],
        candidates=tuple(Candidate(**candidate) for candidate in json.loads(row["candidates"])),
        shown=tuple(Shown(item["sku"], item["position"], item["score"]) for item in shown),
        answer=row["answer"],
        result=json.loads(row["result"]),
        model=json.loads(row["model"]),
        tokens=row["tokens"],
        timings_ms=json.loads(row["timings_ms"]),
    )


def _turn(row: sqlite3.Row) -> StoredTurn:
    return StoredTurn(
        trace_id=row["trace_id"],
        thread_id=row["thread_id"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        door=row["door"],
        text=row["text"],
        status=row["status"],
        reply=row["reply"],
        route=row["route"],
        decided_by=row["decided_by"],
        confidence=row["confidence"],
        degraded=bool(row["degraded"]),
        timings_ms=json.loads(row["timings_ms"]),
        usage=json.loads(row["usage"]),
    )


def _latencies(connection: sqlite3.Connection, agent: str) -> tuple[float, ...]:
    rows = connection.execute(
        """SELECT json_extract(timings_ms, '$.total') AS total FROM answers
           WHERE agent = ? ORDER BY rowid DESC LIMIT 1000""",
        (agent,),
    ).fetchall()
    return tuple(float(row["total"]) for row in reversed(rows) if row["total"] is not None)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)


def _no_turn(trace_id: str) -> NotFoundError:
    return NotFoundError(f"There is no turn '{trace_id}'; check the trace id.", code="unknown_trace")
