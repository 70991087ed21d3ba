"""Starts ``shopfloor train`` by itself when enough new feedback is there: a process of its own, never two at once.

The service only counts and starts; it imports nothing of training. A training that is stopped with the service goes on
at the next start, because every step of it is recorded.
"""

import asyncio
import contextlib
import importlib.util
import os
import sqlite3
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from shopfloor.errors import InputError, StoreError
from shopfloor.observability import get_logger
from shopfloor.settings import Settings
from shopfloor.store.database import connect
from shopfloor.store.loop import learned_until, usable_since
from shopfloor.store.rollouts import cooling, running

log = get_logger("shopfloor.training")

AGENT = "router"
KIND = "head"
LOOK_EVERY_S = 30.0
STOP_S = 10.0
COMMAND = (sys.executable, "-m", "shopfloor", "train", "--agent", AGENT, "--json")
BY_ITSELF = "--automatic"
BY_HAND = "--low-priority"


class TrainingRefusedError(InputError):
    """A training can't be started or stopped now."""

    code = "training_refused"
    status = 409


@dataclass(frozen=True, slots=True)
class _Look:
    """So many usable reactions, counted since the run that learned last (when it began; empty: there was none)."""

    since: str
    count: int


class TrainingWatch:
    """Watches one data folder.

    Args:
        settings: how many reactions start a training, and when none may start.
        look_every_s: seconds between two looks.
        command: what is started; empty: ``shopfloor train``.
    """

    def __init__(
        self, settings: Settings, *, look_every_s: float = LOOK_EVERY_S, command: Sequence[str] = COMMAND
    ) -> None:
        self._settings = settings
        self._look_every_s = look_every_s
        self._command = tuple(command)
        self._tried = _Look("", 0)
        self._training: asyncio.Task[None] | None = None
        self._stopped = False
        self.started = 0

    @property
    def possible(self) -> bool:
        """Whether what training needs is installed."""
        return importlib.util.find_spec("scipy") is not None

    @property
    def busy(self) -> bool:
        """Whether this service's training is under way."""
        return self._training is not None and not self._training.done()

    @property
    def waits_for(self) -> str:
        """What an automatic training waits for, in a sentence: a trial that is on, or the time after one went wrong."""
        settings = self._settings
        if not settings.state_path.is_file():
            return ""
        try:
            with closing(connect(settings.state_path, read_only=True)) as state:
                if any((trial.agent, trial.kind) == (AGENT, KIND) for trial in running(state)):
                    return "One is being tried on a share of the users; the next training waits for it."
                cool = cooling(state, AGENT, KIND, settings.rollout_cooldown_hours)
        except (StoreError, sqlite3.OperationalError):  # damaged, or of an older version still
            return ""
        return f"One was taken back; trainings start by themselves again after {cool.until}." if cool else ""

    @property
    def stopped(self) -> str:
        """That the last training was stopped by hand, in a sentence; empty where it was not."""
        if not self._stopped or self.busy:
            return ""
        more = self._settings.train_every
        later = f", or by itself after {more} more reactions" if self._settings.train_automatically else ""
        return f"The last one was stopped. It goes on where it was with Train now{later}."

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Watch while the block runs; a training under way is stopped with it."""
        watching = self._settings.train_automatically and self.possible
        task = asyncio.create_task(self._watch()) if watching else None
        try:
            yield
        finally:
            await _cancel(task)
            await _cancel(self._training)

    def train_now(self) -> None:
        """Start a training, whatever the hour and however little feedback there is.

        Raises:
            TrainingRefusedError: one is running, or what it needs is not installed.
        """
        if self.busy:
            raise TrainingRefusedError("A training is running already; wait for it, or stop it first.")
        if not self.possible:
            raise TrainingRefusedError("Training needs SciPy: pip install 'shopfloor[learn]', then start again.")
        self._training = asyncio.create_task(self._train(0, BY_HAND))

    async def stop_training(self) -> None:
        """Stop the training under way; the next one goes on behind its last finished step or checkpoint.

        None starts by itself before there are as many new reactions as for any other.

        Raises:
            TrainingRefusedError: none is running.
        """
        if not self.busy:
            raise TrainingRefusedError("No training of this service is running.")
        self._tried = await asyncio.to_thread(self._look)
        self._stopped = True
        await _cancel(self._training)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            look = await asyncio.to_thread(self._look)
            tried_at = self._tried.count if self._tried.since == look.since else 0
            if is_due(look.count, tried_at, self._settings.train_every) and await asyncio.to_thread(self._may_start):
                self._tried = look
                if not self.busy:
                    self._training = asyncio.create_task(self._train(look.count, BY_ITSELF))
                if self._training is not None:
                    await asyncio.wait([self._training])

    def _look(self) -> "_Look":
        if not self._settings.state_path.is_file():
            return _Look("", 0)
        try:
            with closing(connect(self._settings.state_path, read_only=True)) as state:
                return _Look(learned_until(state, AGENT), usable_since(state, AGENT))
        except StoreError as error:
            log.warning("feedback_not_counted", detail=error.detail)
            return _Look("", 0)

    def _may_start(self) -> bool:
        if self.waits_for:
            return False
        return not is_quiet(self._settings.train_quiet_hours, datetime.now().hour) and not on_battery()  # noqa: DTZ005

    async def _train(self, count: int, how: str) -> None:
        log.info("training_started", reactions=count, how=how)
        self.started += 1
        self._stopped = False
        environment = {
            **os.environ,
            "SHOPFLOOR_DATA": str(self._settings.data.absolute()),
            "SHOPFLOOR_MODELS": str(self._settings.models_path.absolute()),
        }
        shop: Path | None = self._settings.shop
        if shop is not None:
            environment["SHOPFLOOR_SHOP"] = str(shop.absolute())
        process = await asyncio.create_subprocess_exec(
            *self._command,
            how,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            await _stop(process)
            raise
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            log.warning("training_failed", code=process.returncode, detail=lines[-1] if lines else "")
        else:
            log.info("training_ended")


def is_due(count: int, tried_at: int, every: int) -> bool:
    """Whether ``count`` new reactions start a training; after one that changed nothing, ``every`` more are needed."""
    return count >= tried_at + every


def is_quiet(hours: str, hour: int) -> bool:
    """Whether ``hour`` lies in hours such as "9-18" or "22-6" (the last one no longer in); empty: never."""
    if not hours:
        return False
    start, end = (int(part) for part in hours.split("-"))
    return start <= hour < end if start <= end else hour >= start or hour < end


def on_battery() -> bool:
    """Whether the machine runs on its battery; False where it has none."""
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery is not None and battery.power_plugged is False


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the process and whatever it has started: a trainer alone would go on until its next step."""
    below = _below(process.pid)
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    _kill(below)  # before waiting: they may hold the pipe whose end is waited for
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        below = _below(process.pid)
        process.kill()
        _kill(below)
        await process.wait()


def _below(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it knows its process by the moment it began, too
            process.kill()
