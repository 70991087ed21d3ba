"""A running service tries a new head on a share of its users, by real requests over real HTTP and a real database.

The shoppers ask for something; who is sent to the stock agent instead is unhappy. Nobody's request may fail meanwhile.
"""

import asyncio
import json
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shopfloor.finetune.rollout import go_live
from shopfloor.local_models.artefact_check import find_files
from shopfloor.local_models.head import LinearHead
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import Database, connect
from shopfloor.store.migrations import open_state
from shopfloor.store.rollouts import Rollout, latest
from tests.server.conftest import Served, serving

ROOT = Path(__file__).parents[2]
WISH = "please recommend me something lovely for my sister"
MOST_SHOPPERS = 600
TAKEN_UP_S = 10.0


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_catalogue(Settings(_env_file=None, data=tmp_path_factory.mktemp("catalogue")))  # pyright: ignore[reportCallIssue]


@pytest.fixture
def settings(tmp_path: Path, catalogue: Path, models_path: Path) -> Settings:
    """Without a local model, so that a turn takes milliseconds; the head decides by the words."""
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data=tmp_path / "data",
        shop=catalogue,
        models=models_path,
        model=tmp_path / "absent.gguf",
        google_api_key=None,
        rate_limit_per_minute=0,
        train_automatically=False,
        rollout_stages=(20, 50),
        rollout_min_hours=0,
        rollout_min_outcomes=5,
        rollout_min_users=5,
        rollout_margin=0.3,
        rollout_error_margin=0.5,
        rollout_look_s=0.1,
    )


def head_folder(folder: Path, always: str | None) -> Path:
    """The shipped head; or one that sends everybody to one route."""
    shutil.copytree(ROOT / "local_models/artefacts/router", folder)
    head = LinearHead.load(folder)
    if always is not None:
        head.weights.text_only_bias[:] = [100.0 if label == always else 0.0 for label in head.card.labels]
    else:
        head.weights.text_only_bias[:] += 0.001  # another artefact than the shipped one, with the same answers
    head.weights.bias[:] = head.weights.text_only_bias
    return head.save(folder)


def put_to_trial(settings: Settings, tmp_path: Path, champion: str | None, challenger: str | None) -> tuple[str, str]:
    open_state(settings.state_path)

    async def begin() -> tuple[str, str]:
        async with Database(settings.state_path) as state:
            registry = Registry(state, settings.artefacts_path)
            names = [
                await registry.add(*find_files(head_folder(tmp_path / which, always), "router", None))
                for which, always in (("old", champion), ("new", challenger))
            ]
            await registry.activate(names[0])
            await go_live(settings, state, names[1], "won", shares=True, dataset_hash="d1")
            return names[0], names[1]

    return asyncio.run(begin())


def shop(client: httpx.Client, user: str, dice: random.Random, routes: dict[str, set[str]]) -> None:
    """One shopper asks twice, and says how it was; one in ten is in another mood."""
    reply: dict[str, Any] = {}
    for _ in range(2):
        answer = client.post("/api/chat", json={"text": WISH, "user_id": user})
        assert answer.status_code == 200, answer.text
        events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
        assert not [event for event in events if event.get("type") == "error"], events
        reply = next(event["reply"] for event in events if event.get("type") == "done")
        routes.setdefault(user, set()).add(reply["route"]["route"])
    pleased = (reply["route"]["route"] == "recommendation") != (dice.random() < 0.1)
    said = {"user_id": user, "trace_id": reply["trace_id"], "rating": 5 if pleased else 1}
    assert client.post("/feedback", json=said).status_code == 200


def trial_of(settings: Settings) -> Rollout:
    with closing(connect(settings.state_path, read_only=True)) as state:
        return latest(state)[0]


def everybody_is_recommended_to(client: httpx.Client) -> None:
    """A decision reaches a process within a second on an idle machine: wait for it, then nobody is routed elsewhere."""

    def recommended(number: int) -> bool:
        events = client.post("/api/chat", json={"text": WISH, "user_id": f"later{number}"}).text
        return '"route":"recommendation"' in events

    until = time.monotonic() + TAKEN_UP_S
    while not all(map(recommended, range(40))):
        assert time.monotonic() < until, f"the decision was not taken up within {TAKEN_UP_S} s"
    assert all(map(recommended, range(40)))


def shop_until_decided(served: Served, seed: int) -> tuple[Rollout, dict[str, set[str]], list[int]]:
    """Shoppers come one after another until the trial is over. Returns it, each one's routes, and the shares seen."""
    dice, shares, routes = random.Random(seed), list[int](), dict[str, set[str]]()
    with served.client() as client:
        for number in range(MOST_SHOPPERS):
            trial = trial_of(served.settings)
            if trial.status != "running":
                break
            if trial.share not in shares:
                shares.append(trial.share)
                time.sleep(0.5)  # every process has taken the share up within a second
            shop(client, f"shopper{number}", dice, routes)
    return trial_of(served.settings), routes, shares


@contextmanager
def trial(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter, old: str | None, new: str | None
) -> Iterator[tuple[Served, str, str]]:
    names = put_to_trial(settings, tmp_path, old, new)
    with serving(settings, spans) as served:
        yield served, *names


def test_a_worse_head_is_taken_back_and_stays_out_while_it_cools(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    with trial(settings, tmp_path, spans, None, "inventory") as (served, old, new):
        with served.client() as client:
            shown = client.get("/api/dashboard").json()["trials"]
            assert [(one["artefact"], one["share"], one["stages"]) for one in shown] == [(new, 20, [20, 50, 100])]
        ended, routes, _ = shop_until_decided(served, seed=1)
        assert ended.status == "rolled_back", ended.reason
        assert "less happy" in ended.reason
        assert {len(one) for one in list(routes.values())[:-1]} == {1}  # nobody was on both sides
        with served.client() as client:
            everybody_is_recommended_to(client)  # as before
            page = client.get("/api/dashboard").json()
            assert page["trials"] == [] and "was taken back" in page["learning"]["waits_for"]
            assert page["changes"][0]["action"] == "rollback" and page["changes"][0]["numbers"]["quality"]["high"] < 0
            assert "shopfloor_rollout_outcomes" in client.get("/metrics").text
        assert asyncio.run(again(settings, new)) == "held"
    with closing(sqlite3.connect(settings.state_path)) as state:
        assert state.execute("SELECT count(*) FROM turns WHERE status = 'failed'").fetchone()[0] == 0
        assert state.execute("SELECT hash FROM artefacts WHERE state = 'champion'").fetchone()[0] == old


async def again(settings: Settings, name: str) -> str:
    async with Database(settings.state_path) as state:
        return (await go_live(settings, state, name, "won again", shares=True, dataset_hash="d1")).status


def test_a_better_head_reaches_everybody(settings: Settings, tmp_path: Path, spans: InMemorySpanExporter) -> None:
    with trial(settings, tmp_path, spans, "inventory", None) as (served, _, new):
        ended, _, shares = shop_until_decided(served, seed=2)
        assert (ended.status, shares) == ("finished", [20, 50]), ended.reason
        with served.client() as client:
            everybody_is_recommended_to(client)
            page = client.get("/api/dashboard").json()
    assert [one["hash"] for one in page["artefacts"] if one["state"] == "champion"] == [new]
    with closing(sqlite3.connect(settings.state_path)) as state:
        assert state.execute("SELECT count(*) FROM turns WHERE status = 'failed'").fetchone()[0] == 0


def test_an_owner_promotes_and_takes_back_from_the_page(
    settings: Settings, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    with trial(settings, tmp_path, spans, "inventory", None) as (served, _, new), served.client() as client:
        refused = client.post("/api/dashboard/actions", json={"action": "rollback", "artefact": new[:4] + "0" * 8})
        assert refused.status_code == 404
        taken = client.post("/api/dashboard/actions", json={"action": "rollback", "artefact": new})
        assert taken.status_code == 200 and "served as before" in taken.json()["done"]
        assert trial_of(settings).status == "rolled_back"
        gone = client.post("/api/dashboard/actions", json={"action": "promote", "artefact": new})
        assert gone.status_code == 422 and "not being tried" in gone.json()["detail"]
        warm = settings.model_copy(update={"rollout_cooldown_hours": 0.0})
        assert asyncio.run(again(warm, new)) == "promoted"
        given = client.post("/api/dashboard/actions", json={"action": "promote", "artefact": new})
        assert given.status_code == 200 and "everybody" in given.json()["done"]
        assert trial_of(settings).status == "stopped"
        states = {one["hash"]: one["state"] for one in client.get("/api/dashboard").json()["artefacts"]}
        assert states[new] == "champion"
