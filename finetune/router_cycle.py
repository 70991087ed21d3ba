"""The router's cycle: dataset, train, gate, register, promote. Every step is recorded, so a killed run goes on.

The head always starts from the same base, the shipped head, and learns from all usable reactions at once: the order in
which feedback came makes no difference, and forgetting a user is training again without them. Messages that the shipped
head learned from are rehearsed beside them, so that a shop's own ways of asking push out nothing else.
"""

import asyncio
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from shopfloor.errors import ModelError, ShopfloorError
from shopfloor.evaluation.suites.routing import ADAPTING
from shopfloor.finetune.datasets.build import ROWS_FILE, Built
from shopfloor.finetune.datasets.opening import open_and_build
from shopfloor.finetune.datasets.rows import compact
from shopfloor.finetune.gate.feedback_cases import routing_cases
from shopfloor.finetune.gate.report import write_report
from shopfloor.finetune.gate.routing import RoutingGate
from shopfloor.finetune.head_lessons import (
    AGENT,
    LICENCE,
    REHEARSED_ROWS,
    Rehearsed,
    fit,
    read_lessons,
    rehearsal_rows,
)
from shopfloor.finetune.locking import one_training
from shopfloor.finetune.rollout import go_live
from shopfloor.finetune.routing.vectors import VectorCache
from shopfloor.graph.local_router import LocalRouter, TextEncoder, shipped_head, shorten
from shopfloor.local_models import open_encoder
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.head import CARD_FILE, WEIGHTS_FILE, LinearHead
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Manifest, Registry
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

KIND = "head"
FEWEST_ROWS = 20
STATUS_OF: dict[str, Status] = {
    "promote": "promoted",
    "reject": "rejected",
    "not_enough_evidence": "not_enough_evidence",
}

Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What ``shopfloor train --json`` prints. ``gate`` is None where there was too little to learn from."""

    run_id: str | None
    status: str
    artefact: str | None
    seconds: float
    peak_mb: float
    gate: dict[str, Any] | None
    dataset: str | None
    rows: int
    report: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


class RouterCycle:
    """One cycle over one data folder.

    Args:
        settings: where everything lies.
        started_by: for the record.
        base: the head that learning starts from; empty: the shipped one.
        encoder: one that is open already; empty: the service's, opened for this.
        seed: of the training.
        shares: what wins is tried on a share of the users first.
        say: hears what is being done.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        started_by: StartedBy = "command",
        base: LinearHead | None = None,
        encoder: TextEncoder | None = None,
        seed: int = 0,
        shares: bool = False,
        say: Said | None = None,
    ) -> None:
        self._shares = shares
        self._settings = settings
        self._started_by: StartedBy = started_by
        self._base = base
        self._seed = seed
        self._say: Said = say or _silent
        self._began = time.monotonic()
        self._encoder = encoder

    async def run(self) -> TrainResult:
        """Do what is left to do of the latest unfinished run, or of a new one.

        Raises:
            BusyError: another training is running.
            ConfigError: SciPy is not installed.
            ShopfloorError: a step failed; the run is recorded as failed.
        """
        with one_training(self._settings.data):
            self._say("collecting feedback")
            built = await asyncio.to_thread(open_and_build, self._settings, AGENT, None)
            async with AsyncExitStack() as stack:
                state = stack.enter_context(closing(connect(self._settings.state_path)))
                database = await stack.enter_async_context(Database(self._settings.state_path, readers=1))
                registry = Registry(database, self._settings.artefacts_path)
                champion = await self._champion(registry)
                unfinished = self._unfinished(state, champion)
                if unfinished is None and built.counts["train"] < FEWEST_ROWS:
                    return self._nothing(built)
                run = unfinished or self._new_run(built, champion)
                return await self._steps(stack, state, registry, begin_run(state, run), champion)

    async def _steps(
        self,
        stack: AsyncExitStack,
        state: sqlite3.Connection,
        registry: Registry,
        run: Run,
        champion: LinearHead,
    ) -> TrainResult:
        if run.status not in {"running", "failed"}:
            return self._result(state, run)
        try:
            await self._open_encoder(stack)
            head = await self._train(state, run)
            verdict = await self._judge(state, run, champion, head)
            name = await self._register(state, registry, run)
            status = STATUS_OF[str(verdict["verdict"])]
            if status == "promoted":
                reason = f"run {run.run_id}: {verdict['reason']}"
                live = await go_live(
                    *(self._settings, registry.state, name, reason), shares=self._shares, dataset_hash=run.dataset_hash
                )
                status = live.status
            save_step(state, run.run_id, "promote", {"status": status})
            end_run(state, run.run_id, status, artefact=name, seconds=self._seconds(), peak_mb=peak_mb())
        except ShopfloorError as error:
            end_run(state, run.run_id, "failed", error=error.detail, seconds=self._seconds(), peak_mb=peak_mb())
            raise
        done = latest_of(state, run.run_id)
        return self._result(state, done)

    # Steps ------------------------------------------------------------------------------------------------------------

    async def _train(self, state: sqlite3.Connection, run: Run) -> LinearHead:
        folder = self._folder(run.run_id) / "head"
        if read_step(state, run.run_id, "train") is not None:
            return await asyncio.to_thread(LinearHead.load, folder)
        lessons = read_lessons(self._settings.data / "datasets" / run.dataset_hash / ROWS_FILE)
        self._say(f"training on {len(lessons)} rows")
        base = await self._base_head()
        rehearsed = await self._rehearsed(base)
        head = await fit(lessons, base, self._encoder, run.dataset_hash, seed=run.seed, rehearsed=rehearsed)
        await asyncio.to_thread(head.save, folder)
        save_step(
            state, run.run_id, "train", {"weights": head.hash, "rows": len(lessons), "metrics": head.card.metrics}
        )
        return head

    async def _judge(
        self, state: sqlite3.Connection, run: Run, champion: LinearHead, head: LinearHead
    ) -> dict[str, Any]:
        known = read_step(state, run.run_id, "gate")
        if known is not None:
            return known
        self._say("comparing with what serves")
        gate = await RoutingGate.open(self._encoder, self._settings.models_path, routing_cases(state))
        judgement = await asyncio.to_thread(gate.judge, champion, head)
        await asyncio.to_thread(write_report, self._folder(run.run_id) / "gate", judgement)
        verdict = judgement.to_json()
        save_step(state, run.run_id, "gate", verdict)
        return verdict

    async def _register(self, state: sqlite3.Connection, registry: Registry, run: Run) -> str:
        known = read_step(state, run.run_id, "register")
        if known is not None:
            return str(known["artefact"])
        folder = self._folder(run.run_id) / "head"
        head = await asyncio.to_thread(LinearHead.load, folder)
        card = json.loads((self._settings.data / "datasets" / run.dataset_hash / "card.json").read_text("utf-8"))
        manifest = Manifest(
            agent=AGENT,
            kind=KIND,
            source_hash=await asyncio.to_thread(self._source_hash),
            parent=None,
            licence=LICENCE,
            dataset_hash=run.dataset_hash,
            feedback=tuple(card["feedback_ids"]),
            recipe={**run.recipe, "seed": run.seed, "run_id": run.run_id},
            metrics=head.card.metrics,
        )
        files = {WEIGHTS_FILE: folder / WEIGHTS_FILE, CARD_FILE: folder / CARD_FILE}
        name = await registry.add(manifest, files, reason=f"run {run.run_id}")
        save_step(state, run.run_id, "register", {"artefact": name})
        return name

    # What the steps need ----------------------------------------------------------------------------------------------

    async def _champion(self, registry: Registry) -> LinearHead:
        """What serves now."""
        found = await registry.champion(AGENT, KIND)
        if found is not None:
            return await asyncio.to_thread(LinearHead.load, found.folder)
        if self._base is not None:
            return self._base
        return (await asyncio.to_thread(LocalRouter.open, self._settings, None)).head

    async def _base_head(self) -> LinearHead:
        """What learning starts from: with its hidden part only where its encoder is here."""
        base = self._base or await asyncio.to_thread(shipped_head)
        if self._encoder is None or base.card.encoder_hash != self._encoder.hash:
            return base.text_twin()
        return base

    async def _rehearsed(self, base: LinearHead) -> "Rehearsed | None":
        """What the shipped head learned from; another base has other teachers."""
        if self._base is not None:
            return None
        rows = rehearsal_rows()
        hidden = np.zeros((len(rows), 0), np.float32)
        if self._encoder is not None and base.card.encoder_width:
            cache = VectorCache(self._settings.models_path, self._encoder)
            hidden = await cache.embed([shorten(row.text) for row in rows])
        return Rehearsed(rows, hidden)

    async def _open_encoder(self, stack: AsyncExitStack) -> None:
        if self._encoder is not None:
            return
        try:
            encoder = await open_encoder(self._settings)
        except ModelError:
            # Without its model the service routes by words alone: then that is what is trained and judged.
            self._encoder = None
            return
        stack.push_async_callback(encoder.close)
        self._encoder = encoder

    def _source_hash(self) -> str:
        if self._encoder is None:
            return ""
        return open_model_file(find_model(self._settings), self._settings.models_path).sha256

    def _unfinished(self, state: sqlite3.Connection, champion: LinearHead) -> Run | None:
        """The latest run that a killed process left; one that was up against another champion is given up."""
        for run in latest_runs(state, AGENT):
            if run.status != "running":
                continue
            there = (self._settings.data / "datasets" / run.dataset_hash / ROWS_FILE).is_file()
            # Killed between promotion and its record: the champion is then the run's own head.
            own = (read_step(state, run.run_id, "train") or {}).get("weights")
            if there and champion.hash in {run.champion, own}:
                return run
            end_run(state, run.run_id, "failed", error="What it was to beat, or learn from, is no longer there.")
        return None

    def _new_run(self, built: Built, champion: LinearHead) -> Run:
        rehearsed = 0 if self._base is not None else REHEARSED_ROWS
        recipe = cast("dict[str, Any]", {"method": "head", "rehearsed": rehearsed, **asdict(ADAPTING)})
        key = compact([AGENT, built.hash, champion.hash, recipe, self._seed])
        return Run(
            run_id=hashlib.sha256(key.encode()).hexdigest()[:16],
            agent=AGENT,
            dataset_hash=built.hash,
            champion=champion.hash,
            recipe=recipe,
            seed=self._seed,
            started_by=self._started_by,
            status="running",
            artefact=None,
            error=None,
            seconds=None,
            peak_mb=None,
            started_at=now(),
            finished_at=None,
        )

    def _folder(self, run_id: str) -> Path:
        return self._settings.data / "runs" / run_id

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 2)

    def _nothing(self, built: Built) -> TrainResult:
        return TrainResult(
            None, "nothing_to_learn", None, self._seconds(), peak_mb(), None, built.hash, built.counts["train"]
        )

    def _result(self, state: sqlite3.Connection, run: Run) -> TrainResult:
        gate = read_step(state, run.run_id, "gate")
        trained = read_step(state, run.run_id, "train") or {"rows": 0}
        return TrainResult(
            run_id=run.run_id,
            status=run.status,
            artefact=run.artefact,
            seconds=run.seconds or self._seconds(),
            peak_mb=run.peak_mb or peak_mb(),
            gate=gate,
            dataset=run.dataset_hash,
            rows=int(trained["rows"]),
            report=str(self._folder(run.run_id) / "gate" / "report.md"),
        )


def _silent(_text: str) -> None:
    """Nobody listens."""


def latest_of(state: sqlite3.Connection, run_id: str) -> Run:
    """A run as it stands, which must be there."""
    found = read_run(state, run_id)
    assert found is not None
    return found


def peak_mb() -> float:
    """Most memory this process has held, in MB."""
    if sys.platform == "win32":
        import psutil

        return round(psutil.Process().memory_info().peak_wset / 1024**2, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)
