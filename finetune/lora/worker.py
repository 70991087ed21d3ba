"""The training process: ``python -m shopfloor.finetune.lora.worker JOB.json``; prints one JSON line a step.

It runs at low priority, writes a checkpoint now and then, waits while the run's ``pause`` file exists, and ends by itself
when its memory passes the job's limit, or when the process that started it is gone (``process.py`` has its exit codes).
"""

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import psutil

from shopfloor.errors import ShopfloorError
from shopfloor.finetune.lora import checkpoint
from shopfloor.finetune.lora.batches import Dataset, order, read_at_once, tokenise
from shopfloor.finetune.lora.checkpoint import RunState
from shopfloor.finetune.lora.job import Finished, Progress, TrainJob, read_examples
from shopfloor.finetune.lora.network import Network
from shopfloor.finetune.lora.process import check_memory, fingerprint, put_in_place, run, say, wait_while_paused
from shopfloor.local_models.hf_files import library


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
        self._fingerprint = fingerprint(job)
        self._state = checkpoint.load(
            job.folder, self._fingerprint, self._network.weights, self._optimiser
        ) or RunState(step=0, losses=[], tokens=0, seconds=0, fingerprint=self._fingerprint)
        self._load_seconds = time.monotonic() - began

    def go(self) -> Finished:
        began = time.monotonic() - self._state.seconds
        while self._state.step < len(self._batches):
            paused = wait_while_paused(self._job, lambda: self._say(True))
            began += paused
            self._learn(self._batches[self._state.step])
            self._state.seconds = time.monotonic() - began
            self._say(paused > 0)
            if self._state.step % self._job.checkpoint_every == 0 and self._state.step < len(self._batches):
                checkpoint.save(self._job.folder, self._state, self._network.weights, self._optimiser)
        put_in_place(self._job, self._network.save)
        checkpoint.remove(self._job.folder)
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
        rate = recipe.learning_rate * schedule(self._state.step, len(self._batches), recipe.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        rows = [self._data.rows[number] for number in numbers]
        whole, value = sum(row.weight * row.answer for row in rows), 0.0
        for part in read_at_once(rows, recipe.together):
            loss = self._network.loss(part) / whole
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
        self._peak_mb = max(self._peak_mb, check_memory(self._job, self._process))

    def _say(self, paused: bool) -> None:
        say(
            Progress(
                step=self._state.step,
                steps=len(self._batches),
                loss=self._state.losses[-1] if self._state.losses else 0.0,
                seconds=self._state.seconds,
                memory_mb=self._peak_mb,
                paused=paused,
            )
        )


def schedule(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine to nothing; a share of the recipe's rate."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return 0.5 * (1 + math.cos(math.pi * done))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job."""
    return run(lambda job: _Run(job).go(), arguments)


if __name__ == "__main__":
    sys.exit(main())
