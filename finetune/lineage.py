"""Where an artefact comes from: feedback, dataset, run, gate, and the decisions about it since."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from shopfloor.errors import ArtefactRejectedError, NotFoundError
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Artefact, Manifest, Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.loop import Run, read_step, run_of
from shopfloor.store.migrations import open_state

CHANGES = 1_000


@dataclass(frozen=True, slots=True)
class Lineage:
    """One artefact's way from feedback to traffic; absent parts are None or empty (they were erased, or never were)."""

    artefact: Artefact
    manifest: Manifest | None
    dataset: dict[str, Any] | None
    run: Run | None
    gate: dict[str, Any] | None
    changes: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        one = self.artefact
        return {
            "artefact": {
                "hash": one.hash,
                "agent": one.agent,
                "kind": one.kind,
                "state": one.state,
                "created": one.created,
            },
            "feedback": list(self.manifest.feedback) if self.manifest else [],
            "dataset": self.dataset,
            "run": None if self.run is None else _run_json(self.run),
            "gate": self.gate,
            "changes": list(self.changes),
        }


async def lineage(settings: Settings, name: str) -> Lineage:
    """Follow an artefact back.

    Args:
        settings: where it lies.
        name: its hash or the first digits.

    Raises:
        NotFoundError: there is no such artefact, or several begin so.
    """
    if not settings.state_path.is_file():
        raise NotFoundError(f"There is no artefact {name!r}: nothing has been learned yet.", code="unknown_artefact")
    open_state(settings.state_path)
    async with Database(settings.state_path, readers=1) as state:
        registry = Registry(state, settings.artefacts_path)
        artefact = await registry.get(name)
        try:
            manifest = await registry.manifest(artefact.hash)
        except ArtefactRejectedError:
            manifest = None
        changes = tuple(
            {"at": one.at, "action": one.action, "reason": one.reason, "numbers": dict(one.numbers)}
            for one in reversed(await registry.changes(CHANGES))
            if one.hash == artefact.hash
        )
    with closing(connect(settings.state_path, read_only=True)) as connection:
        run = _run(connection, artefact.hash)
        dataset_hash = manifest.dataset_hash if manifest else (run.dataset_hash if run else "")
        dataset = _dataset(connection, dataset_hash)
        gate = read_step(connection, run.run_id, "gate") if run else None
    return Lineage(artefact, manifest, dataset, run, gate, changes)


def _run(connection: sqlite3.Connection, artefact: str) -> Run | None:
    row = connection.execute(
        "SELECT * FROM training_runs WHERE artefact = ? ORDER BY started_at DESC LIMIT 1", (artefact,)
    ).fetchone()
    return None if row is None else run_of(row)


def _dataset(connection: sqlite3.Connection, name: str) -> dict[str, Any] | None:
    row = connection.execute(
        "SELECT hash, agent, created_at, folder, rows, erased_at FROM datasets WHERE hash = ?", (name,)
    ).fetchone()
    if row is None:
        return None
    counted = connection.execute(
        """SELECT count(DISTINCT nullif(feedback_id, '')) AS feedback, count(DISTINCT trace_id) AS turns,
                  count(DISTINCT user_id) AS users FROM dataset_sources WHERE dataset_hash = ?""",
        (name,),
    ).fetchone()
    return {**dict(row), **dict(counted)}


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_by": run.started_by,
        "champion": run.champion,
        "recipe": run.recipe,
        "seed": run.seed,
        "seconds": run.seconds,
        "peak_mb": run.peak_mb,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }
