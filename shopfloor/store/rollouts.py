"""What is tried on a share of the users: who gets it, how the share grows, and how it ends. One trial an agent and kind.

Every change is one transaction that first looks whether the trial still stands as the caller saw it: of several
processes that decide on one database, one does, and a process that is killed has decided or has not.
"""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shopfloor.errors import NotFoundError
from shopfloor.store.artefact_files import Kind
from shopfloor.store.artefact_rows import champion_row, find_row, log_change, put, refuse_pinned, row_of
from shopfloor.store.traces import Side, new_id, now

ALL = 100


@dataclass(frozen=True, slots=True)
class Rollout:
    """One trial. ``champion`` None: what came with the package. Times are in UTC, ISO 8601."""

    rollout_id: str
    agent: str
    kind: Kind
    artefact: str
    champion: str | None
    dataset_hash: str
    salt: str
    stages: tuple[int, ...]
    stage: int
    status: str
    started_at: str
    stage_at: str
    ended_at: str | None
    reason: str

    @property
    def share(self) -> int:
        """Of the users, percent."""
        return self.stages[self.stage]

    def side(self, who: str) -> Side:
        """Which side a user, or a conversation without one, is on: always the same, and for good as the share grows."""
        return "challenger" if lot(self.salt, self.artefact, who) * 100 < self.share else "champion"


def lot(salt: str, artefact: str, who: str) -> float:
    """A number from 0 to 1, the same in every process, that nobody can foretell who does not know the salt."""
    digest = hashlib.blake2b(f"{artefact}\0{who}".encode(), digest_size=8, key=salt.encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def rollout_of(row: sqlite3.Row) -> Rollout:
    """A row of ``rollouts``."""
    values: dict[str, Any] = {**dict(row), "stages": tuple(json.loads(row["stages"]))}
    return Rollout(**values)


def running(connection: sqlite3.Connection) -> list[Rollout]:
    """The trials that are on."""
    return [rollout_of(row) for row in connection.execute("SELECT * FROM rollouts WHERE status = 'running'")]


def latest(connection: sqlite3.Connection, artefact: str | None = None, limit: int = 5) -> list[Rollout]:
    """Trials, those that are on first, then the newest; only of one artefact, where one is named."""
    rows = connection.execute(
        """SELECT * FROM rollouts WHERE ?1 IS NULL OR artefact = ?1
           ORDER BY status = 'running' DESC, started_at DESC LIMIT ?2""",
        (artefact, limit),
    )
    return [rollout_of(row) for row in rows]


def begin(
    connection: sqlite3.Connection, name: str, stages: Sequence[int], reason: str, dataset_hash: str = ""
) -> Rollout:
    """Try an artefact on the first share; inside the caller's transaction. One that is being tried already goes on.

    Raises:
        NotFoundError: there is no such artefact.
        ArtefactRejectedError: the champion in its place is pinned.
    """
    row = find_row(connection, name)
    known = connection.execute(
        "SELECT * FROM rollouts WHERE artefact = ? AND status = 'running'", (row["hash"],)
    ).fetchone()
    if known is not None:
        return rollout_of(known)
    serving = champion_row(connection, row["agent"], row["kind"])
    if serving is not None:
        refuse_pinned(serving)
    put(connection, row, "challenger", reason, {"share": stages[0]})
    moment, rollout_id = now(), new_id()
    connection.execute(
        """INSERT INTO rollouts (rollout_id, agent, kind, artefact, champion, dataset_hash, salt, stages, stage, status,
                                 started_at, stage_at, reason)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 'running', ?, ?, ?)""",
        (
            *(rollout_id, row["agent"], row["kind"], row["hash"], serving and serving["hash"], dataset_hash),
            *(secrets.token_hex(16), json.dumps(list(stages)), moment, moment, reason),
        ),
    )
    return rollout_of(connection.execute("SELECT * FROM rollouts WHERE rollout_id = ?", (rollout_id,)).fetchone())


def advance(connection: sqlite3.Connection, seen: Rollout, reason: str, numbers: Mapping[str, Any]) -> bool:
    """Give it to the next share, or to everybody: then it is the champion. False where it no longer stands as seen."""
    if not _stands(connection, seen):
        return False
    row = row_of(connection, seen.artefact)
    if seen.stage + 1 < len(seen.stages):
        share = seen.stages[seen.stage + 1]
        connection.execute(
            "UPDATE rollouts SET stage = stage + 1, stage_at = ?, reason = ? WHERE rollout_id = ?",
            (now(), reason, seen.rollout_id),
        )
        log_change(connection, row, "share", f"{share} % of the users: {reason}", {**numbers, "share": share})
        return True
    _end(connection, seen, "finished", reason)
    put(connection, row, "champion", f"everybody: {reason}", {**numbers, "share": ALL})
    return True


def take_back(connection: sqlite3.Connection, seen: Rollout, reason: str, numbers: Mapping[str, Any]) -> bool:
    """End it: everybody is served as before. False where it no longer stands as seen."""
    if not _stands(connection, seen):
        return False
    _end(connection, seen, "rolled_back", reason)
    connection.execute("UPDATE artefacts SET state = 'retired', pinned = 0 WHERE hash = ?", (seen.artefact,))
    log_change(connection, row_of(connection, seen.artefact), "rollback", reason, {**numbers, "share": 0})
    return True


def take_back_by_hand(
    connection: sqlite3.Connection, agent: str, kind: str, reason: str, artefact: str | None = None
) -> Rollout:
    """End what is being tried for an agent, whatever its share; inside the caller's transaction.

    Args:
        connection: of the state database.
        agent: whose.
        kind: of what is tried.
        reason: for the log of decisions.
        artefact: only where it is this one that is tried.

    Raises:
        NotFoundError: nothing is.
    """
    for trial in running(connection):
        if (trial.agent, trial.kind) == (agent, kind) and artefact in (None, trial.artefact):
            take_back(connection, trial, reason, {})
            return trial
    raise NotFoundError(f"No such {kind} of {agent} is being tried: there is nothing to take back.", code="no_trial")


def hold(connection: sqlite3.Connection, name: str, reason: str) -> None:
    """Write down that an artefact which won does not go live for now; inside the caller's transaction."""
    log_change(connection, find_row(connection, name), "hold", reason)


@dataclass(frozen=True, slots=True)
class Cooling:
    """The wait after something was taken back. ``datasets``: what is not promoted again until then."""

    until: str
    artefact: str
    datasets: frozenset[str]


def cooling(connection: sqlite3.Connection, agent: str, kind: str, hours: float) -> Cooling | None:
    """Whether something of an agent was taken back within the last ``hours``, by whomever."""
    since = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="microseconds")
    rows = connection.execute(
        """SELECT at, hash FROM artefact_changes
           WHERE agent = ? AND kind = ? AND action = 'rollback' AND at > ? ORDER BY change_no DESC""",
        (agent, kind, since),
    ).fetchall()
    if not rows:
        return None
    datasets: set[str] = set()
    for row in rows:
        found = connection.execute(
            """SELECT dataset_hash FROM training_runs WHERE artefact = ?1
               UNION SELECT dataset_hash FROM rollouts WHERE artefact = ?1""",
            (row["hash"],),
        )
        datasets.update(str(one["dataset_hash"]) for one in found)
    until = datetime.fromisoformat(rows[0]["at"]) + timedelta(hours=hours)
    return Cooling(until.isoformat(timespec="seconds"), str(rows[0]["hash"]), frozenset(datasets - {""}))


def _stands(connection: sqlite3.Connection, seen: Rollout) -> bool:
    return (
        connection.execute(
            "SELECT 1 FROM rollouts WHERE rollout_id = ? AND status = 'running' AND stage = ?",
            (seen.rollout_id, seen.stage),
        ).fetchone()
        is not None
    )


def _end(connection: sqlite3.Connection, seen: Rollout, status: str, reason: str) -> None:
    connection.execute(
        "UPDATE rollouts SET status = ?, ended_at = ?, reason = ? WHERE rollout_id = ?",
        (status, now(), reason, seen.rollout_id),
    )
