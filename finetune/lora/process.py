"""What every trainer's process does beside training: says how far it is, waits when asked to, minds its memory.

Exit codes: 0 finished, 1 failed, 74 abandoned (whoever started it is gone), 75 (try again) over the memory limit. The lines
go to standard output; what libraries print goes to standard error.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

import psutil

from shopfloor.errors import ShopfloorError
from shopfloor.finetune.lora.job import Failed, Finished, Progress, TrainJob

NICENESS = 10
PAUSE_S = 0.05
SAY_EVERY_S = 5.0
OVER_MEMORY = 75
ABANDONED = 74
MB = 1e6

_LINES: "ContextVar[TextIO | None]" = ContextVar("shopfloor_trainer_lines", default=None)


class OverMemoryError(ShopfloorError):
    """The run needs more memory than it may have."""


def check_memory(job: TrainJob, process: psutil.Process) -> float:
    """Resident memory in MB.

    Raises:
        OverMemoryError: it has grown over the job's limit.
    """
    used = process.memory_info().rss / MB
    if 0 < job.memory_limit_mb < used:
        raise OverMemoryError(
            f"training reached {used:.0f} MB, its limit is {job.memory_limit_mb:.0f} MB: "
            "lower the batch, or set checkpointing"
        )
    return used


def wait_while_paused(job: TrainJob, say_paused: Callable[[], None]) -> float:
    """Wait while the pause file is there; returns the seconds, 0 where it is not."""
    if not job.pause_file.exists():
        return 0.0
    began = said = time.monotonic()
    while job.pause_file.exists():
        time.sleep(PAUSE_S)
        if time.monotonic() - said > SAY_EVERY_S:  # also finds out whether anybody still listens
            said = time.monotonic()
            say_paused()
    return time.monotonic() - began


def fingerprint(job: TrainJob) -> str:
    """Names what is learned from what: a checkpoint of another run is never taken up."""
    said = job.model_dump_json(
        include={"recipe", "labels", "base", "objective", "beta", "chat"},
        exclude={"recipe": {"together"}},  # decides memory, not what is learned
    )
    return hashlib.sha256(said.encode() + job.examples.read_bytes()).hexdigest()


def put_in_place(job: TrainJob, save: Callable[[Path], object]) -> None:
    """Write the adapter whole or not at all."""
    part = job.folder / "adapter.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save(part)
    shutil.rmtree(job.adapter, ignore_errors=True)
    os.replace(part, job.adapter)


def say(said: Progress | Finished | Failed) -> None:
    """Print one line of the protocol."""
    print(said.model_dump_json(), file=_LINES.get() or sys.stdout, flush=True)


def run(work: Callable[[TrainJob], Finished], arguments: Sequence[str] | None = None) -> int:
    """Do one job at low priority and say how it ended; returns the exit code."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    before = _LINES.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            say(work(TrainJob.model_validate_json(Path(path).read_text(encoding="utf-8"))))
    except OverMemoryError as error:
        say(Failed(reason=str(error)))
        return OVER_MEMORY
    except BrokenPipeError:  # it goes on at its checkpoint
        return ABANDONED
    except (ShopfloorError, OSError) as error:
        say(Failed(reason=str(error)))
        return 1
    finally:
        _LINES.reset(before)
    return 0
