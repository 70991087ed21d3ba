"""The owner's page in a real browser, over a real service that really trains."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from shopfloor.finetune.rollout import go_live
from shopfloor.graph.local_router import shipped_head
from shopfloor.local_models.artefact_check import find_files
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database
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


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_the_screen(dashboard: Page, width: int) -> None:
    dashboard.set_viewport_size({"width": width, "height": 800})
    assert dashboard.evaluate("() => document.documentElement.scrollWidth") <= width
    assert dashboard.locator("#train").is_visible()
