"""The assistant over a real shop and real databases: threads, concurrency, cancellation, kill -9."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from shopfloor.errors import AccessError, InputError, NotFoundError, TooLargeError
from shopfloor.graph.agents import Agents
from shopfloor.graph.assistant import Assistant
from shopfloor.graph.shop import Resources
from shopfloor.settings import Settings
from shopfloor.tools.schemas import (
    DoneEvent,
    FeedbackRequest,
    InventoryRequest,
    ItemsEvent,
    LocationContext,
    RecommendRequest,
    RouteEvent,
    StockEvent,
    TokenEvent,
    TurnEvent,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


def statuses(settings: Settings) -> list[str]:
    with closing(sqlite3.connect(settings.state_path)) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM turns ORDER BY created_at")]


async def test_a_conversation_is_remembered(assistant: Assistant) -> None:
    first = await assistant.ask("a warm jacket", user_id="ada")
    assert first.items
    second = await assistant.ask("do you have it in Tokyo?", user_id="ada", thread_id=first.thread_id)
    assert second.thread_id == first.thread_id
    assert second.inventory is not None
    assert second.inventory.product is not None
    assert second.inventory.product.sku == first.items[0].sku
    cheaper = await assistant.ask("something cheaper", user_id="ada", thread_id=first.thread_id)
    top = first.items[0].price
    assert top is not None
    assert cheaper.items
    assert all(item.price is not None and item.price < top for item in cheaper.items)


async def test_events_come_in_order_and_join_to_the_reply(assistant: Assistant) -> None:
    events: list[TurnEvent] = []
    async for event in assistant.stream("a blue jacket, and is it in Tokyo?", user_id="ada"):
        events.append(event)
    kinds = [type(event) for event in events]
    assert kinds[0] is RouteEvent
    assert kinds.index(ItemsEvent) < kinds.index(StockEvent) < len(kinds) - 1
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert "".join(event.text for event in events if isinstance(event, TokenEvent)) == done.reply.text
    assert done.reply.recommendation_id
    assert set(done.reply.answer_ids) == {"recommendation", "inventory"}


async def test_twenty_turns_at_once_on_one_thread_lose_nothing(assistant: Assistant) -> None:
    first = await assistant.ask("hello", user_id="ada")
    texts = [f"thanks for that {number}" for number in range(20)]
    await asyncio.gather(*(assistant.ask(text, user_id="ada", thread_id=first.thread_id) for text in texts))
    history = await assistant.history(first.thread_id, "ada")
    kept = [message.text for message in history if message.role == "user"]
    assert [message.role for message in history] == ["user", "assistant"] * (len(history) // 2)
    # The thread keeps the newest messages; of the 21 turns none may have vanished from among them.
    assert len(history) >= assistant.settings.history_messages - 1
    assert len(set(kept)) == len(kept)
    assert statuses(assistant.settings) == ["answered"] * 21


async def test_a_thread_is_its_first_user_s(assistant: Assistant) -> None:
    reply = await assistant.ask("hello", user_id="ada")
    with pytest.raises(AccessError):
        await assistant.ask("and now?", user_id="bob", thread_id=reply.thread_id)
    with pytest.raises(AccessError):
        await assistant.history(reply.thread_id, "bob")
    with pytest.raises(AccessError):
        await assistant.recommend(RecommendRequest(user_id="bob", context="coat", thread_id=reply.thread_id))
    with pytest.raises(NotFoundError):
        await assistant.history("no-such-thread", "ada")


async def test_bad_messages_are_refused(assistant: Assistant) -> None:
    with pytest.raises(InputError):
        await assistant.ask("   ", user_id="ada")
    with pytest.raises(TooLargeError):
        await assistant.ask("x" * 5_000, user_id="ada")
    assert (await assistant.ask("?!…", user_id="ada")).text


async def test_a_caller_who_leaves_cancels_the_turn(assistant: Assistant) -> None:
    async with aclosing(assistant.stream("a warm jacket", user_id="ada", thread_id="leaver")) as events:
        await anext(events)
    assert statuses(assistant.settings) == ["cancelled"]
    again = await asyncio.wait_for(assistant.ask("hello", user_id="ada", thread_id="leaver"), 10)
    assert again.text


async def test_a_cancelled_task_cancels_the_turn_and_frees_the_thread(assistant: Assistant) -> None:
    seen = asyncio.Event()

    async def listen() -> None:
        async with aclosing(assistant.stream("a coat", user_id="ada", thread_id="t")) as events:
            async for _ in events:
                seen.set()
                await asyncio.sleep(30)

    task = asyncio.create_task(listen())
    await seen.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (await asyncio.wait_for(assistant.ask("hello", user_id="ada", thread_id="t"), 10)).text


async def test_a_turn_over_its_time_fails_with_a_sentence(settings: Settings, agents: Agents) -> None:
    short = settings.model_copy(update={"turn_timeout_s": 0.001})
    async with Resources(short, agents) as resources, Assistant.open(short, resources=resources) as assistant:
        events = [event async for event in assistant.stream("a coat", user_id="ada")]
    assert events[-1].type == "error"
    assert set(statuses(short)) <= {"failed"}


async def test_the_agents_alone(assistant: Assistant) -> None:
    found = await assistant.recommend(RecommendRequest(user_id="ada", context="jacket", count=2))
    assert len(found.items) == 2
    stock = await assistant.check_inventory(
        InventoryRequest(product_id="SKU_JCK_01", location_context=LocationContext(city="Delhi"))
    )
    assert stock.product.sku == "SKU_JCK_01"
    with pytest.raises(NotFoundError):
        await assistant.check_inventory(InventoryRequest(product_id="SKU_NONE"))
    given = await assistant.feedback(
        FeedbackRequest(
            user_id="ada", recommendation_id=found.recommendation_id, product_id=found.items[0].sku, rating=5
        )
    )
    assert given.trace_id == found.trace_id
    stats = await assistant.model_stats()
    assert stats.agents["recommendation"].requests == 1
    assert stats.agents["recommendation"].feedback.count == 1


async def test_a_chat_goes_on_from_a_direct_request(assistant: Assistant) -> None:
    found = await assistant.recommend(RecommendRequest(user_id="ada", context="jacket", thread_id="mixed"))
    reply = await assistant.ask("tell me more about the second one", user_id="ada", thread_id="mixed")
    assert found.items[1].name in reply.text


async def test_readiness_names_what_is_missing(assistant: Assistant) -> None:
    readiness = await assistant.readiness()
    assert readiness.ready
    assert readiness.degraded
    assert any("model" in reason for reason in readiness.reasons)


KILLED = """
import asyncio, sys
from pathlib import Path
from shopfloor.graph.assistant import Assistant
from shopfloor.settings import Settings

async def main():
    settings = Settings(_env_file=None, data=Path(sys.argv[1]), shop=Path(sys.argv[2]), model=Path("absent.gguf"))
    async with Assistant.open(settings) as assistant:
        await assistant.ask("hello", user_id="ada", thread_id="t")
        async for event in assistant.stream("a warm jacket", user_id="ada", thread_id="t"):
            print(event.type, flush=True)
            await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_kill_9_in_the_middle_of_a_turn_loses_no_answer(
    settings: Settings, agents: Agents, catalogue: Path
) -> None:
    def start_and_kill() -> None:
        command = [sys.executable, "-c", textwrap.dedent(KILLED), str(settings.data), str(catalogue)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONWARNINGS": ""}) as process:
            assert process.stdout is not None
            assert process.stdout.readline(), "the turn has begun"
            process.send_signal(signal.SIGKILL)
            process.wait()

    await asyncio.to_thread(start_and_kill)
    started = time.monotonic()
    async with Resources(settings, agents) as resources, Assistant.open(settings, resources=resources) as assistant:
        reply = await assistant.ask("a blue scarf", user_id="ada", thread_id="t")
        history = await assistant.history("t", "ada")
    assert reply.text
    assert time.monotonic() - started < 30
    assert next(message.text for message in history if message.role == "user") == "hello"
    assert "started" not in statuses(settings)
    for path in (settings.state_path, settings.checkpoint_path):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
