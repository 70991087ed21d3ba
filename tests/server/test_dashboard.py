"""The owner's page as data: what it shows, how it follows, and what it refuses to do."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from shopfloor.http.dashboard_data import Dashboard
from shopfloor.http.training import TrainingRefusedError, TrainingWatch
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Manifest, Registry
from shopfloor.store.database import Database
from shopfloor.store.loop import Run, begin_run, end_run, save_step
from shopfloor.store.migrations import open_state
from tests.server.conftest import Served
from tests.server.test_training_watch import command, wait_for

SUITE = {
    "name": "routing",
    "n": 447,
    "champion": 0.81,
    "challenger": 0.86,
    "diff": 0.05,
    "ci": [0.02, 0.08],
    "mde": 0.028,
}


def react(served: Served, count: int) -> None:
    with closing(sqlite3.connect(served.settings.state_path)) as state:
        state.executemany(
            """INSERT OR REPLACE INTO feedback (feedback_id, created_at, updated_at, agent, trace_id, rating)
               VALUES (?, datetime('now'), '9999-01-01', 'inventory', 't', 5)""",
            [(f"dash{number}",) for number in range(count)],
        )
        state.commit()


@pytest.fixture
def learned(served_state: Path, server: Served) -> Iterator[str]:
    """A run that promoted a head, and the registry's record of it; gone again afterwards."""
    run = Run(
        *("dash-run", "router", "d" * 64, "c" * 64, {"method": "head"}, 0, "automatic", "running"),
        *(None, None, None, None, "2026-01-01T10:00:00+00:00", None),
    )
    with closing(sqlite3.connect(served_state, isolation_level=None)) as state:
        state.row_factory = sqlite3.Row
        begin_run(state, run)
        save_step(state, run.run_id, "train", {"rows": 80})
        save_step(
            state, run.run_id, "gate", {"verdict": "promote", "reason": "routing gained 5.0 points.", "suites": [SUITE]}
        )
        end_run(state, run.run_id, "promoted", seconds=12.5)
    name = asyncio.run(register(server.settings))
    yield name
    with closing(sqlite3.connect(served_state)) as state:
        for table in ("training_steps", "training_runs", "artefact_changes", "artefacts"):
            state.execute(f"DELETE FROM {table}")
        state.commit()


@pytest.fixture
def served_state(client: httpx.Client, server: Served) -> Path:
    assert client.get("/readyz").status_code == 200
    return server.settings.state_path


async def register(settings: Settings) -> str:
    path = settings.data / "fusion.json"
    path.write_text('{"weights": [1.0]}')
    async with Database(settings.state_path, readers=1) as state:
        registry = Registry(state, settings.artefacts_path)
        name = await registry.add(Manifest(agent="catalogue", kind="fusion", source_hash=""), {"fusion.json": path})
        await registry.activate(name, "run dash-run")
    return name


def test_it_shows_agents_runs_and_decisions(client: httpx.Client, server: Served, learned: str) -> None:
    react(server, 3)
    page = Dashboard.model_validate(client.get("/api/dashboard").json())
    assert (page.shop, page.ready) == ("Larkstone", True)
    assert set(page.agents) == {"recommendation", "inventory"}
    assert page.learning.waiting >= 3 and page.learning.needed == server.settings.train_every
    assert len(page.days) == 14 and page.days[-1].reactions >= 3
    (run,) = page.runs
    assert (run.status, run.rows, run.seconds, run.steps) == ("promoted", 80, 12.5, ["train", "gate"])
    assert (run.suites[0].low, run.suites[0].high, run.suites[0].mde) == (0.02, 0.08, 0.028)
    (artefact,) = page.artefacts
    assert (artefact.hash, artefact.state, artefact.pinned) == (learned, "champion", False)
    assert [change.action for change in page.changes] == ["activate", "add"]


def test_it_follows(client: httpx.Client, server: Served, learned: str) -> None:
    pages: list[Dashboard] = []
    with client.stream("GET", "/api/dashboard/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data:"):
                pages.append(Dashboard.model_validate(json.loads(line[5:])))
                if len(pages) == 1:
                    react(server, 9)
                if pages[-1].learning.waiting >= 9:
                    break
    assert pages[0].artefacts[0].hash == learned


def test_an_owner_pins_and_takes_back(client: httpx.Client, learned: str) -> None:
    def act(**body: object) -> httpx.Response:
        return client.post("/api/dashboard/actions", json=body)

    assert act(action="pin", artefact=learned[:12]).status_code == 200
    assert client.get("/api/dashboard").json()["artefacts"][0]["pinned"] is True
    refused = act(action="rollback", agent="catalogue", kind="fusion")
    assert refused.status_code == 422 and "pinned" in refused.json()["detail"]
    assert act(action="unpin", artefact=learned).status_code == 200
    assert act(action="rollback", agent="catalogue", kind="fusion").status_code == 200
    page = client.get("/api/dashboard").json()
    assert page["artefacts"][0]["state"] == "retired"
    assert [change["action"] for change in page["changes"]][:3] == ["rollback", "unpin", "pin"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "explode"}, 422),
        ({"action": "pin"}, 422),
        ({"action": "pin", "artefact": "../../etc"}, 422),
        ({"action": "pin", "artefact": "abcdef123456"}, 404),
        ({"action": "rollback"}, 422),
        ({"action": "rollback", "agent": "nobody", "kind": "lora"}, 404),
        ({"action": "stop"}, 409),
        ({"action": "train", "more": 1}, 422),
    ],
)
def test_a_wrong_action_is_refused_in_a_sentence(client: httpx.Client, body: dict[str, object], status: int) -> None:
    response = client.post("/api/dashboard/actions", json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


async def test_training_by_hand_starts_once_and_stops(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data=tmp_path, train_automatically=False)  # pyright: ignore[reportCallIssue]
    open_state(settings.state_path)
    mark = tmp_path / "how"
    code = f"import sys, time; open({str(mark)!r}, 'w').write(sys.argv[-1]); time.sleep(60)"
    watch = TrainingWatch(settings, command=command(code))
    async with watch.running():
        watch.train_now()
        assert watch.busy
        with pytest.raises(TrainingRefusedError, match="running already"):
            watch.train_now()
        await wait_for(mark)
        await asyncio.sleep(0.2)
        assert mark.read_text() == "--low-priority"
        await watch.stop_training()
        assert not watch.busy
        with pytest.raises(TrainingRefusedError, match="No training"):
            await watch.stop_training()
