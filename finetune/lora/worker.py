"""The training process: ``python -m shopfloor.finetune.lora.worker JOB.json``; prints one JSON line a step.

It runs at low priority, writes a checkpoint now and then, waits while the run's ``pause`` file exists, and ends by itself
when its memory passes the job's limit, or when the process that started it is gone. Exit codes: 0 finished, 1 failed, 74
abandoned, 75 (try again) over the memory limit.
"""

import hashlib
import math
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from shopfloor.errors import ShopfloorError
from shopfloor.finetune.lora import checkpoint
from shopfloor.finetune.lora.batches import Dataset, order, tokenise
from shopfloor.finetune.lora.checkpoint import RunState
from shopfloor.finetune.lora.job import Failed, Finished, Progress, TrainJob, read_examples
from shopfloor.finetune.lora.network import Network
from shopfloor.local_models.hf_files import library

NICENESS = 10
PAUSE_S = 0.05
SAY_EVERY_S = 5.0
OVER_MEMORY = 75
ABANDONED = 74


class MemoryPassed(ShopfloorError):
    """The run needs more memory than it may have."""


class _Run:
    def __init__(self, job: TrainJob) -> None:
        began = time.monotonic()
        self._job = job
        self._process = psutil.Process()
        self._peak_mb = 0.0
        self._network = Network(job)
        examples = read_examples(job.examples)
        self._data: Dataset = tokenise(examples, self._network.encode, job.recipe.max_tokens)
        self._batches = order(self._data.rows, job.recipe.batch, job.recipe.epochs, job.recipe.seed)
        self._optimiser: Any = library("torch").optim.AdamW(
            list(self._network.weights.values()), lr=job.recipe.learning_rate, weight_decay=0.0
        )
        self._fingerprint = _fingerprint(job)
        self._state = checkpoint.load(
            job.folder, self._fingerprint, self._network.weights, self._optimiser
        ) or RunState(step=0, losses=[], tokens=0, seconds=0, fingerprint=self._fingerprint)
        self._load_seconds = time.monotonic() - began

    def go(self) -> Finished:
        began = time.monotonic() - self._state.seconds
        while self._state.step < len(self._batches):
            paused = self._wait_while_paused()
            began += paused
            self._learn(self._batches[self._state.step])
            self._state.seconds = time.monotonic() - began
            self._say(paused > 0)
            if self._state.step % self._job.checkpoint_every == 0 and self._state.step < len(self._batches):
                checkpoint.save(self._job.folder, self._state, self._network.weights, self._optimiser)
        self._save()
        tail = self._state.losses[-max(1, len(self._state.losses) // 10) :]
        return Finished(
            steps=self._state.step,
            examples=len(self._data.rows),
            left_out=self._data.left_out,
            loss=sum(tail) / len(tail),
            seconds=self._state.seconds,
            load_seconds=self._load_seconds,
            memory_mb=self._peak_mb,
            tokens=self._state.tokens,
        )

    def _learn(self, numbers: Sequence[int]) -> None:
        torch, recipe = library("torch"), self._job.recipe
        rate = recipe.learning_rate * _schedule(self._state.step, len(self._batches), recipe.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        rows = [self._data.rows[number] for number in numbers]
        whole, value = sum(row.weight * row.answer for row in rows), 0.0
        for start in range(0, len(rows), recipe.together):
            loss = self._network.loss(rows[start : start + recipe.together]) / whole
            loss.backward()
            value += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(list(self._network.weights.values()), recipe.max_grad_norm)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        if not math.isfinite(value):
            raise ShopfloorError(f"the loss became {value} at step {self._state.step + 1}: lower the learning rate")
        self._state.step += 1
        self._state.losses.append(value)
        self._state.tokens += sum(len(row.tokens) for row in rows)
        self._check_memory()

    def _check_memory(self) -> None:
        used = self._process.memory_info().rss / 1e6
        self._peak_mb = max(self._peak_mb, used)
        if 0 < self._job.memory_limit_mb < used:
            raise MemoryPassed(
                f"training reached {used:.0f} MB, its limit is {self._job.memory_limit_mb:.0f} MB: "
                "lower the batch, or set checkpointing"
            )

    def _wait_while_paused(self) -> float:
        began = said = time.monotonic()
        if not self._job.pause_file.exists():
            return 0.0
        while self._job.pause_file.exists():
            time.sleep(PAUSE_S)
            if time.monotonic() - said > SAY_EVERY_S:  # also finds out whether anybody still listens
                said = time.monotonic()
                self._say(True)
        return time.monotonic() - began

    def _say(self, paused: bool) -> None:
        _print(
            Progress(
                step=self._state.step,
                steps=len(self._batches),
                loss=self._state.losses[-1] if self._state.losses else 0.0,
                seconds=self._state.seconds,
                memory_mb=self._peak_mb,
                paused=paused,
            )
        )

    def _save(self) -> None:
        part = self._job.folder / "adapter.part"
        shutil.rmtree(part, ignore_errors=True)
        self._network.save(part)
        shutil.rmtree(self._job.adapter, ignore_errors=True)
        os.replace(part, self._job.adapter)
        checkpoint.remove(self._job.folder)


def _schedule(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine to nothing; a share of the recipe's rate."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return 0.5 * (1 + math.cos(math.pi * done))


def _fingerprint(job: TrainJob) -> str:
    """Names what is learned from what: a checkpoint of another run is never taken up."""
    recipe = job.recipe.model_dump_json(exclude={"together"})  # decides memory, not what is learned
    said = f"{recipe} {job.labels} {job.base}".encode()
    return hashlib.sha256(said + job.examples.read_bytes()).hexdigest()


def _print(said: Progress | Finished | Failed) -> None:
    print(said.model_dump_json(), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    job = TrainJob.model_validate_json(Path(path).read_text(encoding="utf-8"))
    try:
        _print(_Run(job).go())
    except MemoryPassed as error:
        _print(Failed(reason=str(error)))
        return OVER_MEMORY
    except BrokenPipeError:  # whoever started it is gone; it goes on at its checkpoint
        return ABANDONED
    except (ShopfloorError, OSError) as error:
        _print(Failed(reason=str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
