"""Runs a training from the service's environment: the base in the trainer's format, the worker, and how far it is."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shopfloor.errors import ModelError
from shopfloor.finetune.lora.environment import TrainingFailedError, run_module
from shopfloor.finetune.lora.job import SAID, Failed, Finished, Progress, TrainJob
from shopfloor.finetune.lora.prepare import Prepared, PrepareRequest
from shopfloor.local_models.locking import write_atomically
from shopfloor.store.traces import now

WRITE_EVERY_S = 1.0
WORKER = "shopfloor.finetune.lora.worker"
PROGRESS_FILE = "progress.json"
"""In the run's folder while it trains: step, steps, eta_s, loss, memory_mb, paused, at."""

Heard = Callable[[Progress, float], None]
"""Hears every step, and the seconds that are left, about."""


async def plain_base(python: Path, model: Path, models: Path, work: Path) -> Path:
    """The model in transformers' format; made once, which takes a minute.

    Args:
        python: the trainer's.
        model: the GGUF file.
        models: where derived files are kept.
        work: a folder for what passes between the processes.

    Raises:
        ModelError: it can't be made.
        TrainingFailedError: the process broke.
    """
    work.mkdir(parents=True, exist_ok=True)
    request = work / "prepare.json"
    request.write_text(PrepareRequest(model=model.absolute(), models=models.absolute()).model_dump_json(), "utf-8")
    last = ""
    async for line in run_module(python, "shopfloor.finetune.lora.prepare", request):
        last = line
    found = Prepared.model_validate_json(last) if last.startswith("{") else Prepared(reason="it said nothing")
    if found.folder is None:
        raise ModelError(f"the base can't be made ready for training ({found.reason})")
    return found.folder


async def train_lora(
    python: Path,
    job: TrainJob,
    heard: Heard,
    module: str = WORKER,
    variables: Mapping[str, str] | None = None,
) -> Finished:
    """Train, or go on where a killed run was.

    Args:
        python: the trainer's.
        job: what to do.
        heard: hears every step.
        module: the trainer's process; ours, or another of ``finetune/trainers``.
        variables: what that one needs in the environment.

    Raises:
        TrainingFailedError: it failed, or passed its memory limit; what it had learned up to its checkpoint is kept.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    path = job.folder / "job.json"
    path.write_text(job.model_dump_json(), encoding="utf-8")
    written = 0.0
    async for line in run_module(python, module, path, variables):
        said = SAID.validate_json(line)
        if isinstance(said, Finished):
            (job.folder / PROGRESS_FILE).unlink(missing_ok=True)
            return said
        if isinstance(said, Failed):
            raise TrainingFailedError(f"The training ended: {said.reason}")
        left = seconds_left(said)
        heard(said, left)
        if time.monotonic() - written > WRITE_EVERY_S:
            written = time.monotonic()
            shown = {**said.model_dump(exclude={"kind"}), "eta_s": round(left), "at": now()}
            write_atomically(job.folder / PROGRESS_FILE, json.dumps(shown).encode())
    raise TrainingFailedError("The training process ended without a word.")


def seconds_left(said: Progress) -> float:
    """By the pace so far."""
    return (said.steps - said.step) * said.seconds / said.step if said.step else 0.0
