"""What every trainer's process does beside training: says how far it is, waits when asked to, minds its memory.

The lines are those of our own trainer (``finetune/lora/job.py``). What libraries print goes to stderr.
"""

import hashlib
import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from shopfloor.errors import ConfigError, ShopfloorError
from shopfloor.finetune.lora.job import Failed, Finished, Progress, TrainJob

NICENESS = 10
PAUSE_S = 0.05
SAY_EVERY_S = 5.0
OVER_MEMORY = 75
ABANDONED = 74
MIB = 1e6


class OverMemoryError(ShopfloorError):
    """The run needs more memory than it may have."""


class Teller:
    """Keeps the figures of one run and prints them."""

    def __init__(self, job: TrainJob) -> None:
        self._job = job
        self._process = psutil.Process()
        self._born = time.monotonic()
        self._began = self._born
        self._paused = False
        self._at = (0, 0)
        self._losses: list[float] = []
        self._peak_mb = 0.0

    def begin(self) -> None:
        """The model and the data are there; the first step begins."""
        self._began = time.monotonic()

    def between_steps(self) -> None:
        """Wait while the pause file is there.

        Raises:
            OverMemoryError: the process has grown over its limit.
        """
        used = self._process.memory_info().rss / MIB
        self._peak_mb = max(self._peak_mb, used)
        if 0 < self._job.memory_limit_mb < used:
            raise OverMemoryError(
                f"training reached {used:.0f} MB, its limit is {self._job.memory_limit_mb:.0f} MB: "
                "lower the batch, or set checkpointing"
            )
        began = said = time.monotonic()
        self._paused = self._job.pause_file.exists()
        while self._job.pause_file.exists():
            time.sleep(PAUSE_S)
            if time.monotonic() - said > SAY_EVERY_S:  # also finds out whether anybody still listens
                said = time.monotonic()
                self._say()
        self._began += time.monotonic() - began if self._paused else 0.0

    def step(self, number: int, steps: int, loss: float) -> None:
        """Print one step."""
        self._losses.append(loss)
        self._at = (number, steps)
        self._say()

    def finished(self, steps: int, examples: int, left_out: int, tokens: int) -> Finished:
        """The last line."""
        tail = self._losses[-max(1, len(self._losses) // 10) :]
        if not tail:
            raise ShopfloorError("the trainer took no step: give it more rows or epochs")
        return Finished(
            steps=steps,
            examples=examples,
            left_out=left_out,
            loss=sum(tail) / len(tail),
            seconds=time.monotonic() - self._began,
            load_seconds=self._began - self._born,
            memory_mb=max(self._peak_mb, self._process.memory_info().rss / MIB),
            tokens=tokens,
        )

    def _say(self) -> None:
        say(
            Progress(
                step=self._at[0],
                steps=self._at[1],
                loss=self._losses[-1] if self._losses else 0.0,
                seconds=time.monotonic() - self._began,
                memory_mb=max(self._peak_mb, self._process.memory_info().rss / MIB),
                paused=self._paused,
            )
        )


def fingerprint(job: TrainJob) -> str:
    """Names what is learned from what: a checkpoint of another run is never taken up."""
    said = job.model_dump_json(include={"recipe", "labels", "base", "objective", "beta", "chat"})
    return hashlib.sha256(said.encode() + job.examples.read_bytes()).hexdigest()


def put_in_place(job: TrainJob, save: Callable[[Path], object]) -> None:
    """Write the adapter whole or not at all."""
    part = job.folder / "adapter.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save(part)
    shutil.rmtree(job.adapter, ignore_errors=True)
    os.replace(part, job.adapter)


_lines = sys.stdout


def needed(name: str, environment: str) -> Any:
    """Import a library of a trainer's environment. Its types are unknown here, where it is not installed.

    Raises:
        ConfigError: it is not installed, or this machine lacks what it needs.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigError(
            f"training needs the library {name} ({error}): run `shopfloor train --install {environment}`"
        ) from error


def say(said: Progress | Finished | Failed) -> None:
    """Print one line of the protocol."""
    print(said.model_dump_json(), file=_lines, flush=True)


def run(work: Callable[[TrainJob], Finished], arguments: Sequence[str] | None = None) -> int:
    """Do one job; exit codes 0 finished, 1 failed, 74 abandoned, 75 (try again) over the memory limit."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    sys.stdout = sys.stderr
    try:
        say(work(TrainJob.model_validate_json(Path(path).read_text(encoding="utf-8"))))
    except OverMemoryError as error:
        say(Failed(reason=str(error)))
        return OVER_MEMORY
    except BrokenPipeError:  # whoever started it is gone; it goes on at its checkpoint
        return ABANDONED
    except (ShopfloorError, OSError) as error:
        say(Failed(reason=str(error)))
        return 1
    return 0
