"""What the owner's page shows, out of the state database and the assistant's figures."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import anyio.to_thread
from pydantic import BaseModel, Field

from shopfloor.errors import ShopfloorError
from shopfloor.http.service import Service
from shopfloor.http.training import AGENT, TrainingWatch
from shopfloor.store.artefact_rows import Artefact, artefact_of
from shopfloor.store.database import connect
from shopfloor.store.loop import Run, latest_runs, read_step, usable_since
from shopfloor.store.meta import read_meta
from shopfloor.tools.schemas import AgentStats

RUNS_SHOWN = 8
ARTEFACTS_SHOWN = 12
CHANGES_SHOWN = 20
DAYS_SHOWN = 14


class SuiteRow(BaseModel):
    """One suite of a gate's report; shares from 0 to 1, ``low`` and ``high`` bound the difference (95 %)."""

    name: str
    n: int
    champion: float
    challenger: float
    diff: float
    low: float
    high: float
    mde: float
    regressed: bool = False


class RunRow(BaseModel):
    """One training run and what the gate said."""

    run_id: str
    agent: str
    status: str
    started_by: str
    started_at: str
    seconds: float | None = None
    rows: int = 0
    steps: list[str] = Field(default_factory=list[str])
    reason: str = ""
    suites: list[SuiteRow] = Field(default_factory=list[SuiteRow])


class ArtefactRow(BaseModel):
    """Something learned, and where it stands."""

    hash: str
    agent: str
    kind: str
    state: str
    pinned: bool
    created: str


class ChangeRow(BaseModel):
    """One decision of the log."""

    number: int
    at: str
    action: str
    hash: str
    agent: str
    kind: str
    reason: str


class DayRow(BaseModel):
    """Turns and reactions of one day (UTC)."""

    day: str
    turns: int = 0
    reactions: int = 0


class Learning(BaseModel):
    """How far the next training is. ``needed``: usable reactions that start one by itself."""

    waiting: int
    needed: int
    automatic: bool
    possible: bool
    running: bool


class Dashboard(BaseModel):
    """Everything the owner's page shows."""

    shop: str
    version: str
    ready: bool
    degraded: bool
    reasons: list[str] = Field(default_factory=list[str])
    uptime_s: float = 0
    memory_mb: float = 0
    agents: dict[str, AgentStats] = Field(default_factory=dict[str, AgentStats])
    learning: Learning
    days: list[DayRow] = Field(default_factory=list[DayRow])
    runs: list[RunRow] = Field(default_factory=list[RunRow])
    artefacts: list[ArtefactRow] = Field(default_factory=list[ArtefactRow])
    changes: list[ChangeRow] = Field(default_factory=list[ChangeRow])


async def read_dashboard(service: Service, watch: TrainingWatch, version: str) -> Dashboard:
    """Gather the page's figures; what is not open yet is left out, and ``reasons`` says so."""
    ready, degraded, reasons = await service.state()
    stored = await anyio.to_thread.run_sync(_read_stored, service, watch)
    page = Dashboard(version=version, ready=ready, degraded=degraded, reasons=reasons, **stored)
    if ready:
        try:
            stats = await (await service.assistant()).model_stats()
        except ShopfloorError as error:
            return page.model_copy(update={"degraded": True, "reasons": [*reasons, error.detail]})
        page.agents = stats.agents
        page.uptime_s = _number(stats.process.get("uptime_s"))
        page.memory_mb = _number(stats.process.get("memory_mb"))
    return page


def _read_stored(service: Service, watch: TrainingWatch) -> dict[str, Any]:
    settings = service.settings
    name = "shopfloor"
    if settings.catalogue_path.is_file():
        with closing(connect(settings.catalogue_path, read_only=True)) as catalogue:
            name = read_meta(catalogue).get("shop_name", name)
    learning = Learning(
        waiting=0,
        needed=settings.train_every,
        automatic=settings.train_automatically,
        possible=watch.possible,
        running=watch.busy,
    )
    if not settings.state_path.is_file():
        return {"shop": name, "learning": learning}
    with closing(connect(settings.state_path, read_only=True)) as state:
        learning.waiting = usable_since(state, AGENT)
        runs = latest_runs(state, limit=RUNS_SHOWN)
        learning.running = learning.running or any(
            run.status == "running" and run.finished_at is None for run in runs[:1]
        )
        return {
            "shop": name,
            "learning": learning,
            "days": _days(state),
            "runs": [_run(state, run) for run in runs],
            "artefacts": [_artefact(artefact_of(row, settings.artefacts_path)) for row in _artefacts(state)],
            "changes": [ChangeRow.model_validate(dict(row)) for row in _changes(state)],
        }


def _run(state: sqlite3.Connection, run: Run) -> RunRow:
    gate = read_step(state, run.run_id, "gate") or {}
    trained = read_step(state, run.run_id, "train") or {}
    steps = state.execute(
        "SELECT step FROM training_steps WHERE run_id = ? ORDER BY finished_at", (run.run_id,)
    ).fetchall()
    suites = cast("list[dict[str, Any]]", gate.get("suites", []))
    return RunRow(
        run_id=run.run_id,
        agent=run.agent,
        status=run.status,
        started_by=run.started_by,
        started_at=run.started_at,
        seconds=run.seconds,
        rows=int(trained.get("rows", 0)),
        steps=[row["step"] for row in steps],
        reason=str(gate.get("reason", "")) or (run.error or ""),
        suites=[_suite(suite) for suite in suites],
    )


def _suite(suite: dict[str, Any]) -> SuiteRow:
    low, high = suite["ci"]
    return SuiteRow.model_validate({**suite, "low": low, "high": high})


def _artefact(artefact: Artefact) -> ArtefactRow:
    return ArtefactRow(
        hash=artefact.hash,
        agent=artefact.agent,
        kind=artefact.kind,
        state=artefact.state,
        pinned=artefact.pinned,
        created=artefact.created,
    )


def _artefacts(state: sqlite3.Connection) -> list[sqlite3.Row]:
    return state.execute(
        "SELECT * FROM artefacts ORDER BY state = 'champion' DESC, created_at DESC, hash LIMIT ?", (ARTEFACTS_SHOWN,)
    ).fetchall()


def _changes(state: sqlite3.Connection) -> list[sqlite3.Row]:
    return state.execute(
        """SELECT change_no AS number, at, action, hash, agent, kind, reason FROM artefact_changes
           ORDER BY change_no DESC LIMIT ?""",
        (CHANGES_SHOWN,),
    ).fetchall()


def _days(state: sqlite3.Connection) -> list[DayRow]:
    """The last two weeks' turns and reactions, the oldest first; days without any are there too."""
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=ago)).isoformat() for ago in reversed(range(DAYS_SHOWN))]
    turns, reactions = _by_day(state, "turns", days[0]), _by_day(state, "feedback", days[0])
    return [DayRow(day=day, turns=turns.get(day, 0), reactions=reactions.get(day, 0)) for day in days]


def _by_day(state: sqlite3.Connection, table: Literal["turns", "feedback"], since: str) -> dict[str, int]:
    rows = state.execute(
        f"SELECT substr(created_at, 1, 10) AS day, count(*) AS n FROM {table} WHERE created_at >= ? GROUP BY day",
        (since,),
    )
    return {row["day"]: row["n"] for row in rows}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
