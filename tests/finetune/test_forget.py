"""Forgetting: nothing of a user is left in any byte of the data folder, and what was learned from them goes."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shopfloor.errors import NotFoundError
from shopfloor.finetune.forget import forget
from shopfloor.finetune.lineage import lineage
from shopfloor.finetune.router_cycle import RouterCycle
from shopfloor.finetune.routing.rows import shipped_rows
from shopfloor.graph.local_router import shipped_head
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.checkpoints import open_checkpointer
from shopfloor.store.database import Database, connect
from shopfloor.store.feedback_files import export_feedback

USER = "zephyrine.quill-77"
BASE = shipped_head().text_twin()
"""Given as the base, the shipped head learns on without rehearsal: the same steps in less time."""
SECRET = "my heron lantern from the violet quarry"


def found(data: Path, *needles: str) -> dict[str, list[str]]:
    """Which files hold which of the texts, byte by byte, as UTF-8 and as SQLite may store it."""
    hits: dict[str, list[str]] = {}
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for needle in needles:
            if needle.encode() in content or needle.encode("utf-16-le") in content:
                hits.setdefault(needle, []).append(path.name)
    return hits


async def fill(shop: Any, settings: Settings) -> None:
    """A user's traces everywhere: turns, answers, feedback, checkpoints, exports, order history."""
    answer = shop.recommend(USER, SECRET, ["SKU_JCK_01"], answer=f"You wanted {SECRET}.")
    shop.react(USER, answer, sku="SKU_JCK_01", rating=5)
    shop.react(USER, shop.turn(USER, f"{SECRET} in oslo"), correction={"route": "inventory", "note": SECRET})
    async with open_checkpointer(settings.checkpoint_path) as saver:
        config: Any = {"configurable": {"thread_id": f"th-{USER}", "checkpoint_ns": ""}}
        checkpoint: Any = {
            "v": 4,
            "id": "1f0",
            "ts": "2026-09-01T00:00:00+00:00",
            "channel_versions": {},
            "versions_seen": {},
            "channel_values": {"text": SECRET},
        }
        await saver.aput(config, checkpoint, {"source": "input", "step": 0}, {})
    with closing(connect(settings.catalogue_path)) as catalogue:
        catalogue.execute("UPDATE events SET user_id = ? WHERE event_no < 4", (USER,))
        catalogue.execute("UPDATE ratings SET user_id = ? WHERE sku = 'SKU_JCK_01' AND review_no = '1'", (USER,))
    async with Database(settings.state_path, readers=1) as state:
        await export_feedback(state, settings.data / "feedback")


async def test_no_byte_of_a_user_is_left(learning_shop: Any) -> None:
    shop = learning_shop
    settings = shop.settings.model_copy(update={"model": Path("no-such-model.gguf")})
    rows = [row for row in shipped_rows() if row.source == "line"][:60]
    shop.correct_routes([(f"{row.text} then", row.label) for row in rows], users=6)
    await fill(shop, settings)
    result = await RouterCycle(settings, base=BASE).run()
    assert result.artefact is not None
    before = found(settings.data, USER, SECRET)
    assert {"state.db", "shop.db", "checkpoints.db", "recommendation.jsonl", "supervisor.jsonl"} <= {
        name.removesuffix("-wal") for names in before.values() for name in names
    }
    assert "rows.jsonl" in before[SECRET]
    left = settings.data / "datasets" / ".making-killed"
    left.mkdir()
    (left / "rows.jsonl").write_text(SECRET)
    # A service holds the databases open meanwhile, and reads.
    with (
        closing(connect(settings.state_path, read_only=True)) as service,
        closing(connect(settings.catalogue_path)) as other,
    ):
        service.execute("SELECT count(*) FROM turns").fetchone()
        other.execute("SELECT count(*) FROM events").fetchone()
        gone = await forget(settings, USER)
        assert service.execute("SELECT count(*) FROM turns WHERE user_id LIKE 'user%'").fetchone()[0] == 60
    assert found(settings.data, USER, SECRET) == {}
    assert gone.retired == (result.artefact,) and gone.rows >= 12 and gone.files >= 5 and gone.retrained == ()
    async with Database(settings.state_path, readers=1) as state:
        artefact = await Registry(state, settings.artefacts_path).get(result.artefact)
    assert artefact.state == "retired" and not artefact.folder.exists()
    for path in (settings.state_path, settings.checkpoint_path, settings.catalogue_path):
        with closing(connect(path, read_only=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert (await lineage(settings, result.artefact)).to_json()["artefact"]["state"] == "retired"
    with pytest.raises(NotFoundError, match="nothing of a user"):
        await forget(settings, USER)


async def test_others_keep_what_they_said_and_retraining_goes_without_the_user(learning_shop: Any) -> None:
    shop = learning_shop
    settings = shop.settings.model_copy(update={"model": Path("no-such-model.gguf")})
    rows = [row for row in shipped_rows() if row.source == "line"][:40]
    shop.correct_routes([(f"{row.text} now", row.label) for row in rows], users=8)
    shop.react(USER, shop.turn(USER, f"{SECRET} in bergen"), correction={"route": "inventory"})
    first = await RouterCycle(settings, base=BASE).run()
    async with Database(settings.state_path, readers=1) as state:
        await Registry(state, settings.artefacts_path).activate(str(first.artefact))

    def again(where: Settings, agent: str, kind: str) -> str | None:
        assert (agent, kind) == ("router", "head")
        return asyncio.run(RouterCycle(where, started_by="forget", base=BASE).run()).artefact

    gone = await forget(settings, USER, retrain=again)
    assert gone.retired == (first.artefact,) and len(gone.retrained) == 1
    assert gone.retrained[0] != first.artefact and found(settings.data, USER, SECRET) == {}
    with closing(connect(settings.state_path, read_only=True)) as state:
        assert state.execute("SELECT count(*) FROM feedback").fetchone()[0] == 40


async def test_lineage_goes_from_artefact_to_feedback(learning_shop: Any) -> None:
    shop = learning_shop
    settings = shop.settings.model_copy(update={"model": Path("no-such-model.gguf")})
    rows = [row for row in shipped_rows() if row.source == "line"][:40]
    shop.correct_routes([(f"{row.text} then", row.label) for row in rows], users=8)
    result = await RouterCycle(settings, base=BASE).run()
    way = (await lineage(settings, str(result.artefact)[:12])).to_json()
    assert way["artefact"]["hash"] == result.artefact and way["run"]["run_id"] == result.run_id
    assert way["dataset"]["hash"] == result.dataset and way["dataset"]["feedback"] == len(way["feedback"]) >= 30
    assert way["gate"] == result.gate and way["changes"][0]["action"] == "add"
    with pytest.raises(NotFoundError):
        await lineage(settings, "ffffffff")


async def test_a_locked_database_is_waited_for(learning_shop: Any) -> None:
    shop = learning_shop
    shop.turn(USER, SECRET)
    with closing(sqlite3.connect(shop.settings.state_path, check_same_thread=False)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(forget(shop.settings, USER))
        await asyncio.sleep(0.5)
        assert not task.done()
        busy.rollback()
        gone = await task
    assert gone.rows == 2 and found(shop.settings.data, USER, SECRET) == {}
