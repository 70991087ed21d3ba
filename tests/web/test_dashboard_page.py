"""The owner's page in a real browser, over a real service that really trains."""

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

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


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_the_screen(dashboard: Page, width: int) -> None:
    dashboard.set_viewport_size({"width": width, "height": 800})
    assert dashboard.evaluate("() => document.documentElement.scrollWidth") <= width
    assert dashboard.locator("#train").is_visible()
