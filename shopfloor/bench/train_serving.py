"""What a training costs those who are served meanwhile, and what they cost it.

An open loop: messages come as a Poisson process, whether or not the ones before are answered, at a share of what the
service can answer at most; a latency counts from the moment the message was due, so that waiting is not left out.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import httpx
import numpy as np

from shopfloor.bench.report import Row, against
from shopfloor.bench.service import chat_once, concurrent_chats, served
from shopfloor.bench.training import RECIPE, write_rows
from shopfloor.errors import ShopfloorError
from shopfloor.finetune.lora.job import Finished, TrainJob
from shopfloor.finetune.lora.training import plain_base
from shopfloor.finetune.trainers.install import python_of
from shopfloor.finetune.trainers.running import TRAINERS, start
from shopfloor.local_models.files import find_model
from shopfloor.settings import Settings

UTILISATIONS = (0.2, 0.8)
QUIET_S = 60.0
CLIENTS = 4
CALIBRATE = 160
SAMPLES = 100
EPOCHS = 4.0
DRAWS = 1000
HELLOS = ("", "hi, ", "hello, ", "good morning, ", "hey there, ", "excuse me, ", "dear shop, ", "quick one: ")
MOODS = ("", "in a hurry: ", "first time here, ", "back again: ", "no rush, ")
GOODBYES = ("", " thanks", " please", " thank you", " cheers", " many thanks", " if you can", " best regards")


@dataclass(slots=True)
class Load:
    """What the clients met: latencies in milliseconds, and how many were not answered."""

    latencies: list[float] = field(default_factory=list[float])
    failed: int = 0


@dataclass(slots=True)
class Trained:
    """A training under way: when each step ended (seconds), and whether it came to its end."""

    steps: list[float] = field(default_factory=list[float])
    finished: bool = False

    @property
    def speed(self) -> float:
        """Steps a second behind the first."""
        if len(self.steps) < 2:
            return 0.0
        return (len(self.steps) - 1) / (self.steps[-1] - self.steps[0])


class Texts:
    """Messages that no one sent before: greetings around the workload's."""

    def __init__(self, texts: Sequence[str]) -> None:
        around = product(texts, HELLOS, MOODS, GOODBYES)
        worded = [f"{hello}{mood}{text}{goodbye}" for text, hello, mood, goodbye in around]
        random.Random(1).shuffle(worded)
        self._worded: Iterator[str] = iter(worded)

    def take(self) -> str:
        """The next one.

        Raises:
            ShopfloorError: all were sent.
        """
        try:
            return next(self._worded)
        except StopIteration:
            raise ShopfloorError("The benchmark ran out of messages: give it more --requests.") from None


async def train_serving_rows(
    settings: Settings, folder: Path, environment: dict[str, str], texts: Sequence[str]
) -> list[Row]:
    """Every row of this module (about ten minutes). ``folder`` is the benchmark's own.

    Raises:
        ConfigError: the trainers' environment was not made.
        ModelError: the base can't be made ready.
    """
    folder.mkdir(parents=True, exist_ok=True)
    base = await plain_base(python_of("hf"), find_model(settings), settings.models_path, folder / "base")
    examples, _ = await asyncio.to_thread(write_rows, folder, SAMPLES)
    recipe = RECIPE.model_copy(update={"epochs": EPOCHS})

    def job(name: str) -> TrainJob:
        return TrainJob(base=base, examples=examples, folder=folder / name, recipe=recipe)

    words = Texts(texts)
    async with served(folder / "service", environment) as (url, process, _):
        asking = [words.take() for _ in range(CALIBRATE)]
        await concurrent_chats(url, process, asking[: CALIBRATE // 4], CLIENTS)
        _, seconds, _ = await concurrent_chats(url, process, asking[CALIBRATE // 4 :], CLIENTS)
        most = (CALIBRATE - CALIBRATE // 4) / seconds
        rows = [Row(id="serving_most_per_s", value=round(most, 1), unit="1/s", n=CALIBRATE - CALIBRATE // 4)]
        async with _training(job("alone")) as (alone, ended):
            await ended()
        for share in UTILISATIONS:
            quiet = await _load(url, words, share * most, seconds=QUIET_S)
            async with _training(job(f"with-{share:g}")) as (trained, ended):
                busy = await _load(url, words, share * most, until=ended)
            rows.extend(_rows(share, quiet, busy, alone, trained))
    return rows


@asynccontextmanager
async def _training(job: TrainJob) -> AsyncGenerator[tuple[Trained, Callable[[], Awaitable[None]]]]:
    """Train while the block runs, which begins after the first step; the function waits for the end."""
    trained, begun = Trained(), asyncio.Event()

    async def work() -> None:
        try:
            async for said in start(TRAINERS["plain"], job):
                trained.steps.append(time.perf_counter())
                trained.finished = isinstance(said, Finished)
                begun.set()
        finally:
            begun.set()

    task = asyncio.create_task(work())

    async def ended() -> None:
        await asyncio.shield(task)

    try:
        await begun.wait()
        yield trained, ended
        await ended()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _load(
    url: str, words: Texts, rate: float, *, seconds: float = 0.0, until: Callable[[], Awaitable[None]] | None = None
) -> Load:
    """Send ``rate`` messages a second for some seconds, or until something has ended."""
    load, chosen, sent = Load(), random.Random(2), set[asyncio.Task[None]]()
    over = asyncio.create_task(asyncio.sleep(seconds) if until is None else _awaited(until))
    due = time.perf_counter()
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=None)) as client:
        while not over.done():
            due += chosen.expovariate(rate)
            await asyncio.wait([over], timeout=max(0.0, due - time.perf_counter()))
            if not over.done():
                sent.add(asyncio.create_task(_ask(client, url, words.take(), due, load)))
        if sent:
            await asyncio.wait(sent)
    await over
    return load


async def _awaited(until: Callable[[], Awaitable[None]]) -> None:
    await until()


async def _ask(client: httpx.AsyncClient, url: str, text: str, due: float, load: Load) -> None:
    try:
        await chat_once(client, url, text, f"bench-{due}")
    except (httpx.HTTPError, ShopfloorError):
        load.failed += 1
    else:
        load.latencies.append((time.perf_counter() - due) * 1000)


def _rows(share: float, quiet: Load, busy: Load, alone: Trained, trained: Trained) -> list[Row]:
    name, count = f"{share * 100:.0f}", len(busy.latencies)
    rows: list[Row] = []
    for level in (50, 95):
        low, value, high = _ratio(busy.latencies, quiet.latencies, level)
        rows.append(
            Row(
                id=f"training_at_{name}_latency_p{level}",
                value=value,
                unit="of untrained",
                target="<= 1.3" if level == 95 else None,
                n=count,
                ci=(low, high),
            )
        )
        row = Row(id=f"training_at_{name}_ms_p{level}", value=_percentile(busy.latencies, level), unit="ms", n=count)
        rows.append(against(row, _percentile(quiet.latencies, level)))
    failed = busy.failed + quiet.failed
    rows.append(Row(id=f"training_at_{name}_failed", value=failed, unit="requests", n=count, target="0"))
    speed = Row(
        id=f"training_at_{name}_steps_per_s",
        value=round(trained.speed, 3),
        unit="1/s",
        n=len(trained.steps),
        target="ratio >= 0.7" if share < 0.5 else None,
    )
    rows.append(against(speed, max(alone.speed, 1e-9)))
    rows.append(Row(id=f"training_at_{name}_finished", value=float(trained.finished), unit="yes = 1", target="1"))
    return rows


def _ratio(busy: Sequence[float], quiet: Sequence[float], level: int) -> tuple[float, float, float]:
    """Low end, value and high end of the ratio of two percentiles (bootstrap, 95 %)."""
    dice = np.random.default_rng(0)
    sides = [np.asarray(side, dtype=np.float64) for side in (busy, quiet)]
    drawn = [np.percentile(dice.choice(side, size=(DRAWS, len(side))), level, axis=1) for side in sides]
    low, high = np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    value = _percentile(busy, level) / _percentile(quiet, level)
    return round(float(low), 2), round(value, 2), round(float(high), 2)


def _percentile(values: Sequence[float], level: int) -> float:
    return round(float(np.percentile(np.asarray(values, dtype=np.float64), level)), 1)
