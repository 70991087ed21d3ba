"""Turns from started to their end, answers with what was shown, and what a killed process leaves."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from shopfloor.errors import NotFoundError
from shopfloor.store.database import Database
from shopfloor.store.migrations import open_state
from shopfloor.store.traces import Candidate, NewAnswer, NewTurn, Shown, TraceStore, TurnOutcome

OUTCOME = TurnOutcome("Take the table.", "recommendation", "local", 0.9, timings_ms={"total": 12.5}, usage={"local": 3})


def turn(trace_id: str = "t1", *, thread_id: str = "th", user_id: str = "u1") -> NewTurn:
    return NewTurn(trace_id, thread_id, user_id, "rest", "a table")


async def test_a_turn_from_start_to_answer(state: Database) -> None:
    traces = TraceStore(state)
    await traces.start_turn(turn())
    started = await traces.turn("t1")
    assert started is not None
    assert (started.status, started.reply, started.text) == ("started", None, "a table")
    await traces.finish_turn("t1", OUTCOME)
    done = await traces.turn("t1")
    assert done is not None
    assert (done.status, done.reply, done.confidence, done.degraded) == ("answered", "Take the table.", 0.9, False)
    assert (done.timings_ms, done.usage) == ({"total": 12.5}, {"local": 3})


async def test_an_answer_keeps_candidates_and_positions(state: Database) -> None:
    traces = TraceStore(state)
    await traces.start_turn(turn())
    answer = NewAnswer(
        "t1", "recommendation", "u1", "Two ideas.",
        request={"text": "a table"}, prompt="Basket:", candidates=[Candidate("A1", 0.9, {"bm25": 0.9}), Candidate("A3", 0.1)],
        shown=[Shown("A1", 1, 0.9), Shown("A2", 2, 0.5)], model={"name": "m"}, tokens=7, timings_ms={"total": 40},
    )  # fmt: skip
    answer_id = await traces.save_answer(answer)
    stored = await traces.answer(answer_id)
    assert stored is not None
    assert [item.sku for item in stored.shown] == ["A1", "A2"]
    assert stored.candidates[0].signals == {"bm25": 0.9}
    assert (stored.request, stored.prompt, stored.tokens) == ({"text": "a table"}, "Basket:", 7)
    assert [found.answer_id for found in await traces.answers_of("t1")] == [answer_id]
    totals = await traces.totals()
    assert (totals["recommendation"].requests, totals["recommendation"].tokens) == (1, 7)
    assert totals["recommendation"].latencies_ms == (40.0,)


async def test_what_was_never_started_can_not_be_answered(state: Database) -> None:
    traces = TraceStore(state)
    with pytest.raises(NotFoundError):
        await traces.finish_turn("absent", OUTCOME)
    with pytest.raises(NotFoundError):
        await traces.save_answer(NewAnswer("absent", "inventory", "u1", "No."))
    assert await traces.turn("absent") is None
    assert await traces.answer("absent") is None


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_a_turn_that_did_not_end_well(state: Database, status: str) -> None:
    traces = TraceStore(state)
    await traces.start_turn(turn())
    await traces.end_turn("t1", status)  # pyright: ignore[reportArgumentType]
    found = await traces.turn("t1")
    assert found is not None
    assert found.status == status


async def test_an_answered_turn_stays_answered(state: Database) -> None:
    traces = TraceStore(state)
    await traces.start_turn(turn())
    await traces.finish_turn("t1", OUTCOME)
    await traces.end_turn("t1", "cancelled")
    assert await traces.fail_interrupted() == 0
    found = await traces.turn("t1")
    assert found is not None
    assert found.status == "answered"


async def test_the_turns_of_a_thread_in_order(state: Database) -> None:
    traces = TraceStore(state)
    for number in range(5):
        await traces.start_turn(turn(f"t{number}"))
    await traces.start_turn(turn("other", thread_id="elsewhere"))
    assert [found.trace_id for found in await traces.thread_turns("th", limit=3)] == ["t2", "t3", "t4"]


async def test_many_turns_at_once_lose_nothing(state: Database) -> None:
    traces = TraceStore(state)

    async def one(number: int) -> None:
        await traces.start_turn(turn(f"t{number}"))
        await traces.save_answer(NewAnswer(f"t{number}", "recommendation", "u1", "ok", shown=[Shown("A1", 1)]))
        await traces.finish_turn(f"t{number}", OUTCOME)

    await asyncio.gather(*(one(number) for number in range(40)))
    found = await traces.thread_turns("th")
    assert len(found) == 40
    assert {item.status for item in found} == {"answered"}


async def test_a_turn_that_a_killed_process_left_becomes_failed(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    program = textwrap.dedent(
        """
        import asyncio, os, signal, sys
        from pathlib import Path
        from shopfloor.store.database import Database
        from shopfloor.store.migrations import open_state
        from shopfloor.store.traces import NewTurn, TraceStore

        async def main():
            open_state(Path(sys.argv[1]))
            async with Database(Path(sys.argv[1])) as state:
                await TraceStore(state).start_turn(NewTurn("t1", "th", "u1", "rest", "a table"))
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, str(path)], check=False, timeout=60, env=dict(os.environ)
    )
    assert ended.returncode == -signal.SIGKILL
    open_state(path)
    async with Database(path) as state:
        traces = TraceStore(state)
        left = await traces.turn("t1")
        assert left is not None
        assert left.status == "started"
        assert await traces.fail_interrupted() == 1
        after = await traces.turn("t1")
        assert after is not None
        assert (after.status, after.text) == ("failed", "a table")
