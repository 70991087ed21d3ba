"""How far a library's own trainer is, kept and printed; the lines are those of ``finetune/lora/process.py``."""

import time
from typing import Any

import psutil

from shopfloor.errors import ShopfloorError
from shopfloor.finetune.lora.job import Finished, Progress, TrainJob
from shopfloor.finetune.lora.process import MB, check_memory, say, wait_while_paused
from shopfloor.local_models.libraries import library


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
        self._peak_mb = max(self._peak_mb, check_memory(self._job, self._process))
        self._paused = self._job.pause_file.exists()
        self._began += wait_while_paused(self._job, self._say)

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
            memory_mb=max(self._peak_mb, self._process.memory_info().rss / MB),
            tokens=tokens,
        )

    def _say(self) -> None:
        say(
            Progress(
                step=self._at[0],
                steps=self._at[1],
                loss=self._losses[-1] if self._losses else 0.0,
                seconds=time.monotonic() - self._began,
                memory_mb=max(self._peak_mb, self._process.memory_info().rss / MB),
                paused=self._paused,
            )
        )


def needed(name: str, environment: str) -> Any:
    """Import a library of a trainer's environment. Its types are unknown here, where it is not installed.

    Raises:
        ConfigError: it is not installed, or this machine lacks what it needs.
    """
    return library(name, "training", f"run `shopfloor train --install {environment}`")
