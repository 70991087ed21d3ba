"""The owner's page in a real browser, over a real service that really trains."""

import asyncio
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from shopfloor.finetune.rollout import go_live
from shopfloor.graph.local_router import shipped_head
from shopfloor.local_models.artefact_check import find_files
from shopfloor.local_models.locking import exclusive
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.loop import Run, begin_run, end_run
from shopfloor.store.traces import now
from tests.web.conftest import Served, listen

pytestmark = pytest.mark.browser


@pytest.fixture
def dashboard(context: BrowserContext, served: Served) -> Page:
    page = context.new_page()
    page.goto(f"{served.base}/dashboard")
    page.get_by_role("heading", name="Agents").wait_for()
    return page


def test_it_shows_the_service_at_a_glance(dashboard: Page, served: Served) -> None:
    complaints = listen(dashboard)
    dashboard.reload()
    expect(dashboard.locator("#health")).to_contain_text("Everything works")
    expect(dashboard.locator("#agents .card")).to_have_count(2)
    expect(dashboard.locator("#learning")).to_contain_text("a training starts by itself")
    expect(dashboard.locator("#runs")).to_contain_text("No training yet")
    assert dashboard.title() == "Larkstone: dashboard"
    assert complaints == []


def test_a_message_shows_up_by_itself(dashboard: Page, served: Served) -> None:
    before = dashboard.locator("#agents .card").first.inner_text()
    answer = httpx.post(
        f"{served.base}/get-recommendations", json={"user_id": "dash", "context": "a jacket", "count": 2}, timeout=60
    )
    assert answer.status_code == 200
    expect(dashboard.locator("#agents .card").first).not_to_have_text(before, timeout=20_000)
    liked = {"user_id": "dash", "recommendation_id": answer.json()["items"][0]["sku"], "rating": 5}
    assert httpx.post(f"{served.base}/feedback", json=liked, timeout=60).status_code == 200
    expect(dashboard.locator("#learning strong")).not_to_have_text("0", timeout=20_000)
    expect(dashboard.locator("#days .chart")).to_be_visible()


def test_train_now_with_too_little_says_so_and_ends(dashboard: Page) -> None:
    dashboard.get_by_role("button", name="Train now").click()
    expect(dashboard.locator("#toast")).to_contain_text("The training has begun")
    expect(dashboard.get_by_role("button", name="Train now")).to_be_enabled(timeout=60_000)


def put_to_trial(settings: Settings, folder: Path) -> str:
    """Two heads that answer as the shipped one: one serves, the other is tried on a tenth of the users."""

    async def begin() -> str:
        async with Database(settings.state_path) as state:
            registry = Registry(state, settings.artefacts_path)
            names: list[str] = []
            for number in (1, 2):
                head = shipped_head()
                head.weights.text_only_bias[:] += number / 1_000
                names.append(await registry.add(*find_files(head.save(folder / str(number)), "router", None)))
            await registry.activate(names[0])
            await go_live(settings, state, names[1], "won", shares=True)
            return names[1]

    return asyncio.run(begin())


def test_what_is_tried_is_shown_and_taken_back(dashboard: Page, served: Served, tmp_path: Path) -> None:
    complaints = listen(dashboard)
    with ThreadPoolExecutor(1) as pool:  # the browser's own loop runs in this thread
        name = pool.submit(put_to_trial, served.settings, tmp_path).result()
    card = dashboard.locator(".trial")
    expect(card).to_contain_text(name[:12])
    expect(card).to_contain_text("answers 10 % of the users")
    expect(card.locator("[aria-current=step]")).to_have_text("10 %")
    expect(dashboard.locator("#artefacts")).to_contain_text("Serves 90 %")
    for width in (360, 1280):
        dashboard.set_viewport_size({"width": width, "height": 800})
        assert dashboard.evaluate("() => document.documentElement.scrollWidth") <= width
    dashboard.on("dialog", lambda dialog: dialog.accept())
    card.get_by_role("button", name="Roll back").click()
    expect(dashboard.locator("#toast")).to_contain_text("Everybody is served as before")
    expect(dashboard.locator("#trials-section")).to_be_hidden()
    expect(dashboard.locator("#changes")).to_contain_text("was taken back (from the dashboard)")
    sentence = "One was taken back; trainings start by themselves again after"
    expect(dashboard.locator("#learning")).to_contain_text(
        sentence, timeout=60_000
    )  # a training may be under way still
    assert complaints == []


def correct(settings: Settings, name: str, text: str, route: str) -> None:
    with closing(sqlite3.connect(settings.state_path)) as state:
        state.execute(
            """INSERT INTO turns (trace_id, thread_id, user_id, created_at, door, text, route, decided_by, confidence, status)
               VALUES (?1, 'th', ?1, '2026-01-01T10:00:00+00:00', 'ask', ?2, 'recommendation', 'local', 0.41, 'answered')""",
            (name, text),
        )
        state.execute(
            """INSERT INTO feedback (feedback_id, created_at, updated_at, agent, trace_id, user_id, correction)
               VALUES (?1, '2026-01-01T10:00:00+00:00', '2026-01-01T10:00:00+00:00', 'recommendation', ?1, ?1, ?2)""",
            (name, json.dumps({"kind": "route", "route": route})),
        )
        state.commit()


def verdicts(settings: Settings) -> dict[str, str]:
    with closing(sqlite3.connect(settings.state_path)) as state:
        return dict(state.execute("SELECT feedback_id, verdict FROM feedback_reviews").fetchall())


def test_corrections_are_accepted_and_refused(dashboard: Page, served: Served) -> None:
    complaints = listen(dashboard)
    correct(served.settings, "one", "peg check <img src=x onerror=alert(1)> in Berlin", "inventory")
    correct(served.settings, "two", "wing it for me, a rainy week", "both")
    section = dashboard.locator("#reviews-section")
    expect(section.locator("li")).to_have_count(2)
    first = section.locator("li[data-id=one]")
    expect(first).to_contain_text("peg check <img src=x onerror=alert(1)> in Berlin")
    expect(first).to_contain_text("went to recommendations should be stock")
    assert section.locator("img").count() == 0
    for width in (390, 1280):
        dashboard.set_viewport_size({"width": width, "height": 800})
        assert dashboard.evaluate("() => document.documentElement.scrollWidth") <= width
    first.get_by_role("button", name="Accept").click()
    expect(dashboard.locator("#toast")).to_contain_text("The correction is accepted.")
    expect(section.locator("li")).to_have_count(1)
    section.get_by_role("button", name="Refuse").click()
    expect(section).to_be_hidden()
    expect(dashboard.locator("#changes")).to_contain_text("A shopper's correction two was refused (from the dashboard)")
    assert verdicts(served.settings) == {"one": "accepted", "two": "refused"}
    assert complaints == []


def test_a_training_under_way_shows_how_far_it_is(dashboard: Page, served: Served) -> None:
    data = served.settings.data
    folder = data / "runs" / "far"
    folder.mkdir(parents=True)
    run = Run(
        *("far", "router", "d" * 64, "c" * 64, {"method": "lora"}, 0, "command", "running"),
        *(None, None, None, None, now(), None),
    )
    said = {"step": 30, "steps": 120, "eta_s": 95, "loss": 0.8, "memory_mb": 900, "paused": False, "at": now()}
    (folder / "progress.json").write_text(json.dumps(said))
    panel = dashboard.locator("#learning")
    with exclusive(data / "train.lock"):
        with closing(connect(served.settings.state_path)) as state:
            begin_run(state, run)
        expect(panel).to_contain_text("The router's LoRA adapter is being trained. It is learning.")
        expect(panel).to_contain_text("step 30 of 120, loss 0.80, about 2 min left, 900 MB")
        expect(panel.get_by_role("progressbar", name="Training", exact=True)).to_have_attribute("value", "30")
        expect(dashboard.get_by_role("button", name="Train now")).to_be_disabled()
        (folder / "progress.json").write_text(json.dumps({**said, "step": 31, "paused": True}))
        expect(panel).to_contain_text("waits for shoppers")
    (folder / "progress.json").unlink()
    expect(dashboard.locator("#runs .run").first).to_contain_text("Interrupted")
    expect(dashboard.get_by_role("button", name="Train now")).to_be_enabled()
    with closing(connect(served.settings.state_path)) as state:
        end_run(state, "far", "failed", error="It was only shown.")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_the_screen(dashboard: Page, width: int) -> None:
    dashboard.set_viewport_size({"width": width, "height": 800})
    assert dashboard.evaluate("() => document.documentElement.scrollWidth") <= width
    assert dashboard.locator("#train").is_visible()
