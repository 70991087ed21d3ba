"""What every cycle shares: the dataset, the recorded steps, the gate's verdict, the registry and the promotion.

A cycle adds how it learns and how it is judged (:class:`Cycle`). Every step is a row in ``training_steps``: a run that was
killed goes on behind its last one with the dataset it began with, and the same dataset against the same champion is the
same run.
"""

import asyncio
import hashlib
import json
import sqlite3
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from shopfloor.errors import ArtefactRejectedError, ShopfloorError
from shopfloor.finetune.datasets.build import ROWS_FILE, Built
from shopfloor.finetune.datasets.opening import open_and_build
from shopfloor.finetune.datasets.rows import Agent, compact
from shopfloor.finetune.gate.report import write_report
from shopfloor.finetune.gate.verdict import Judgement
from shopfloor.finetune.locking import one_training
from shopfloor.finetune.rollout import go_live
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Kind, Manifest, Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.loop import (
    Run,
    StartedBy,
    Status,
    begin_run,
    end_run,
    latest_runs,
    read_run,
    read_step,
    save_step,
)
from shopfloor.store.traces import now

LICENCE = "the shop's own; not for publication"
STATUS_OF: dict[str, Status] = {
    "promote": "promoted",
    "reject": "rejected",
    "not_enough_evidence": "not_enough_evidence",
}

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What ``shopfloor train --json`` prints.

    ``gate`` is None where there was too little to learn from, or nothing came that could be judged; ``note`` says what
    else there is to say, e.g. why no LoRA was tried.
    """

    run_id: str | None
    status: str
    artefact: str | None
    seconds: float
    peak_mb: float
    gate: dict[str, Any] | None
    dataset: str | None
    rows: int
    report: str | None = None
    method: str = "head"
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Made:
    """What a cycle gives to the registry: files by the name they get, and what they were made from."""

    files: Mapping[str, Path]
    source_hash: str = ""
    parent: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Work:
    """One run under way: its record, and where its files lie."""

    state: sqlite3.Connection
    registry: Registry
    run: Run
    folder: Path
    dataset: Path

    async def once(self, step: str, do: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
        """Do a step and record what it came to; one that is recorded is not done again."""
        known = read_step(self.state, self.run.run_id, step)
        if known is not None:
            return known
        result = await do()
        save_step(self.state, self.run.run_id, step, result)
        return result


class Cycle(ABC):
    """One cycle over one data folder.

    Args:
        settings: where everything lies.
        started_by: for the record.
        seed: of the training.
        shares: what wins is tried on a share of the users first, where its kind can be.
        say: hears what is being done.
    """

    agent: ClassVar[Agent]
    kind: ClassVar[Kind]
    method: ClassVar[str]
    fewest_rows: ClassVar[int]

    def __init__(
        self,
        settings: Settings,
        *,
        started_by: StartedBy = "command",
        seed: int = 0,
        shares: bool = False,
        say: Said | None = None,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.say: Said = say or _silent
        self._started_by: StartedBy = started_by
        self._shares = shares
        self._began = time.monotonic()

    # What a kind of cycle is ------------------------------------------------------------------------------------------

    @abstractmethod
    async def ready(self) -> None:
        """Raise a ShopfloorError where what the cycle needs is not here; nothing is recorded then."""

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """How it learns: part of what names a run."""

    @abstractmethod
    async def champion(self, registry: Registry) -> str:
        """Look up what serves now and must be beaten; returns its name."""

    @abstractmethod
    def won(self, work: Work) -> str | None:
        """The champion's name once this run's artefact serves; None before there is one."""

    @abstractmethod
    async def open(self, stack: AsyncExitStack) -> None:
        """Open what the steps need."""

    @abstractmethod
    async def learn(self, work: Work) -> None:
        """The steps up to the gate."""

    @abstractmethod
    async def judge(self, work: Work) -> Judgement:
        """Compare what was learned with what serves."""

    @abstractmethod
    async def made(self, work: Work) -> Made:
        """What goes into the registry."""

    # The cycle --------------------------------------------------------------------------------------------------------

    async def run(self) -> TrainResult:
        """Do what is left to do of the latest unfinished run, or of a new one.

        Raises:
            BusyError: another training is running.
            ConfigError: something is not installed.
            ShopfloorError: a step failed; the run is recorded as failed.
        """
        with one_training(self.settings.data):
            await self.ready()
            self.say("collecting feedback")
            built = await asyncio.to_thread(open_and_build, self.settings, self.agent, None)
            async with AsyncExitStack() as stack:
                state = stack.enter_context(closing(connect(self.settings.state_path)))
                database = await stack.enter_async_context(Database(self.settings.state_path, readers=1))
                registry = Registry(database, self.settings.artefacts_path)
                champion = await self.champion(registry)
                unfinished = self._unfinished(state, registry, champion)
                if unfinished is None and built.counts["train"] < self.fewest_rows:
                    return self._nothing(built)
                run = begin_run(state, unfinished or self._new_run(built, champion))
                return await self._steps(stack, self._work(state, registry, run))

    async def _steps(self, stack: AsyncExitStack, work: Work) -> TrainResult:
        run, state = work.run, work.state
        if run.status not in {"running", "failed"}:
            return self._result(work)
        try:
            await self.open(stack)
            try:
                await self.learn(work)
            except ArtefactRejectedError as error:  # it was made, and is not what it should be
                end_run(state, run.run_id, "rejected", error=error.detail, seconds=self._seconds(), peak_mb=peak_mb())
            else:
                await self._decide(work)
        except ShopfloorError as error:
            end_run(state, run.run_id, "failed", error=error.detail, seconds=self._seconds(), peak_mb=peak_mb())
            raise
        return self._result(self._work(state, work.registry, latest_of(state, run.run_id)))

    async def _decide(self, work: Work) -> None:
        state, run = work.state, work.run
        verdict = await work.once("gate", lambda: self._judged(work))
        name = str((await work.once("register", lambda: self._registered(work)))["artefact"])
        status = STATUS_OF[str(verdict["verdict"])]
        if status == "promoted":
            reason = f"run {run.run_id}: {verdict['reason']}"
            live = await go_live(
                *(self.settings, work.registry.state, name, reason), shares=self._shares, dataset_hash=run.dataset_hash
            )
            status = live.status
        save_step(state, run.run_id, "promote", {"status": status})
        end_run(state, run.run_id, status, artefact=name, seconds=self._seconds(), peak_mb=peak_mb())

    async def _judged(self, work: Work) -> dict[str, Any]:
        self.say("comparing with what serves")
        judgement = await self.judge(work)
        await asyncio.to_thread(write_report, work.folder / "gate", judgement)
        return judgement.to_json()

    async def _registered(self, work: Work) -> dict[str, Any]:
        made = await self.made(work)
        card = json.loads((work.dataset / "card.json").read_text("utf-8"))
        run = work.run
        manifest = Manifest(
            agent=self.agent,
            kind=self.kind,
            source_hash=made.source_hash,
            parent=made.parent,
            licence=LICENCE,
            dataset_hash=run.dataset_hash,
            feedback=tuple(card["feedback_ids"]),
            recipe={**run.recipe, **made.recipe, "seed": run.seed, "run_id": run.run_id},
            metrics=made.metrics,
        )
        return {"artefact": await work.registry.add(manifest, made.files, reason=f"run {run.run_id}")}

    # Its record -------------------------------------------------------------------------------------------------------

    def _work(self, state: sqlite3.Connection, registry: Registry, run: Run) -> Work:
        data = self.settings.data
        return Work(state, registry, run, data / "runs" / run.run_id, data / "datasets" / run.dataset_hash)

    def _unfinished(self, state: sqlite3.Connection, registry: Registry, champion: str) -> Run | None:
        """The latest run that a killed process left; one that was up against another champion is given up."""
        for run in latest_runs(state, self.agent):
            if run.status != "running" or run.recipe.get("method") != self.method:
                continue
            work = self._work(state, registry, run)
            # Killed between promotion and its record: the champion is then the run's own artefact.
            if (work.dataset / ROWS_FILE).is_file() and champion in {run.champion, self.won(work)}:
                return run
            end_run(state, run.run_id, "failed", error="What it was to beat, or learn from, is no longer there.")
        return None

    def _new_run(self, built: Built, champion: str) -> Run:
        recipe = {"method": self.method, **self.recipe()}
        key = compact([self.agent, built.hash, champion, recipe, self.seed])
        return Run(
            run_id=hashlib.sha256(key.encode()).hexdigest()[:16],
            agent=self.agent,
            dataset_hash=built.hash,
            champion=champion,
            recipe=recipe,
            seed=self.seed,
            started_by=self._started_by,
            status="running",
            artefact=None,
            error=None,
            seconds=None,
            peak_mb=None,
            started_at=now(),
            finished_at=None,
        )

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 2)

    def _nothing(self, built: Built) -> TrainResult:
        rows = built.counts["train"]
        return TrainResult(
            *(None, "nothing_to_learn", None, self._seconds(), peak_mb(), None, built.hash, rows),
            method=self.method,
            note=f"A {self.method} needs {self.fewest_rows} rows to train on.",
        )

    def _result(self, work: Work) -> TrainResult:
        run = work.run
        gate = read_step(work.state, run.run_id, "gate")
        trained = read_step(work.state, run.run_id, "train") or {"rows": 0}
        return TrainResult(
            run_id=run.run_id,
            status=run.status,
            artefact=run.artefact,
            seconds=run.seconds or self._seconds(),
            peak_mb=run.peak_mb or peak_mb(),
            gate=gate,
            dataset=run.dataset_hash,
            rows=int(trained["rows"]),
            report=str(work.folder / "gate" / "report.md") if gate is not None else None,
            method=self.method,
            note=run.error,
        )


def latest_of(state: sqlite3.Connection, run_id: str) -> Run:
    """A run as it stands, which must be there."""
    found = read_run(state, run_id)
    assert found is not None
    return found


def peak_mb() -> float:
    """Most memory this process or one of its ended children has held, in MB."""
    if sys.platform == "win32":
        import psutil

        return round(psutil.Process().memory_info().peak_wset / 1024**2, 1)
    import resource

    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


def _silent(_text: str) -> None:
    """Nobody listens."""
