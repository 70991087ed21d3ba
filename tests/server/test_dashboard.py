"""The owner's page as data: what it shows, how it follows, and what it refuses to do."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from shopfloor.http.dashboard_data import Dashboard
from shopfloor.http.dashboard_reviews import CorrectionRow
from shopfloor.http.training import TrainingRefusedError, TrainingWatch
from shopfloor.local_models.locking import exclusive
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Manifest, Registry
from shopfloor.store.database import Database
from shopfloor.store.loop import Run, begin_run, end_run, save_step
from shopfloor.store.migrations import open_state
from shopfloor.store.traces import now
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


def correct(served: Served, name: str, text: str, route: str) -> None:
    with closing(sqlite3.connect(served.settings.state_path)) as state:
        state.execute(
            """INSERT INTO turns (trace_id, thread_id, user_id, created_at, door, text, route, decided_by, confidence, status)
               VALUES (?, 'th', ?, '2026-01-01', 'ask', ?, 'recommendation', 'local', 0.41, 'answered')""",
            (name, f"user-{name}", text),
        )
        state.execute(
            """INSERT INTO feedback (feedback_id, created_at, updated_at, agent, trace_id, user_id, correction)
               VALUES (?1, '2026-01-01', '2026-01-01', 'recommendation', ?1, 'user-' || ?1, ?2)""",
            (name, json.dumps({"kind": "route", "route": route})),
        )
        state.commit()


@pytest.fixture
def corrected(served_state: Path, server: Served) -> Iterator[None]:
    """Two shoppers' corrections of routes; gone again afterwards."""
    correct(server, "corr-one", "peg check for ann@example.org", "inventory")
    correct(server, "corr-two", "<b>wing it</b>", "both")
    yield
    with closing(sqlite3.connect(served_state)) as state:
        state.execute("PRAGMA foreign_keys = ON")
        state.execute("DELETE FROM feedback WHERE feedback_id LIKE 'corr-%'")
        state.execute("DELETE FROM turns WHERE trace_id LIKE 'corr-%'")
        state.commit()


@pytest.mark.usefixtures("corrected")
def test_an_owner_accepts_and_refuses_corrections(client: httpx.Client, server: Served) -> None:
    def say(correction: CorrectionRow, verdict: str, **other: str) -> httpx.Response:
        body = {"feedback_id": correction.feedback_id, "verdict": verdict, "digest": correction.digest, **other}
        return client.post("/api/dashboard/reviews", json=body)

    found = Dashboard.model_validate(client.get("/api/dashboard").json()).corrections
    first, second = sorted(found.shown, key=lambda one: one.feedback_id)
    assert found.waiting == 2 and (first.text, first.decided, first.says, first.confidence) == (
        *("peg check for [email]", "recommendation", "inventory", 0.41),
    )
    assert "ann@" not in client.get("/api/dashboard").text
    assert say(first, "accepted", digest="0" * 64).status_code == 409
    assert say(first, "perhaps").status_code == 422
    assert say(first, "accepted", feedback_id="nobody").status_code == 404
    evil = {"Origin": "https://evil.example"}
    body = {"feedback_id": first.feedback_id, "verdict": "accepted", "digest": first.digest}
    assert client.post("/api/dashboard/reviews", json=body, headers=evil).status_code == 403
    assert say(first, "accepted").json() == {"done": "The correction is accepted."}
    assert say(second, "refused").status_code == 200
    page = Dashboard.model_validate(client.get("/api/dashboard").json())
    assert page.corrections.waiting == 0
    assert {(one.hash, one.action, one.kind) for one in page.changes[:2]} == {
        ("corr-one", "accepted", "correction"),
        ("corr-two", "refused", "correction"),
    }


def test_it_shows_how_far_a_training_is(client: httpx.Client, server: Served, served_state: Path) -> None:
    data = server.settings.data
    run = Run(
        *("far-run", "router", "d" * 64, "c" * 64, {"method": "lora"}, 0, "command", "running"),
        *(None, None, None, None, "2026-01-01T10:00:00+00:00", None),
    )
    folder = data / "runs" / run.run_id
    folder.mkdir(parents=True)
    said = {"step": 30, "steps": 120, "eta_s": 95, "loss": 0.8, "memory_mb": 900, "paused": False, "at": now()}
    try:
        with closing(sqlite3.connect(served_state, isolation_level=None)) as state:
            state.row_factory = sqlite3.Row
            begin_run(state, run)
        (folder / "progress.json").write_text(json.dumps(said))
        left = Dashboard.model_validate(client.get("/api/dashboard").json())
        assert not left.learning.running and (left.runs[0].under_way, left.runs[0].progress) == (False, None)
        with exclusive(data / "train.lock"), client.stream("GET", "/api/dashboard/events") as response:
            pages = (Dashboard.model_validate(json.loads(one[5:])) for one in response.iter_lines() if "data:" in one)
            page = next(pages)
            assert page.learning.running and not page.learning.stoppable and page.runs[0].under_way
            far = page.runs[0].progress
            assert far is not None and (far.step, far.steps, far.eta_s, far.paused) == (30, 120, 95, False)
            (folder / "pause").touch()
            (folder / "progress.json").write_text(json.dumps({**said, "step": 31}))
            far = next(page.runs[0].progress for page in pages if page.runs[0].progress != far)
            assert far is not None and (far.step, far.paused) == (31, True)
            assert client.post("/api/dashboard/actions", json={"action": "stop"}).status_code == 409
            (folder / "progress.json").write_text(json.dumps({**said, "at": "2026-01-01T00:00:00+00:00"}))
            assert next(page for page in pages if page.runs[0].progress is None).runs[0].under_way
    finally:
        shutil.rmtree(folder)
        with closing(sqlite3.connect(served_state)) as state:
            state.execute("DELETE FROM training_runs WHERE run_id = 'far-run'")
            state.commit()


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


def has_ended(pid: int) -> bool:
    """Gone, or dead and not yet taken note of by the system's first process."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_what_is_stopped_takes_its_trainer_along_and_does_not_start_again(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data=tmp_path)  # pyright: ignore[reportCallIssue]
    open_state(settings.state_path)
    with closing(sqlite3.connect(settings.state_path)) as state:
        state.executemany(
            """INSERT INTO feedback (feedback_id, created_at, updated_at, agent, trace_id, rating)
               VALUES (?, '2026-01-01', '2026-01-01', 'inventory', 't', 5)""",
            [(f"f{number}",) for number in range(settings.train_every)],
        )
        state.commit()
    mark = tmp_path / "below"
    trainer = "import time; time.sleep(60)"
    code = (
        f"import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', {trainer!r}]); "
        f"open({str(mark)!r}, 'w').write(str(child.pid)); time.sleep(60)"
    )
    watch = TrainingWatch(settings, look_every_s=0.05, command=command(code))
    async with watch.running():
        await wait_for(mark)
        async with asyncio.timeout(20):
            while not mark.read_text():
                await asyncio.sleep(0.05)
        await watch.stop_training()
        assert has_ended(int(mark.read_text()))
        assert "It goes on where it was with Train now, or by itself after 50 more" in watch.stopped
        await asyncio.sleep(0.5)
        assert watch.started == 1 and not watch.busy
        watch.train_now()
        assert watch.busy and watch.stopped == ""
