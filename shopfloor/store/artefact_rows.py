"""Rows of the artefact registry: reading them, and moving an artefact inside the caller's transaction."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from shopfloor.errors import ArtefactRejectedError, NotFoundError
from shopfloor.store.artefact_files import Kind
from shopfloor.store.traces import now

State = Literal["candidate", "challenger", "champion", "retired"]
ACTIONS: Mapping[State, str] = {"candidate": "candidate", "challenger": "challenger", "retired": "retire"}
SHORTEST = 4  # hex digits of a hash that may stand for the whole


@dataclass(frozen=True, slots=True)
class Artefact:
    """One artefact and where it stands. ``created`` is in UTC, ISO 8601."""

    hash: str
    agent: str
    kind: Kind
    state: State
    pinned: bool
    source_hash: str
    parent: str | None
    metrics: dict[str, float]
    created: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Change:
    """One decision. ``champion``: who serves this agent and kind from then on; None: the base alone."""

    number: int
    at: str
    action: str
    hash: str
    agent: str
    kind: Kind
    champion: str | None
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])


def artefact_of(row: sqlite3.Row, folder: Path) -> Artefact:
    return Artefact(
        hash=row["hash"],
        agent=row["agent"],
        kind=row["kind"],
        state=row["state"],
        pinned=bool(row["pinned"]),
        source_hash=row["source_hash"],
        parent=row["parent"],
        metrics=json.loads(row["metrics"]),
        created=row["created_at"],
        folder=folder / row["hash"],
    )


def find_row(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
    wanted = name.strip().lower()
    rows: list[sqlite3.Row] = []
    if len(wanted) >= SHORTEST and wanted.isalnum():
        rows = connection.execute("SELECT * FROM artefacts WHERE hash GLOB ? LIMIT 6", (wanted + "*",)).fetchall()
    if len(rows) == 1:
        return rows[0]
    near = rows or connection.execute("SELECT * FROM artefacts ORDER BY created_at DESC LIMIT 3").fetchall()
    what = "Several artefacts begin with" if rows else "There is no artefact"
    raise NotFoundError(
        f"{what} {name!r}: see `shopfloor adapters list`.",
        code="unknown_artefact",
        matches=[str(row["hash"])[:12] for row in near],
    )


def row_of(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
    return cast(sqlite3.Row, connection.execute("SELECT * FROM artefacts WHERE hash = ?", (name,)).fetchone())


def champion_row(connection: sqlite3.Connection, agent: str, kind: str) -> sqlite3.Row | None:
    return connection.execute(
        "SELECT * FROM artefacts WHERE agent = ? AND kind = ? AND state = 'champion'", (agent, kind)
    ).fetchone()


def refuse_pinned(serving: sqlite3.Row) -> None:
    if serving["pinned"]:
        raise ArtefactRejectedError(
            f"The champion {serving['hash'][:12]} of {serving['agent']} is pinned: "
            f"`shopfloor adapters unpin {serving['hash'][:12]}` lets it go.",
            code="pinned",
        )


def put(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    state: State,
    reason: str,
    numbers: Mapping[str, Any] | None = None,
) -> None:
    """Move an artefact inside the caller's transaction; the one in its place makes room.

    What is being tried on a share of the users is no longer, where it or what it is compared with lost its place.
    """
    if state in ("champion", "challenger"):
        connection.execute(
            "UPDATE artefacts SET state = ? WHERE agent = ? AND kind = ? AND state = ?",
            ("retired" if state == "champion" else "candidate", row["agent"], row["kind"], state),
        )
    connection.execute("UPDATE artefacts SET state = ? WHERE hash = ?", (state, row["hash"]))
    log_change(connection, row, ACTIONS.get(state, "activate"), reason, numbers)
    end_void_trial(connection, row["agent"], row["kind"], reason)


def end_void_trial(connection: sqlite3.Connection, agent: str, kind: str, reason: str) -> None:
    """Stop what is being tried where a decision from elsewhere took it, or what it is compared with, from its place."""
    trial = connection.execute(
        "SELECT * FROM rollouts WHERE agent = ? AND kind = ? AND status = 'running'", (agent, kind)
    ).fetchone()
    if trial is None:
        return
    serving = champion_row(connection, agent, kind)
    tried = row_of(connection, trial["artefact"])
    if tried["state"] == "challenger" and (serving and serving["hash"]) == trial["champion"]:
        return
    connection.execute(
        "UPDATE rollouts SET status = 'stopped', ended_at = ?, reason = ? WHERE rollout_id = ?",
        (now(), reason, trial["rollout_id"]),
    )
    connection.execute(
        "UPDATE artefacts SET state = 'candidate' WHERE hash = ? AND state = 'challenger'", (trial["artefact"],)
    )


def release_challenger(connection: sqlite3.Connection, agent: str, kind: str, reason: str) -> None:
    """Nothing is tried beside a pinned champion: what was is a candidate again."""
    row = connection.execute(
        "SELECT * FROM artefacts WHERE agent = ? AND kind = ? AND state = 'challenger'", (agent, kind)
    ).fetchone()
    if row is not None:
        put(connection, row, "candidate", reason)


def log_change(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    action: str,
    reason: str,
    numbers: Mapping[str, Any] | None = None,
) -> None:
    """Write a decision down, with the numbers it rests on."""
    serving = champion_row(connection, row["agent"], row["kind"])
    connection.execute(
        """INSERT INTO artefact_changes (at, action, hash, agent, kind, champion, reason, numbers)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            *(now(), action, row["hash"], row["agent"], row["kind"], serving and serving["hash"], reason),
            json.dumps(dict(numbers or {}), ensure_ascii=False),
        ),
    )


def champion_before(connection: sqlite3.Connection, agent: str, kind: str) -> str | None:
    """Who was champion before the present one, by going through all decisions; None: the base alone."""
    stack: list[str] = []
    for row in connection.execute(
        """SELECT action, hash FROM artefact_changes
           WHERE agent = ? AND kind = ? AND action NOT IN ('add', 'share', 'hold', 'pin', 'unpin') ORDER BY change_no""",
        (agent, kind),
    ):
        if row["action"] == "activate":
            stack.append(row["hash"])
        elif row["action"] == "rollback":
            stack = stack[:-1] if stack[-1:] == [row["hash"]] else stack  # else it was only being tried
        else:  # taken from its place by somebody's decision: it does not come back by itself
            stack = [name for name in stack if name != row["hash"]]
    return stack[-2] if len(stack) > 1 else None
