"""Records of the improvement loop: datasets, training runs with their steps, and the gate's cases from feedback.

Plain functions of a connection: training is a process of its own and waits for its database; a service reads through
``Database.read``. A step that is recorded is done, so a run that was killed goes on behind it.
"""

import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from shopfloor.store.feedback import USABLE
from shopfloor.store.traces import now

Status = Literal["running", "promoted", "rejected", "not_enough_evidence", "held", "failed", "erased"]
StartedBy = Literal["command", "automatic", "forget"]


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A dataset. ``folder`` is inside the data folder."""

    hash: str
    agent: str
    folder: str
    rows: int
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """What a row was made of; ``feedback_id`` and ``user_id`` may be empty."""

    row_no: int
    trace_id: str
    feedback_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Run:
    """A training run as it stands."""

    run_id: str
    agent: str
    dataset_hash: str
    champion: str
    recipe: dict[str, Any]
    seed: int
    started_by: str
    status: str
    artefact: str | None
    error: str | None
    seconds: float | None
    peak_mb: float | None
    started_at: str
    finished_at: str | None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """One durable write: on disk when the block ends, undone when it raises."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def save_dataset(connection: sqlite3.Connection, record: DatasetRecord, sources: Sequence[DatasetSource]) -> None:
    """Record a dataset and where its rows come from; one that is there is brought up to date."""
    with transaction(connection):
        connection.execute(
            """INSERT INTO datasets (hash, agent, created_at, folder, rows, card) VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT (hash) DO UPDATE SET card = excluded.card, folder = excluded.folder, erased_at = NULL""",
            (record.hash, record.agent, now(), record.folder, record.rows, json.dumps(record.card, ensure_ascii=False)),
        )
        connection.execute("DELETE FROM dataset_sources WHERE dataset_hash = ?", (record.hash,))
        connection.executemany(
            """INSERT OR IGNORE INTO dataset_sources (dataset_hash, row_no, trace_id, feedback_id, user_id)
               VALUES (?, ?, ?, ?, ?)""",
            [(record.hash, one.row_no, one.trace_id, one.feedback_id, one.user_id) for one in sources],
        )


def begin_run(connection: sqlite3.Connection, run: Run) -> Run:
    """Record a run, or take up the one of the same id; returns it as it stands."""
    with transaction(connection):
        connection.execute(
            """INSERT INTO training_runs (run_id, agent, dataset_hash, champion, recipe, seed, started_by, status,
                                          started_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?)
               ON CONFLICT (run_id) DO UPDATE SET status = 'running', error = NULL, finished_at = NULL
               WHERE training_runs.status IN ('running', 'failed')""",
            (
                *(run.run_id, run.agent, run.dataset_hash, run.champion, json.dumps(run.recipe, sort_keys=True)),
                *(run.seed, run.started_by, run.started_at),
            ),
        )
    found = read_run(connection, run.run_id)
    assert found is not None
    return found


def end_run(
    connection: sqlite3.Connection,
    run_id: str,
    status: Status,
    *,
    artefact: str | None = None,
    error: str | None = None,
    seconds: float | None = None,
    peak_mb: float | None = None,
) -> None:
    """A run is over."""
    with transaction(connection):
        connection.execute(
            """UPDATE training_runs SET status = ?, artefact = coalesce(?, artefact), error = ?, seconds = ?, peak_mb = ?,
                      finished_at = ? WHERE run_id = ?""",
            (status, artefact, error, seconds, peak_mb, now(), run_id),
        )


def read_run(connection: sqlite3.Connection, run_id: str) -> Run | None:
    """A run by its id."""
    row = connection.execute("SELECT * FROM training_runs WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else run_of(row)


def run_of(row: sqlite3.Row) -> Run:
    """A row of ``training_runs``."""
    return Run(**{**dict(row), "recipe": json.loads(row["recipe"])})


def latest_runs(connection: sqlite3.Connection, agent: str | None = None, limit: int = 20) -> list[Run]:
    """Runs, the newest first."""
    rows = connection.execute(
        "SELECT * FROM training_runs WHERE ? IS NULL OR agent = ? ORDER BY started_at DESC, run_id LIMIT ?",
        (agent, agent, limit),
    )
    return [run_of(row) for row in rows]


def read_step(connection: sqlite3.Connection, run_id: str, step: str) -> dict[str, Any] | None:
    """What a step came to; None where it is still to do."""
    row = connection.execute(
        "SELECT result FROM training_steps WHERE run_id = ? AND step = ?", (run_id, step)
    ).fetchone()
    return None if row is None else json.loads(row["result"])


def save_step(connection: sqlite3.Connection, run_id: str, step: str, result: Mapping[str, Any]) -> None:
    """A step is done."""
    with transaction(connection):
        connection.execute(
            """INSERT INTO training_steps (run_id, step, finished_at, result) VALUES (?, ?, ?, ?)
               ON CONFLICT (run_id, step) DO NOTHING""",
            (run_id, step, now(), json.dumps(result, ensure_ascii=False)),
        )


def usable_since(connection: sqlite3.Connection, agent: str) -> int:
    """Usable reactions newer than the agent's latest run that came to an end; the router learns from every agent's."""
    found = connection.execute(
        f"SELECT count(*) FROM feedback WHERE {USABLE} AND updated_at > ? AND (? = 'router' OR agent = ?)",
        (learned_until(connection, agent), agent, agent),
    ).fetchone()
    return int(found[0])


def learned_until(connection: sqlite3.Connection, agent: str) -> str:
    """When the agent's latest run that came to an end began: what was said before then is learned from; empty: never."""
    row = connection.execute(
        "SELECT max(started_at) FROM training_runs WHERE agent = ? AND status NOT IN ('running', 'failed')", (agent,)
    ).fetchone()
    return str(row[0] or "")
