"""Watches what is tried on a share of the users, and decides: more of them, everybody, or taken back.

Every process of a service watches; each decision is one transaction that holds only while the trial stands as it was
seen, so one of them decides. A look costs about a millisecond while nothing is tried, and the time between two looks
grows with what a look takes. A decision is on disk with its numbers, or was not taken: a process that is killed loses
nothing.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shopfloor.errors import ShopfloorError
from shopfloor.evaluation.rollout import Judgement, Seen, look_at
from shopfloor.observability import Metrics, get_logger
from shopfloor.settings import Settings
from shopfloor.store.database import connect
from shopfloor.store.rollouts import Rollout, advance, running, take_back

log = get_logger("shopfloor.rollout")

REST = 20
"""A look is followed by at least so many times the processor time it took."""
PAUSE_FILE = "pause"
PAUSE_LOOK_S = 5.0
LATENCY_WINDOW_S = 60.0
FEWEST_TURNS = 5
MOST_TURNS = 2_000
SLOW_SHARE = 0.05


class RolloutWatch:
    """Watches one data folder's trials.

    Args:
        settings: the rules, and how often it looks.
        metrics: where each side's figures go.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._shown: set[tuple[str, str]] = set()
        self.seen: dict[str, tuple[Seen, Judgement]] = {}
        self.decided = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Watch while the block runs."""
        tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._keep_pace())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)

    async def _watch(self) -> None:
        while True:
            took = 0.0
            try:
                took = await asyncio.to_thread(self._timed_look)
            except (ShopfloorError, sqlite3.Error) as error:
                log.warning("rollout_not_looked_at", error=type(error).__name__)
            await asyncio.sleep(max(self._settings.rollout_look_s, took * REST))

    def _timed_look(self) -> float:
        started = time.thread_time()
        self.look()
        return time.thread_time() - started

    def look(self) -> None:
        """Look at every trial once, and decide where it is time (blocking)."""
        if not self._settings.state_path.is_file():
            return
        with closing(connect(self._settings.state_path)) as state:
            trials = _running(state)
            found = {trial.rollout_id: look_at(state, trial, self._settings) for trial in trials}
            for trial in trials:
                self._decide(state, trial, found[trial.rollout_id][1])
        self.seen = found
        self._show(trials)

    def _decide(self, state: sqlite3.Connection, trial: Rollout, judgement: Judgement) -> None:
        if judgement.action == "wait":
            return
        state.execute("PRAGMA synchronous = FULL")
        state.execute("BEGIN IMMEDIATE")
        try:
            change = advance if judgement.action == "advance" else take_back
            done = not is_pinned(state, trial) and change(state, trial, judgement.reason, judgement.numbers())
        except BaseException:
            state.execute("ROLLBACK")
            raise
        state.execute("COMMIT")
        if done:
            self.decided += 1
            log.info("rollout_decided", agent=trial.agent, artefact=trial.artefact, action=judgement.action)

    def _show(self, trials: list[Rollout]) -> None:
        """Each side's figures for /metrics, of all processes together."""
        metrics = self._metrics
        present = {(trial.agent, trial.artefact) for trial in trials}
        for gone in self._shown - present:
            metrics.rollout_share.remove(*gone)
        for trial in trials:
            metrics.rollout_share.labels(agent=trial.agent, artefact=trial.artefact).set(trial.share)
            for name, one in self.seen[trial.rollout_id][1].differences.items():
                for side, n, mean in (
                    ("champion", one.n_control, one.control),
                    ("challenger", one.n_treated, one.treated),
                ):
                    metrics.rollout_outcomes.labels(agent=trial.agent, side=side, outcome=name).set(n)
                    metrics.rollout_mean.labels(agent=trial.agent, side=side, outcome=name).set(mean)
        self._shown = present

    # Room for shoppers while a training runs -------------------------------------------------------------------------

    async def _keep_pace(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.pause_or_not)
            except (ShopfloorError, sqlite3.Error, OSError) as error:
                log.warning("training_not_paced", error=type(error).__name__)
            await asyncio.sleep(PAUSE_LOOK_S)

    def pause_or_not(self) -> None:
        """Ask trainings to wait while answers are slow, and let them go on when they are not (blocking)."""
        settings = self._settings
        if not settings.state_path.is_file():
            return
        with closing(connect(settings.state_path, read_only=True)) as state:
            runs = state.execute("SELECT run_id FROM training_runs WHERE status = 'running'").fetchall()
            if not runs:
                return
            slow = is_slow(state, settings.latency_budget_ms)
        for run in runs:
            for folder in pausable(settings.data / "runs" / run["run_id"]):
                set_pause(folder / PAUSE_FILE, slow)


def is_pinned(state: sqlite3.Connection, trial: Rollout) -> bool:
    """Whether somebody pinned what is tried: then it keeps its share until it is unpinned."""
    row = state.execute("SELECT pinned FROM artefacts WHERE hash = ?", (trial.artefact,)).fetchone()
    return row is not None and bool(row["pinned"])


def is_slow(state: sqlite3.Connection, budget_ms: float) -> bool:
    """Whether more than 5 of 100 turns of the last minute were over the budget (its p95 is)."""
    since = (datetime.now(UTC) - timedelta(seconds=LATENCY_WINDOW_S)).isoformat(timespec="microseconds")
    times = [
        float(row["total"])
        for row in state.execute(
            """SELECT created_at, json_extract(timings_ms, '$.total') AS total FROM turns
               ORDER BY rowid DESC LIMIT ?""",
            (MOST_TURNS,),
        )
        if row["total"] is not None and row["created_at"] >= since
    ]
    return len(times) >= FEWEST_TURNS and sum(one > budget_ms for one in times) > SLOW_SHARE * len(times)


def pausable(folder: Path) -> list[Path]:
    """Where a run's trainer looks for a file ``pause``: the folders with its job; a head's run, of seconds, has none."""
    return [job.parent for job in (*folder.glob("job.json"), *folder.glob("*/job.json"))]


def set_pause(file: Path, wanted: bool) -> None:
    """Put the file there, or take it away."""
    if wanted:
        file.touch()
    else:
        file.unlink(missing_ok=True)


def _running(state: sqlite3.Connection) -> list[Rollout]:
    try:
        return running(state)
    except sqlite3.OperationalError:  # of an older version still: the assistant brings it up to date when it opens
        return []
