"""Erases a user: what they said, what was answered, what was learned from them.

Gone are conversations, checkpoints, traces, feedback, gate cases, and every dataset, run and artefact with a row of
theirs. In the shop's own order history the name is replaced, so that stock and sales figures stay true. Deleted SQLite
rows stay readable in the file, so each database is rewritten (VACUUM) and its log emptied. Works beside a running
service: a turn of theirs that is under way is waited for, and the service hears of it and empties its memory.
"""

import asyncio
import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from shopfloor.errors import NotFoundError, StoreError
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Kind, Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.forgettings import record_forgetting
from shopfloor.store.loop import transaction
from shopfloor.store.migrations import open_state
from shopfloor.store.traces import now

Policy = Literal["retire", "retrain"]
Retrain = Callable[[Settings, str, Kind], "str | None"]

T = TypeVar("T")

LOCKED_S = 60.0
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went. ``rows``: in all databases and files; ``files``: removed or rewritten; the others are artefacts."""

    rows: int
    files: int
    retired: tuple[str, ...]
    retrained: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "rows": self.rows,
            "files": self.files,
            "retired": list(self.retired),
            "retrained": list(self.retrained),
        }


@dataclass(frozen=True, slots=True)
class _Traces:
    """Where a user has left traces."""

    threads: tuple[str, ...]
    datasets: tuple[str, ...]
    runs: tuple[str, ...]
    agents: tuple[str, ...]
    artefacts: tuple[str, ...]


async def forget(settings: Settings, user_id: str, *, retrain: Retrain | None = None) -> Forgotten:
    """Erase a user from everything under the data folder.

    Args:
        settings: where it lies.
        user_id: whom.
        retrain: called with agent and kind of each champion that went, heads first, makes a new one; empty: they are
            retired only.

    Raises:
        NotFoundError: nothing of this user is there.
        StoreError: a database stayed locked by another process.
    """
    if not settings.state_path.is_file():
        raise _nobody(user_id)
    await asyncio.to_thread(open_state, settings.state_path)
    await asyncio.to_thread(_wait_for_turns, settings, user_id)
    traces = await asyncio.to_thread(_find, settings, user_id)
    champions = await _retire(settings, traces)
    rows, files = await asyncio.to_thread(_erase, settings, user_id, traces)
    if not rows and not files and not traces.artefacts:
        raise _nobody(user_id)
    retrained: list[str] = []
    if retrain is not None:
        for agent, kind in champions:
            made = await asyncio.to_thread(retrain, settings, agent, kind)
            retrained += [made] if made is not None else []
    return Forgotten(rows, files, traces.artefacts, tuple(retrained))


def _wait_for_turns(settings: Settings, user_id: str) -> None:
    """Let turns of theirs that are under way come to their end, as long as one may take: they still write."""
    since = (datetime.now(UTC) - timedelta(seconds=settings.turn_timeout_s)).isoformat(timespec="microseconds")
    until = time.monotonic() + settings.turn_timeout_s
    with closing(connect(settings.state_path, read_only=True)) as state:
        while (
            time.monotonic() < until
            and state.execute(
                "SELECT 1 FROM turns WHERE user_id = ? AND status = 'started' AND created_at >= ?", (user_id, since)
            ).fetchone()
        ):
            time.sleep(0.2)


def _find(settings: Settings, user_id: str) -> _Traces:
    with closing(connect(settings.state_path, read_only=True)) as state:
        threads = _column(
            state,
            "SELECT thread_id FROM threads WHERE user_id = ?1 UNION SELECT thread_id FROM turns WHERE user_id = ?1",
            user_id,
        )
        datasets = _column(state, "SELECT DISTINCT dataset_hash FROM dataset_sources WHERE user_id = ?", user_id)
        runs: list[sqlite3.Row] = []
        for name in datasets:
            runs += state.execute(
                "SELECT run_id, agent, artefact FROM training_runs WHERE dataset_hash = ?", (name,)
            ).fetchall()
        feedback = set(_column(state, "SELECT feedback_id FROM feedback WHERE user_id = ?", user_id))
        known = [(row["hash"], row["agent"]) for row in state.execute("SELECT hash, agent FROM artefacts")]
    artefacts = dict.fromkeys(row["artefact"] for row in runs if row["artefact"] is not None)
    for name, _ in known:
        if _learned_from(settings.artefacts_path / name, set(datasets), feedback):
            artefacts[name] = None
    return _Traces(
        threads=threads,
        datasets=datasets,
        runs=tuple(row["run_id"] for row in runs),
        agents=tuple(dict.fromkeys(row["agent"] for row in runs)),
        artefacts=tuple(artefacts),
    )


def _learned_from(folder: Path, datasets: set[str], feedback: set[str]) -> bool:
    """Whether an artefact's manifest names one of the datasets or reactions."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return manifest.get("dataset_hash") in datasets or not feedback.isdisjoint(manifest.get("feedback", ()))


async def _retire(settings: Settings, traces: _Traces) -> list[tuple[str, Kind]]:
    """Erase the artefacts; returns agent and kind of each that served, heads first: an adapter is judged beside a head."""
    if not traces.artefacts:
        return []
    champions: list[tuple[str, Kind]] = []
    async with Database(settings.state_path, readers=1) as state:
        registry = Registry(state, settings.artefacts_path)
        for name in traces.artefacts:
            artefact = await registry.get(name)
            if artefact.state == "champion":
                champions.append((artefact.agent, artefact.kind))
            await registry.erase(name, "somebody it was trained on is to be forgotten")
    return sorted(dict.fromkeys(champions))


def _erase(settings: Settings, user_id: str, traces: _Traces) -> tuple[int, int]:
    rows = _patiently(lambda: _erase_state(settings.state_path, user_id, traces))
    rows += _patiently(lambda: _erase_checkpoints(settings.checkpoint_path, traces.threads))
    rows += _patiently(lambda: _erase_history(settings, user_id))
    files = _erase_folders(settings.data, traces)
    changed, lines = _erase_lines(settings.data, user_id)
    # Whatever a turn under way wrote meanwhile.
    rows += _patiently(lambda: _erase_state(settings.state_path, user_id, traces))
    rows += _patiently(lambda: _erase_checkpoints(settings.checkpoint_path, traces.threads))
    own = [settings.catalogue_path] if _is_inside(settings.catalogue_path, settings.data) else []
    for path in (settings.state_path, settings.checkpoint_path, *own):
        if path.is_file():
            _patiently(lambda path=path: _rewrite(path))
    _patiently(lambda: _tell(settings.state_path))  # once more: what was read until now is in memories again
    return rows + lines, files + changed


def _erase_state(path: Path, user_id: str, traces: _Traces) -> int:
    gone = 0
    with closing(connect(path)) as state, transaction(state):
        one = (user_id,)
        for query in (
            "DELETE FROM gate_cases WHERE user_id = ?",
            "DELETE FROM feedback_keys WHERE user_id = ?",
            "DELETE FROM feedback_reviews WHERE feedback_id IN (SELECT feedback_id FROM feedback WHERE user_id = ?)",
            "DELETE FROM feedback WHERE user_id = ?1 OR trace_id IN (SELECT trace_id FROM turns WHERE user_id = ?1)",
            "DELETE FROM shown WHERE user_id = ?",
            "DELETE FROM answers WHERE user_id = ?1 OR trace_id IN (SELECT trace_id FROM turns WHERE user_id = ?1)",
            "DELETE FROM turns WHERE user_id = ?",
            "DELETE FROM threads WHERE user_id = ?",
        ):
            gone += state.execute(query, one).rowcount
        for name in traces.datasets:
            gone += state.execute("DELETE FROM dataset_sources WHERE dataset_hash = ?", (name,)).rowcount
            state.execute(
                "UPDATE datasets SET erased_at = ?, card = '{}' WHERE hash = ? AND erased_at IS NULL", (now(), name)
            )
        for run in traces.runs:
            gone += state.execute("DELETE FROM training_steps WHERE run_id = ?", (run,)).rowcount
            state.execute("UPDATE training_runs SET status = 'erased' WHERE run_id = ?", (run,))
        record_forgetting(state)
    return gone


def _tell(path: Path) -> None:
    with closing(connect(path)) as state, transaction(state):
        record_forgetting(state)


def _erase_checkpoints(path: Path, threads: Sequence[str]) -> int:
    if not path.is_file() or not threads:
        return 0
    gone = 0
    with closing(connect(path)) as checkpoints:
        tables = set(_column(checkpoints, "SELECT name FROM sqlite_master WHERE type = ?", "table"))
        with transaction(checkpoints):
            for table in sorted(tables & {"checkpoints", "writes"}):
                for thread in threads:
                    gone += checkpoints.execute(f"DELETE FROM {table} WHERE thread_id = ?", (thread,)).rowcount
    return gone


def _erase_history(settings: Settings, user_id: str) -> int:
    """Another name for the user in the shop's orders and ratings: the sales stay, the person goes."""
    path = settings.catalogue_path
    if not path.is_file() or not _is_inside(path, settings.data):
        return 0
    nobody = f"forgotten-{secrets.token_hex(8)}"
    gone = 0
    with closing(connect(path)) as catalogue, transaction(catalogue):
        for table in ("events", "ratings"):
            gone += catalogue.execute(f"UPDATE {table} SET user_id = ? WHERE user_id = ?", (nobody, user_id)).rowcount
    return gone


def _erase_folders(data: Path, traces: _Traces) -> int:
    """Remove the user's datasets and runs, and whatever a killed process left half made."""
    gone = 0
    theirs = [*(data / "datasets" / name for name in traces.datasets), *(data / "runs" / run for run in traces.runs)]
    for folder in (*theirs, *data.glob("datasets/.making-*")):
        if folder.is_dir():
            gone += sum(path.is_file() for path in folder.rglob("*"))
            shutil.rmtree(folder)
    for pattern in ("datasets/**/.*.part", "runs/**/.*.part", "feedback/*.part"):
        for path in data.glob(pattern):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _erase_lines(data: Path, user_id: str) -> tuple[int, int]:
    """Drop the lines of JSONL files (exports of feedback) that are the user's; returns files changed and lines gone."""
    changed = lines = 0
    for path in sorted(data.rglob("*.jsonl")):
        if _mentions(path, user_id.encode()):
            gone = _without_user(path, user_id)
            changed, lines = changed + (gone > 0), lines + gone
    return changed, lines


def _without_user(path: Path, user_id: str) -> int:
    kept: list[str] = []
    gone = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            if _is_theirs(line, user_id):
                gone += 1
            else:
                kept.append(line)
    if gone:
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text("".join(kept), encoding="utf-8", newline="\n")
        temporary.replace(path)
    return gone


def _is_theirs(line: str, user_id: str) -> bool:
    try:
        value: object = json.loads(line)
    except ValueError:
        return user_id in line
    return isinstance(value, dict) and cast("dict[str, object]", value).get("user_id") == user_id


def _mentions(path: Path, needle: bytes) -> bool:
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(PIECE):
            if needle in tail + piece:
                return True
            tail = piece[-len(needle) :]
    return False


def _rewrite(path: Path) -> None:
    """Write the database anew without what was deleted, and empty its log."""
    with closing(connect(path)) as connection:
        connection.execute("VACUUM")
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy is not None and busy[0]:
            raise sqlite3.OperationalError("database is locked")


def _patiently(work: Callable[[], T]) -> T:
    """Run ``work`` again while a service holds the database."""
    until = time.monotonic() + LOCKED_S
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            if time.monotonic() > until:
                raise StoreError("A database stayed locked for a minute; stop the service and try again.") from error
            time.sleep(0.2)


def _column(connection: sqlite3.Connection, query: str, value: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in connection.execute(query, (value,)))


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _nobody(user_id: str) -> NotFoundError:
    return NotFoundError(f"There is nothing of a user '{user_id}' here.", code="unknown_user")
