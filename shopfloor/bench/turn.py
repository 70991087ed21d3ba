"""Turns measured inside one process: first card, first word, and what the graph adds to the bare agents.

The overhead is measured in stages that answer the same messages one after another: the agents called directly, then
the graph around them, then its trace rows, its checkpoints, and last the :class:`Assistant` (thread lock and owner).
The difference of two neighbouring stages is what that part costs; differences are paired by message.
"""

import asyncio
import itertools
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from pydantic import JsonValue

from shopfloor.bench.report import Row, quantile_rows
from shopfloor.bench.requests import Workload
from shopfloor.graph.assistant import Assistant
from shopfloor.graph.builder import build_graph
from shopfloor.graph.recorder import Recorder, TurnEnd, TurnStart
from shopfloor.graph.shop import Resources, Shop
from shopfloor.graph.state import Memory, ShopContext
from shopfloor.graph.supervisor import Turn
from shopfloor.graph.turn import Graph
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.settings import Settings
from shopfloor.store.checkpoints import open_checkpointer
from shopfloor.tools.inventory import InventoryContext
from shopfloor.tools.recommendation import RecommendQuery
from shopfloor.tools.schemas import DoneEvent, ItemsEvent, TokenEvent

Ask = Callable[[str], Awaitable[None]]
OVERHEAD_TARGET = "< 15 ms"
LIST_LENGTH = 3


class _SilentRecorder(Recorder):
    """Writes nothing: what is left of a turn without its trace."""

    async def begin(self, start: TurnStart) -> str:
        return start.trace_id or uuid.uuid4().hex

    async def finish(self, end: TurnEnd) -> None:
        return None


class _Opened(Resources):
    """Resources around a shop that is open already; closing is its owner's."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.settings)
        self._opened = shop

    async def get(self) -> Shop:
        return self._opened


@dataclass(frozen=True, slots=True)
class Seen:
    """When a turn's first card and first word came, and its end, in milliseconds."""

    card: float | None
    word: float | None
    total: float
    scored: bool


async def turn_rows(settings: Settings, workload: Workload) -> list[Row]:
    """Every row of this module. ``settings.data`` must be a folder of the benchmark's own."""
    rows: list[Row] = []
    for mode, target in (("on", "< 1200 ms"), ("off", "< 300 ms"), ("auto", "")):
        chosen = settings.model_copy(update={"model_ranking": mode})
        async with Assistant.open(chosen) as assistant:
            rows.extend(await _seen_rows(assistant, mode, target, workload.recommendation))
    async with Resources(settings) as resources:
        shop = await resources.get()
        rows.extend(await _overhead_rows(shop, settings.data, workload))
        if shop.runtime is not None:
            rows.extend(await _list_rows(shop, shop.runtime, workload.recommendation))
    return rows


async def _seen_rows(assistant: Assistant, mode: str, target: str, texts: Sequence[str]) -> list[Row]:
    await _watch(assistant, texts[0])
    seen = [await _watch(assistant, text) for text in texts]
    cards = [one.card for one in seen if one.card is not None]
    words = [one.word for one in seen if one.word is not None]
    rows = [
        *quantile_rows(f"first_card_model_{mode}_ms", cards, "ms", target=target or None),
        *quantile_rows(f"first_word_model_{mode}_ms", words, "ms"),
        *quantile_rows(f"turn_model_{mode}_ms", [one.total for one in seen], "ms"),
    ]
    if mode == "auto":
        skipped = sum(not one.scored for one in seen) / len(seen)
        rows.append(Row(id="model_score_skipped_share", value=round(skipped, 3), unit="share", n=len(seen)))
    return rows


async def _watch(assistant: Assistant, text: str) -> Seen:
    began = time.perf_counter()
    card: float | None = None
    word: float | None = None
    scored = False
    async with aclosing(assistant.stream(text, user_id=f"bench-{uuid.uuid4().hex[:8]}", door="bench")) as events:
        async for event in events:
            now = (time.perf_counter() - began) * 1000
            if isinstance(event, ItemsEvent) and card is None:
                card = now
            elif isinstance(event, TokenEvent) and word is None:
                word = now
            elif isinstance(event, DoneEvent):
                scored = any("model" in item.signals for item in event.reply.items)
    return Seen(card, word, (time.perf_counter() - began) * 1000, scored)


async def _overhead_rows(shop: Shop, data: Path, workload: Workload) -> list[Row]:
    silent = _Opened(replace(shop, recorder=_SilentRecorder(shop.traces, shop.model)))
    opened = _Opened(shop)
    texts = [*workload.recommendation, *workload.inventory]
    async with open_checkpointer(data / "bench-checkpoints.db") as saver:
        bare = build_graph(settings=shop.settings, resources=silent)
        traced = build_graph(settings=shop.settings, resources=opened)
        kept = build_graph(settings=shop.settings, resources=opened, checkpointer=saver)
        assistant = Assistant(shop, kept, saver)

        async def through_assistant(text: str) -> None:
            await assistant.ask(text, user_id="bench", door="bench")

        stages: dict[str, Ask] = {
            "agents": lambda text: _directly(shop, text),
            "graph": lambda text: _through(bare, text),
            "traces": lambda text: _through(traced, text),
            "checkpoint": lambda text: _through(kept, text),
            "assistant": through_assistant,
        }
        times = await _times(stages, texts)
    rows = quantile_rows("turn_agents_alone_ms", times["agents"].tolist(), "ms")
    names = list(stages)
    for before, after in itertools.pairwise(names):
        rows.extend(quantile_rows(f"overhead_{after}_ms", (times[after] - times[before]).tolist(), "ms"))
    whole = (times["assistant"] - times["agents"]).tolist()
    rows.extend(quantile_rows("overhead_turn_ms", whole, "ms", target=OVERHEAD_TARGET))
    return rows


async def _times(stages: dict[str, Ask], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Milliseconds of each stage on each text; a first round warms every cache and is not counted."""
    for ask in stages.values():
        for text in texts:
            await ask(text)
    times: dict[str, list[float]] = {name: [] for name in stages}
    for text in texts:
        for name, ask in stages.items():
            began = time.perf_counter()
            await ask(text)
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: np.asarray(values) for name, values in times.items()}


async def _directly(shop: Shop, text: str) -> None:
    """What a program without a graph would call for this message."""
    decided = await shop.supervisor.decide(Turn(text, [], Memory()))
    plan = decided.plan
    work: list[Awaitable[None]] = []
    if plan.recommend is not None:
        work.append(_recommend(shop, plan.recommend["text"], plan.recommend["count"]))
    work.extend(_check(shop, task["question"], task["city"]) for task in plan.inventory)
    await asyncio.gather(*work)


async def _recommend(shop: Shop, text: str, count: int) -> None:
    found = await shop.recommendation.recommend(RecommendQuery(text=text, count=count, user_id="bench"))
    async for _ in shop.recommendation.explain(found):
        pass


async def _check(shop: Shop, question: str, city: str | None) -> None:
    await shop.inventory.answer(question, InventoryContext(city=city, user_id="bench"))


async def _through(graph: Graph, text: str) -> None:
    thread = uuid.uuid4().hex
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    await graph.ainvoke(  # pyright: ignore[reportUnknownMemberType]  # its own Command is untyped
        {"messages": [HumanMessage(text, id=uuid.uuid4().hex)]},
        config,
        context=ShopContext(user="bench", thread=thread, door="bench"),
        durability="exit",
    )


def _names(skus: Sequence[str], connection: sqlite3.Connection) -> list[tuple[str, str]]:
    marks = ", ".join("?" * len(skus))
    found = connection.execute(f"SELECT sku, name FROM products WHERE sku IN ({marks})", list(skus))
    return [(str(row["sku"]), str(row["name"])) for row in found]


async def _list_rows(shop: Shop, runtime: Runtime, texts: Sequence[str]) -> list[Row]:
    """The way not taken: the same model writes the list of SKUs itself, from the same candidates."""
    times: list[float] = []
    broken = 0
    for text in texts:
        found = await shop.recommendation.recommend(RecommendQuery(text=text, count=LIST_LENGTH, user_id="bench"))
        skus = [candidate.sku for candidate in found.candidates]
        names = await shop.catalogue.read(partial(_names, skus))
        if len(names) < LIST_LENGTH:
            continue
        item: dict[str, JsonValue] = {"type": "string", "enum": [sku for sku, _ in names]}
        schema: dict[str, JsonValue] = {
            "type": "array",
            "items": item,
            "minItems": LIST_LENGTH,
            "maxItems": LIST_LENGTH,
        }
        lines = "\n".join(f"{sku}: {name}" for sku, name in names)
        prompt = f"Products:\n{lines}\n\nCustomer: {text}\nList the {LIST_LENGTH} best SKUs as JSON."
        began = time.perf_counter()
        answer = await runtime.generate_json([Message("user", prompt)], schema, GenerateOptions(max_tokens=96))
        times.append((time.perf_counter() - began) * 1000)
        broken += isinstance(answer, list) and len({str(sku) for sku in answer}) < LIST_LENGTH
    if not times:
        return []
    share = Row(id="json_list_repeats_share", value=round(broken / len(times), 3), unit="share", n=len(times))
    return [*quantile_rows("json_list_ms", times, "ms"), share]
