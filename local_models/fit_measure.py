"""Measures one model file: memory and speed. ``python -m shopfloor.local_models.fit_measure`` reads a job as JSON.

A measurement runs in a process of its own, so that its memory is its own. It is the service's way of loading: the same
library, options and slots.
"""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from shopfloor.errors import ModelError
from shopfloor.local_models.llama_server import SPIN_COUNT, Flash, KvType, LlamaServer, ServerOptions

TIMEOUT_S = 600
FILLER = "a"  # in the made-up vocabularies a letter is a token


@dataclass(frozen=True, slots=True)
class Job:
    """What to measure: a file and how to load it.

    ``prompt`` and ``answer`` in tokens; no further round begins after ``limit_s`` seconds; ``fill``: use every slot whole.
    """

    path: str
    context: int
    slots: int
    threads: int
    batch: int = 256
    kv: KvType = "f16"
    flash: Flash = "auto"
    copied: bool = False
    prompt: int = 256
    answer: int = 24
    rounds: int = 3
    limit_s: float = 600
    fill: bool = True

    def options(self) -> ServerOptions:
        """How the service would load it."""
        return ServerOptions(
            Path(self.path), self.context, self.slots, self.threads, self.batch, None, self.kv, self.flash, self.copied
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found. Memory in bytes, above that of the empty process (``base``); speeds in tokens a second.

    ``prompt_speeds`` and ``answer_speeds`` are of each round.
    """

    base: int
    loaded: int
    filled: int
    load_s: float
    prompt_speeds: tuple[float, ...]
    answer_speeds: tuple[float, ...]

    @property
    def prompt_speed(self) -> float:
        """The best round: what other programs took is not the model's."""
        return max(self.prompt_speeds)

    @property
    def answer_speed(self) -> float:
        """The best round."""
        return max(self.answer_speeds)


def measure_apart(job: Job) -> Measured:
    """Measure in a process of its own (blocking).

    Raises:
        ModelError: the file can't be loaded, or the process was ended, e.g. for want of memory.
    """
    command = [sys.executable, "-m", "shopfloor.local_models.fit_measure"]
    done = subprocess.run(
        command,
        input=json.dumps(asdict(job)),
        env={"GOMP_SPINCOUNT": SPIN_COUNT, **os.environ},  # read when the library is loaded
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = done.stderr.strip().splitlines()
        raise ModelError(f"{job.path} can't be measured ({said[-1] if said else f'status {done.returncode}'})")
    found = json.loads(lines[-1])
    found["prompt_speeds"], found["answer_speeds"] = tuple(found["prompt_speeds"]), tuple(found["answer_speeds"])
    return Measured(**found)


def measure(job: Job) -> Measured:
    """Measure in this process (blocking)."""
    import xllamacpp  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the library is part of the empty process

    base = _memory()
    started = time.perf_counter()
    server = LlamaServer(job.options())
    load_s = time.perf_counter() - started
    loaded = _memory() - base
    try:
        pairs = _rounds(server, job)
        if job.fill:
            _fill(server, job)
        filled = _memory() - base
    finally:
        server.close()
    return Measured(
        base, loaded, filled, load_s, tuple(prompt for prompt, _ in pairs), tuple(answer for _, answer in pairs)
    )


def _rounds(server: LlamaServer, job: Job) -> list[tuple[float, float]]:
    """The speeds of each round; the first is made whatever it takes."""
    until = time.perf_counter() + job.limit_s
    pairs = [_speeds(server, job, 0)]
    while len(pairs) < job.rounds and time.perf_counter() < until:
        pairs.append(_speeds(server, job, len(pairs)))
    return pairs


def _speeds(server: LlamaServer, job: Job, number: int) -> tuple[float, float]:
    """Tokens a second of a fresh prompt, and of the answer to it."""
    body = {
        "prompt": chr(ord("b") + number % 20) + FILLER * (job.prompt - 2),
        "n_predict": job.answer,
        "cache_prompt": False,
        "temperature": 0.0,
        "ignore_eos": True,
        "id_slot": 0,
    }
    timings = server.complete(body)["timings"]
    return float(timings["prompt_per_second"]), float(timings["predicted_per_second"])


def _fill(server: LlamaServer, job: Job) -> None:
    """Use every slot's whole context at once, as a busy service does."""

    def one(slot: int) -> None:
        server.complete({"prompt": FILLER * (job.context - 16), "n_predict": 2, "cache_prompt": False, "id_slot": slot})

    threads = [threading.Thread(target=one, args=(slot,)) for slot in range(job.slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _memory() -> int:
    return psutil.Process().memory_info().rss


def main() -> None:
    """Entry of the process."""
    job = Job(**json.load(sys.stdin))
    print(json.dumps(asdict(measure(job))), flush=True)


if __name__ == "__main__":
    main()
