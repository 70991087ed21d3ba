"""A real service, a real Chromium, and pages in it. The browser is closed with its module: its loop suits no other test."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from shopfloor.server import create_app
from shopfloor.settings import Settings

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)
READY_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Served:
    """A running service."""

    base: str
    settings: Settings


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """Serve on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(settings), log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        _wait(base)
        yield Served(base, settings)
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


def _wait(base: str) -> None:
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until:
        try:
            if httpx.get(f"{base}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    raise RuntimeError("the service is not ready")


@pytest.fixture(scope="module")
def web_settings(models_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A fresh data folder, no rate limit, nothing from the machine's environment."""
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data=tmp_path_factory.mktemp("web-data"),
        models=models_path,
        google_api_key=None,
        rate_limit_per_minute=0,
    )


@pytest.fixture(scope="module")
def served(web_settings: Settings) -> Iterator[Served]:
    """The demo shop with the embedded model."""
    with serving(web_settings) as service:
        yield service


def executable(playwright: Playwright) -> str:
    """A Chromium: the machine's, else Playwright's own; without one the tests fail in CI and are skipped elsewhere."""
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    reason = "no Chromium found: scripts/get-chromium.sh installs one"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable(playwright), args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor with an empty storage."""
    made = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", reduced_motion="reduce")
    made.set_default_timeout(60_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, served: Served) -> Iterator[Page]:
    """The chat page, ready to use; whatever the browser complains of fails the test."""
    opened = context.new_page()
    complaints = listen(opened)
    opened.goto(served.base)
    opened.locator(".starter").first.wait_for()
    yield opened
    assert complaints == []


def listen(page: Page) -> list[str]:
    """Errors of a page as they come: scripts that fail, and what the security policy refuses."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
    )
    return complaints
