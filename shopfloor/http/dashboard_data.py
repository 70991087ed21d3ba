"""What the owner's page shows, out of the state database and the assistant's figures."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import anyio.to_thread
from pydantic import BaseModel, Field

from shopfloor.errors import ShopfloorError
from shopfloor.evaluation.rollout import look_at
from shopfloor.http.dashboard_progress import Progress, is_training, read_progress
from shopfloor.http.dashboard_reviews import Corrections, read_corrections, reviews_as_changes
from shopfloor.http.rollout_watch import RolloutWatch, is_pinned
from shopfloor.http.service import Service
from shopfloor.http.training import AGENT, TrainingWatch
from shopfloor.settings import Settings
from shopfloor.store.artefact_rows import Artefact, artefact_of
from shopfloor.store.database import connect
from shopfloor.store.loop import Run, latest_runs, read_step, usable_since
from shopfloor.store.meta import read_meta
from shopfloor.store.rollouts import Rollout, running
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
    """One training run and what the gate said.

    ``under_way``: a process works on it; one that is running and not under way was stopped, and can go on.
    """

    run_id: str
    agent: str
    method: str
    status: str
    under_way: bool = False
    progress: Progress | None = None
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


class OutcomeRow(BaseModel):
    """One outcome of both sides of a trial, 0 to 1; ``low`` and ``high`` bound the difference at every look at once.

    ``margin``: the harm that must be ruled out before the share grows.
    """

    name: str
    n_champion: int
    n_challenger: int
    champion: float
    challenger: float
    diff: float
    low: float
    high: float
    margin: float


class TrialRow(BaseModel):
    """Something that is tried on a share of the users. ``reason``: what its next share waits for."""

    agent: str
    kind: str
    artefact: str
    champion: str | None
    share: int
    stages: list[int]
    started_at: str
    stage_at: str
    pinned: bool
    reason: str
    users_champion: int
    users_challenger: int
    outcomes: list[OutcomeRow]


class ChangeRow(BaseModel):
    """One decision of the log, with the numbers it rests on; of kind correction, ``hash`` is the reaction's id."""

    number: int
    at: str
    action: str
    hash: str
    agent: str
    kind: str
    reason: str
    numbers: dict[str, Any] = Field(default_factory=dict[str, Any])


class DayRow(BaseModel):
    """Turns and reactions of one day (UTC)."""

    day: str
    turns: int = 0
    reactions: int = 0


class Learning(BaseModel):
    """How far the next training is.

    ``needed``: usable reactions that start one by itself; ``waits_for``: why none starts though they are there, if so;
    ``stoppable``: the one that runs is this service's own.
    """

    waiting: int
    needed: int
    automatic: bool
    possible: bool
    running: bool
    stoppable: bool = False
    waits_for: str = ""


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
    trials: list[TrialRow] = Field(default_factory=list[TrialRow])
    corrections: Corrections = Field(default_factory=Corrections)


async def read_dashboard(service: Service, watch: TrainingWatch, rollouts: RolloutWatch, version: str) -> Dashboard:
    """Gather the page's figures; what is not open yet is left out, and ``reasons`` says so."""
    ready, degraded, reasons = await service.state()
    stored = await anyio.to_thread.run_sync(_read_stored, service, watch, rollouts)
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


def _read_stored(service: Service, watch: TrainingWatch, rollouts: RolloutWatch) -> dict[str, Any]:
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
        stoppable=watch.busy,
        waits_for=watch.waits_for or watch.stopped,
    )
    if not settings.state_path.is_file():
        return {"shop": name, "learning": learning}
    with closing(connect(settings.state_path, read_only=True)) as state:
        learning.waiting = usable_since(state, AGENT)
        runs = latest_runs(state, limit=RUNS_SHOWN)
        open_run = any(run.status == "running" for run in runs)
        learning.running = watch.busy or (open_run and is_training(settings.data))
        return {
            "shop": name,
            "learning": learning,
            "days": _days(state),
            "runs": [_run(state, run, settings, learning.running) for run in runs],
            "artefacts": [_artefact(artefact_of(row, settings.artefacts_path)) for row in _artefacts(state)],
            "changes": _changes(state),
            "corrections": read_corrections(state),
            "trials": [_trial(state, trial, service.settings, rollouts) for trial in running(state)],
        }


def _trial(state: sqlite3.Connection, trial: Rollout, settings: Settings, rollouts: RolloutWatch) -> TrialRow:
    seen, judgement = rollouts.seen.get(trial.rollout_id) or look_at(state, trial, settings)
    margins = {"quality": settings.rollout_margin}
    pinned = is_pinned(state, trial)
    return TrialRow(
        agent=trial.agent,
        kind=trial.kind,
        artefact=trial.artefact,
        champion=trial.champion,
        share=trial.share,
        stages=[*trial.stages, 100],
        started_at=trial.started_at,
        stage_at=trial.stage_at,
        pinned=pinned,
        reason="it is pinned: its share stays as it is" if pinned else judgement.reason,
        users_champion=seen.users[0],
        users_challenger=seen.users[1],
        outcomes=[
            OutcomeRow(
                name=name,
                n_champion=one.n_control,
                n_challenger=one.n_treated,
                champion=one.control,
                challenger=one.treated,
                diff=one.diff,
                low=one.low,
                high=one.high,
                margin=margins.get(name, settings.rollout_error_margin),
            )
            for name, one in judgement.differences.items()
        ],
    )


def _run(state: sqlite3.Connection, run: Run, settings: Settings, training: bool) -> RunRow:
    gate = read_step(state, run.run_id, "gate") or {}
    trained = read_step(state, run.run_id, "train") or {}
    steps = state.execute(
        "SELECT step FROM training_steps WHERE run_id = ? ORDER BY finished_at", (run.run_id,)
    ).fetchall()
    suites = cast("list[dict[str, Any]]", gate.get("suites", []))
    return RunRow(
        run_id=run.run_id,
        agent=run.agent,
        method=str(run.recipe.get("method", "")),
        status=run.status,
        under_way=training and run.status == "running",
        progress=read_progress(settings.data, run.run_id) if training and run.status == "running" else None,
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
        "SELECT * FROM artefacts ORDER BY state = 'champion' DESC, state = 'challenger' DESC, created_at DESC, hash LIMIT ?",
        (ARTEFACTS_SHOWN,),
    ).fetchall()


def _changes(state: sqlite3.Connection) -> list[ChangeRow]:
    """Decisions about what was learned, and the owner's about corrections, the newest first."""
    rows = state.execute(
        """SELECT change_no AS number, at, action, hash, agent, kind, reason, numbers FROM artefact_changes
           ORDER BY change_no DESC LIMIT ?""",
        (CHANGES_SHOWN,),
    )
    made = [ChangeRow.model_validate({**dict(row), "numbers": json.loads(row["numbers"])}) for row in rows]
    said = [ChangeRow.model_validate(one) for one in reviews_as_changes(state)]
    return sorted([*made, *said], key=lambda one: (one.at, one.number), reverse=True)[:CHANGES_SHOWN]


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
