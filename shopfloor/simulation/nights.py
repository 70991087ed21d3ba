"""What happens between two days in the simulated shop's own database: the owner's checks, and time.

A day of the simulation takes a minute, so at night everything recorded is moved a day into the past: the service, the
datasets' rules about fresh accounts and the users' order then see days go by. This is done to the simulation's own data
folder alone, while nobody asks and nothing trains.
"""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from shopfloor.simulation.scene import dump
from shopfloor.store.database import Database, connect
from shopfloor.store.feedback_files import export_feedback, import_feedback
from shopfloor.store.loop import Run, run_of, transaction
from shopfloor.store.traces import now

DAY = timedelta(days=1)
NIGHTS = "simulated_nights"


@dataclass(frozen=True, slots=True)
class Ended:
    """A training that came to its end, with what its gate said and how much feedback there was when it began."""

    run: Run
    n_feedback: int
    gate: Mapping[str, Any]


def pass_night(state: Path, day: int) -> None:
    """Move every recorded moment a day back, once for each day (blocking)."""
    with closing(connect(state)) as connection, transaction(connection):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {NIGHTS} (day INTEGER PRIMARY KEY)")
        if connection.execute(f"SELECT 1 FROM {NIGHTS} WHERE day = ?", (day,)).fetchone():
            return
        connection.create_function("a_day_earlier", 1, _earlier, deterministic=True)
        for table, column in _moments(connection):
            connection.execute(
                f'UPDATE "{table}" SET "{column}" = a_day_earlier("{column}") WHERE "{column}" IS NOT NULL'
            )
        connection.execute(f"INSERT INTO {NIGHTS} (day) VALUES (?)", (day,))


def _moments(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = [
        str(row["name"])
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
        )
    ]
    return [
        (table, str(row["name"]))
        for table in tables
        for row in connection.execute(f'PRAGMA table_info("{table}")')
        if (row["name"] == "at" or str(row["name"]).endswith("_at")) and row["type"] == "TEXT"
    ]


def _earlier(moment: str) -> str:
    try:
        return (datetime.fromisoformat(moment) - DAY).isoformat(timespec="microseconds")
    except ValueError:
        return moment


async def owner_checks(state: Path, folder: Path, truths: Mapping[str, str], count: int, day: int, rng: Random) -> int:
    """The owner looks at some of the day's corrections, mends wrong ones, and brings them in as verified.

    Args:
        state: the state database.
        folder: where the owner's file of the day is written.
        truths: the right route by trace id, for the turns of the day.
        count: corrections looked at, at most.
        day: the file's name.
        rng: draws which.

    Returns:
        How many were verified.
    """
    async with Database(state, readers=1) as database:
        exported = await export_feedback(database, folder / "exported")
        lines: list[dict[str, Any]] = []
        for one in exported:
            for text in one.path.read_text(encoding="utf-8").splitlines():
                line = json.loads(text)
                if line["trace_id"] in truths and _names_route(line["correction"]) and line["source"] != "owner":
                    lines.append(line)
        lines.sort(key=lambda line: str(line["feedback_id"]))
        chosen = rng.sample(lines, min(count, len(lines)))
        if not chosen:
            return 0
        checked = [
            {
                **{name: value for name, value in line.items() if name not in ("question", "answer")},
                "correction": {"kind": "route", "route": truths[line["trace_id"]]},
                "source": "owner",
                "updated_at": now(),
            }
            for line in chosen
        ]
        path = folder / f"day-{day:03d}.jsonl"
        path.write_text("".join(f"{dump(line)}\n" for line in checked), encoding="utf-8")
        report = await import_feedback(database, path)
        return report.updated + report.added


def _names_route(correction: object) -> bool:
    return isinstance(correction, dict) and "route" in correction


def ended_runs(state: Path, known: Sequence[str]) -> list[Ended]:
    """Trainings that have come to their end and are not among the known, oldest first (blocking)."""
    if not state.is_file():
        return []
    with closing(connect(state, read_only=True)) as connection:
        rows = connection.execute(
            "SELECT * FROM training_runs WHERE status <> 'running' ORDER BY started_at, run_id"
        ).fetchall()
        found: list[Ended] = []
        for run in (run_of(row) for row in rows):
            if run.run_id in known:
                continue
            number = connection.execute(
                "SELECT count(*) FROM feedback WHERE created_at <= ?", (run.started_at,)
            ).fetchone()
            gate = connection.execute(
                "SELECT result FROM training_steps WHERE run_id = ? AND step = 'gate'", (run.run_id,)
            ).fetchone()
            found.append(Ended(run, int(number[0]), {} if gate is None else json.loads(gate["result"])))
        return found


async def count_feedback(state: Path) -> int:
    """All reactions so far."""

    def count() -> int:
        with closing(connect(state, read_only=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM feedback").fetchone()[0])

    return await asyncio.to_thread(count)
