"""What a change of adapters costs those who are being served, and whether anyone is answered by the wrong one.

The adapters (``markers/``, made by ``scripts/make_markers.py``) each answer with one word, so an answer says by itself
which adapter gave it. They are made champion in turn through the registry, as ``shopfloor adapters activate`` does.
"""

import asyncio
import contextlib
import gc
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import psutil

from shopfloor.bench.report import Row, against
from shopfloor.errors import ShopfloorError
from shopfloor.local_models.adapting import held
from shopfloor.local_models.artefact_check import find_files
from shopfloor.local_models.following import Following
from shopfloor.local_models.runtime import GenerateOptions, Message
from shopfloor.local_models.serving import open_serving
from shopfloor.local_models.swapping import SwappingRuntime
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database
from shopfloor.store.migrations import open_state

AGENT = "recommendation"
OTHER = "inventory"
WORDS = ("amber", "birch")
CLIENTS = 8
REQUESTS_EACH = 25  # requests near a swap for each one the command asks for
EVERY_S = 5.0
AFTER_S = 2.0  # calls that begin so long after a drain still count as near it
OPTIONS = GenerateOptions(max_tokens=12, timeout_s=60)
ITEMS = ("rain jacket", "blue tent", "wool sock", "head torch", "red scarf", "bike pump", "steel bottle", "sun hat")
LONG_PRODUCTS = 40
TURNS = 6


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure. ``requests`` are those near a swap; a third as many again are asked without swaps."""

    requests: int = 1000
    every_s: float = EVERY_S
    clients: int = CLIENTS


@dataclass(slots=True)
class Asked:
    """One request: when it began and ended (loop seconds), when each of its pieces came, and what went wrong."""

    began: float
    ended: float = 0.0
    pieces: list[float] = field(default_factory=list[float])
    failed: bool = False
    wrong: bool = False
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Swap:
    """One change: asked for, serving, and the old side drained (loop seconds)."""

    asked: float
    served: float
    drained: float


async def swap_rows(settings: Settings, plan: Plan | None = None) -> list[Row]:
    """Every row of this module. ``settings.data`` must be a folder of the benchmark's own.

    Raises:
        ModelError: the embedded model is missing.
    """
    plan = plan or Plan()
    async with _opened(settings) as bench:
        for word in WORDS:
            await bench.activate(word)
        quiet = await _load(bench, plan, until=_count(plan.requests // 3))
        before_mb = _resident_mb()
        swapped, swaps = await _under_swaps(bench, plan)
        await bench.settled()
        rows = _rows(quiet, swapped, swaps)
        after_mb = _resident_mb()
        rows.append(
            against(Row(id="swap_memory_after_mb", value=round(after_mb), unit="MB", target="ratio < 1.05"), before_mb)
        )
        rows.extend(await _mixed_rows(bench, plan))
        rows.extend(await _prefix_rows(bench))
    return rows


@dataclass(frozen=True, slots=True)
class _Bench:
    runtime: SwappingRuntime
    registry: Registry
    names: dict[str, str]  # hash by marker
    others: dict[str, str]  # of the same files, for the other agent

    async def activate(self, word: str) -> Swap:
        """Make a marker the champion and wait until it serves; the drain goes on."""
        loop, wanted = asyncio.get_running_loop(), self.names[word]
        asked = loop.time()
        await self.registry.activate(wanted)
        view = self.runtime.for_agent(AGENT)
        while view.info.adapter != wanted:
            await asyncio.sleep(0.005)
        served = loop.time()
        await self.settled()
        return Swap(asked, served, loop.time())

    async def settled(self) -> None:
        """Wait until the old sides are closed."""
        while self.runtime.draining:
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[_Bench]:
    await asyncio.to_thread(open_state, settings.state_path)
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(Database(settings.state_path))
        registry = Registry(state, settings.artefacts_path)
        folder = stack.enter_context(as_file(files("shopfloor.bench").joinpath("markers")))
        names = {word: await _add(registry, folder / f"{word}.gguf", AGENT) for word in WORDS}
        others = {word: await _add(registry, folder / f"{word}.gguf", OTHER) for word in WORDS}
        following = await stack.enter_async_context(Following(settings))
        runtime = await open_serving(settings, following)
        stack.push_async_callback(runtime.close)
        stack.push_async_callback(following.stop)
        if not isinstance(runtime, SwappingRuntime):
            raise ShopfloorError("The swaps are measured on the embedded runtime: set SHOPFLOOR_RUNTIME=embedded.")
        runtime.warm_with(AGENT, [Message("user", "Tell me about the")])  # as the agents have their own words read
        yield _Bench(runtime, registry, names, others)


async def _add(registry: Registry, path: Path, agent: str) -> str:
    return await registry.add(*find_files(path, agent, "lora"))


async def _under_swaps(bench: _Bench, plan: Plan) -> tuple[list[Asked], list[Swap]]:
    """Load with a swap every few seconds, until enough requests were near one; returns those, and the swaps."""
    swaps: list[Swap] = []
    ended = asyncio.Event()

    async def swapper() -> None:
        turn = 0
        while not ended.is_set():
            swaps.append(await bench.activate(WORDS[turn % len(WORDS)]))
            turn += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    ended.wait(), max(0.0, swaps[-1].asked + plan.every_s - asyncio.get_running_loop().time())
                )

    swapping = asyncio.create_task(swapper())
    try:
        asked = await _load(bench, plan, until=lambda done: swapping.done() or len(_near(done, swaps)) >= plan.requests)
    finally:
        ended.set()
        await swapping
    return _near(asked, swaps), swaps


def _near(asked: Sequence[Asked], swaps: Sequence[Swap]) -> list[Asked]:
    """Those that were under way or began between a swap's begin and two seconds after its drain."""
    return [
        one for one in asked if any(one.ended >= swap.asked and one.began <= swap.drained + AFTER_S for swap in swaps)
    ]


def _count(requests: int) -> Callable[[Sequence[Asked]], bool]:
    return lambda done: len(done) >= requests


async def _load(
    bench: _Bench,
    plan: Plan,
    *,
    until: Callable[[Sequence[Asked]], bool],
    agents: Sequence[str] = (AGENT,),
) -> list[Asked]:
    """Keep the clients asking until it is enough."""
    done: list[Asked] = []
    words = {name: word for word, name in (*bench.names.items(), *bench.others.items())}

    async def client(number: int) -> None:
        chosen, agent = random.Random(number), agents[number % len(agents)]
        while not until(done):
            done.append(await _ask(bench.runtime, agent, chosen, words))

    await asyncio.gather(*(client(number) for number in range(plan.clients)))
    return done


async def _ask(runtime: SwappingRuntime, agent: str, chosen: random.Random, words: dict[str, str]) -> Asked:
    view, loop = runtime.for_agent(agent), asyncio.get_running_loop()
    messages = [Message("user", f"Tell me about the {chosen.choice(ITEMS)}, number {chosen.randrange(1000)}.")]
    asked, text = Asked(loop.time()), ""
    with held(view):
        expected = words.get(view.info.adapter or "", "")
        try:
            async with aclosing(view.stream(messages, OPTIONS)) as chunks:
                async for chunk in chunks:
                    if chunk.text:
                        asked.pieces.append(loop.time())
                        text += chunk.text
                    if chunk.completion is not None:
                        asked.tokens = chunk.completion.completion_tokens
        except ShopfloorError:
            asked.failed = True
    asked.ended = loop.time()
    asked.wrong = not asked.failed and not _by(text, expected)
    return asked


def _by(text: str, word: str) -> bool:
    """Whether every whole word of an answer is the marker; the last may be cut."""
    said = text.split()
    return bool(said) and bool(word) and all(one == word for one in said[:-1]) and word.startswith(said[-1])


def _rows(quiet: Sequence[Asked], near: Sequence[Asked], swaps: Sequence[Swap]) -> list[Row]:
    count = len(near)
    rows = [
        Row(id="swap_failed", value=sum(one.failed for one in near), unit="requests", n=count, target="0"),
        Row(id="swap_wrong_adapter", value=sum(one.wrong for one in near), unit="requests", n=count, target="0"),
        Row(id="swap_seconds", value=round(float(np.median([one.served - one.asked for one in swaps])), 2), unit="s", n=len(swaps)),
        Row(id="swap_drain_seconds", value=round(float(np.median([one.drained - one.served for one in swaps])), 2), unit="s", n=len(swaps)),
    ]  # fmt: skip
    for name, times, target in (
        ("swap_first_token_ms", _first_ms, "p99 ratio < 1.5"),
        ("swap_between_tokens_ms", _between_ms, "p99 ratio < 2"),
    ):
        for level in (50, 99):
            value, base = float(np.percentile(times(near), level)), float(np.percentile(times(quiet), level))
            row = Row(id=f"{name}_p{level}", value=round(value, 1), unit="ms", n=len(times(near)))
            rows.append(against(row.model_copy(update={"target": target if level == 99 else None}), base))
    return rows


def _first_ms(asked: Sequence[Asked]) -> list[float]:
    return [(one.pieces[0] - one.began) * 1000 for one in asked if one.pieces]


def _between_ms(asked: Sequence[Asked]) -> list[float]:
    return [float(gap) * 1000 for one in asked for gap in np.diff(one.pieces)]


async def _mixed_rows(bench: _Bench, plan: Plan) -> list[Row]:
    """Two agents with an adapter each, at once, against one: tokens a second of all clients together."""
    await bench.registry.activate(bench.others[WORDS[1]])
    await bench.activate(WORDS[0])
    while bench.runtime.for_agent(OTHER).info.adapter is None:
        await asyncio.sleep(0.01)
    await bench.settled()
    speeds: dict[int, list[float]] = {1: [], 2: []}
    wrong = count = 0
    for _ in range(2):  # by turns, so that a busy moment of the machine meets both
        for agents in ((AGENT,), (AGENT, OTHER)):
            began = time.perf_counter()
            asked = await _load(bench, plan, until=_count(max(plan.clients, plan.requests // 12)), agents=agents)
            speeds[len(agents)].append(sum(one.tokens for one in asked) / (time.perf_counter() - began))
            wrong, count = wrong + sum(one.wrong or one.failed for one in asked), count + len(asked)
    one, mixed = (float(np.mean(speeds[agents])) for agents in (1, 2))
    return [
        against(Row(id="adapters_mixed_tokens_per_s", value=round(mixed, 1), unit="1/s", n=len(speeds[2])), one),
        Row(id="adapters_mixed_wrong", value=wrong, unit="requests", n=count, target="0"),
    ]


async def _prefix_rows(bench: _Bench) -> list[Row]:
    """The first token of a second turn, whose conversation so far is in the cache, against a first one of its length."""
    view = bench.runtime.for_agent(AGENT)
    cold: list[float] = []
    second: list[float] = []
    for turn in range(TURNS):
        products = "\n".join(f"Offer {turn}.{number}: a {ITEMS[number % 8]}." for number in range(LONG_PRODUCTS))
        first = [Message("user", f"{products}\nWhich is best?")]
        answer = await view.chat(first, OPTIONS)
        cold.append(answer.first_token_s * 1000)
        further = [*first, Message("assistant", answer.text), Message("user", "And the second best?")]
        second.append((await view.chat(further, OPTIONS)).first_token_s * 1000)
    row = Row(id="prefix_second_turn_ms", value=round(float(np.median(second)), 1), unit="ms", n=TURNS)
    return [against(row, float(np.median(cold)))]


def _resident_mb() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20
