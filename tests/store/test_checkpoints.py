"""Conversations survive a restart, are written as they should be, and don't grow without end."""

import operator
from pathlib import Path
from typing import Annotated

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from shopfloor.errors import StoreError
from shopfloor.store.checkpoints import create_checkpointer, open_checkpointer, prune


class Talk(TypedDict):
    said: Annotated[list[str], operator.add]


async def say(saver: BaseCheckpointSaver[str], text: str, thread_id: str = "t") -> list[str]:
    def reply(state: Talk) -> Talk:
        return {"said": [f"re: {state['said'][-1]}"]}

    builder = StateGraph(Talk)
    builder.add_node("reply", reply)
    builder.add_edge(START, "reply")
    builder.add_edge("reply", END)
    graph = builder.compile(checkpointer=saver)
    config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
    return (await graph.ainvoke({"said": [text]}, config))["said"]


async def test_a_conversation_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "checkpoints.db"
    async with open_checkpointer(path) as saver:
        await say(saver, "hello")
    async with open_checkpointer(path) as saver:
        assert await say(saver, "again") == ["hello", "re: hello", "again", "re: again"]


async def test_wal_and_synchronous_normal(tmp_path: Path) -> None:
    async with open_checkpointer(tmp_path / "c.db") as saver:
        for pragma, expected in (("journal_mode", "wal"), ("synchronous", 1)):
            row = await (await saver.conn.execute(f"PRAGMA {pragma}")).fetchone()
            assert row is not None
            assert row[0] == expected


async def test_old_checkpoints_go_and_the_thread_goes_on(tmp_path: Path) -> None:
    async with open_checkpointer(tmp_path / "c.db") as saver:
        for number in range(6):
            await say(saver, f"m{number}")
        await say(saver, "hello", "other")
        gone = await prune(saver, "t", keep=3)
        assert gone == 6 * 3 - 3
        kept = [item async for item in saver.alist({"configurable": {"thread_id": "t"}})]
        assert len(kept) == 3
        assert len([item async for item in saver.alist({"configurable": {"thread_id": "other"}})]) == 3
        said = await say(saver, "more")
        assert (len(said), said[0], said[-1]) == (14, "m0", "re: more")
        orphans = await (
            await saver.conn.execute(
                "SELECT count(*) FROM writes WHERE checkpoint_id NOT IN (SELECT checkpoint_id FROM checkpoints)"
            )
        ).fetchone()
        assert orphans == (0,)


async def test_the_factory_for_studio_uses_the_settings_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPFLOOR_DATA", str(tmp_path / "data"))
    async with create_checkpointer() as saver:
        await say(saver, "hello")
    assert (tmp_path / "data" / "checkpoints.db").exists()


async def test_a_damaged_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "c.db").write_bytes(b"not a database at all, only words" * 100)
    with pytest.raises(StoreError, match=r"c\.db"):
        async with open_checkpointer(tmp_path / "c.db"):
            pass
