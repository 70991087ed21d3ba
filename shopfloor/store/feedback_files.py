"""Feedback as files: one JSON object a line in ``FOLDER/{agent}.jsonl``, which can be imported again.

An exported line holds the reaction, and beside it what it was about (the question, the answer), so that a person can
read the file. Importing it into the same database changes nothing; into another one, it adds what is missing. Traces
are not carried over: a reaction whose answer is not in the database is stored with ``trace_id`` None.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from shopfloor.errors import InputError
from shopfloor.store.database import Database
from shopfloor.store.feedback import NO_AGENT, dump_correction, feedback_from_row
from shopfloor.store.traces import now

ACTIONS = frozenset({"clicked", "purchased", "ignored", "returned"})
ISSUES_KEPT = 1_000
_TEXTS = ("feedback_id", "created_at", "updated_at", "user_id", "trace_id", "answer_id", "sku", "comment", "source")
_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class FeedbackIssue:
    """A line that could not be used."""

    file: str
    line: int
    reason: str

    def to_json(self) -> dict[str, str | int]:
        """JSON-able form."""
        return {"file": self.file, "line": self.line, "reason": self.reason}


@dataclass(slots=True)
class FeedbackImport:
    """What an import did: ``read`` = ``added`` + ``updated`` + ``unchanged`` + ``rejected``."""

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    issues: list[FeedbackIssue] = field(default_factory=list[FeedbackIssue])

    def to_json(self) -> dict[str, object]:
        """JSON-able form."""
        return {
            "read": self.read,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
            "issues": [issue.to_json() for issue in self.issues],
        }


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One agent's file."""

    agent: str
    path: Path
    rows: int


async def export_feedback(state: Database, folder: Path, *, agent: str | None = None) -> list[ExportedFile]:
    """Write ``folder/{agent}.jsonl`` for every agent (or the one named); a file is replaced whole or not at all."""
    return await state.read(lambda connection: _export(connection, folder, agent))


async def import_feedback(state: Database, path: Path) -> FeedbackImport:
    """Import one ``.jsonl`` file, or every one of a folder, in one transaction.

    Raises:
        InputError: there is nothing there, or a file is not UTF-8; nothing was changed.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise InputError(f"There is no feedback at {path}; name a .jsonl file or a folder of them.")
    return await state.write(lambda connection: _import(connection, files), durable=True)


def _export(connection: sqlite3.Connection, folder: Path, agent: str | None) -> list[ExportedFile]:
    folder.mkdir(parents=True, exist_ok=True)
    agents = [str(row[0]) for row in connection.execute("SELECT DISTINCT agent FROM feedback ORDER BY agent")]
    exported: list[ExportedFile] = []
    for name in agents:
        if agent is not None and name != agent:
            continue
        path = folder / f"{_file_name(name)}.jsonl"
        unfinished = path.with_suffix(".jsonl.part")
        rows = 0
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for line in _lines(connection, name):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                rows += 1
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        exported.append(ExportedFile(name, path, rows))
    return exported


def _lines(connection: sqlite3.Connection, agent: str) -> Iterator[dict[str, Any]]:
    rows = connection.execute(
        """SELECT feedback.*, turns.text AS question, answers.answer AS answer_text
           FROM feedback LEFT JOIN turns ON turns.trace_id = feedback.trace_id
                         LEFT JOIN answers ON answers.answer_id = feedback.answer_id
           WHERE feedback.agent = ? ORDER BY feedback.created_at, feedback.feedback_id""",
        (agent,),
    )
    for row in rows:
        stored = feedback_from_row(row)
        yield {
            "feedback_id": stored.feedback_id,
            "created_at": stored.created_at,
            "updated_at": stored.updated_at,
            "user_id": stored.user_id,
            "agent": stored.agent,
            "trace_id": stored.trace_id,
            "answer_id": stored.answer_id,
            "sku": stored.sku,
            "position": stored.position,
            "rating": stored.rating,
            "action": stored.action,
            "correction": stored.correction,
            "comment": stored.comment,
            "source": stored.source,
            "question": row["question"],
            "answer": row["answer_text"],
        }


def _import(connection: sqlite3.Connection, files: list[Path]) -> FeedbackImport:
    report = FeedbackImport()
    for path in files:
        try:
            with path.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        _import_line(connection, report, path.name, number, line)
        except (UnicodeDecodeError, OSError) as error:
            raise InputError(f"{path.name} can't be read as UTF-8 ({error}); nothing was imported.") from error
    return report


def _import_line(connection: sqlite3.Connection, report: FeedbackImport, file: str, number: int, line: str) -> None:
    report.read += 1
    try:
        row = _row_of(line)
    except ValueError as error:
        report.rejected += 1
        if len(report.issues) < ISSUES_KEPT:
            report.issues.append(FeedbackIssue(file, number, str(error)))
        return
    _unjoin_absent(connection, row)
    before = connection.execute(
        "SELECT updated_at FROM feedback WHERE feedback_id = ?", (row["feedback_id"],)
    ).fetchone()
    if before is None:
        report.added += 1
    elif str(before["updated_at"]) < str(row["updated_at"]):
        report.updated += 1
    else:
        report.unchanged += 1
        return
    columns = list(row)
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "feedback_id")
    connection.execute(
        f"""INSERT INTO feedback ({", ".join(columns)}) VALUES ({", ".join("?" for _ in columns)})
            ON CONFLICT (feedback_id) DO UPDATE SET {changes}""",
        list(row.values()),
    )


def _row_of(line: str) -> dict[str, str | int | None]:
    """The line's columns of ``feedback``, checked.

    Raises:
        ValueError: with a reason for a person.
    """
    try:
        loaded: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from error
    if not isinstance(loaded, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004  a reason for the report
    found = cast("Mapping[str, Any]", loaded)
    row: dict[str, str | int | None] = {name: _text_of(found, name) for name in _TEXTS}
    if row["feedback_id"] is None:
        raise ValueError("feedback_id is missing")
    row["created_at"] = _moment(row["created_at"] or now())
    row["updated_at"] = _moment(row["updated_at"] or row["created_at"])
    row["source"] = row["source"] or "import"
    row["agent"] = _text_of(found, "agent") or NO_AGENT
    row["position"] = _whole(found, "position", 1, 1_000_000)
    row["rating"] = _whole(found, "rating", 1, 5)
    row["action"] = _text_of(found, "action")
    if row["action"] is not None and row["action"] not in ACTIONS:
        raise ValueError(f"action '{row['action']}' is none of {', '.join(sorted(ACTIONS))}")
    correction = found.get("correction")
    if correction is not None and not isinstance(correction, str | dict):
        raise ValueError("correction is neither a text nor an object")
    row["correction"] = dump_correction(cast("str | dict[str, Any] | None", correction))
    if row["rating"] is None and row["action"] is None and row["correction"] is None:
        raise ValueError("has none of rating, action, correction")
    return row


def _unjoin_absent(connection: sqlite3.Connection, row: dict[str, str | int | None]) -> None:
    """A reaction to an answer that this database never gave joins to nothing here."""
    if row["trace_id"] is not None:
        there = connection.execute("SELECT 1 FROM turns WHERE trace_id = ?", (row["trace_id"],)).fetchone()
        if there is None:
            row["trace_id"] = row["answer_id"] = row["position"] = None
    if row["answer_id"] is not None:
        there = connection.execute("SELECT 1 FROM answers WHERE answer_id = ?", (row["answer_id"],)).fetchone()
        if there is None:
            row["answer_id"] = row["position"] = None


def _text_of(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text")  # noqa: TRY004  a reason for the report, not a wrong call
    if len(value) > _LIMIT:
        raise ValueError(f"{name} is longer than {_LIMIT} characters")
    return value.encode("utf-8", "replace").decode("utf-8")


def _whole(found: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = found.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is not a whole number from {low} to {high}")
    return value


def _moment(written: object) -> str:
    try:
        return datetime.fromisoformat(str(written)).isoformat(timespec="microseconds")
    except ValueError as error:
        raise ValueError(f"'{written}' is not an ISO 8601 time") from error


def _file_name(agent: str) -> str:
    """The agent's name as a file name, whatever it is made of."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", agent).lstrip(".") or "agent"
