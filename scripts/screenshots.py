"""Take the README's pictures of the chat page from the real service: ``.venv/bin/python scripts/screenshots.py``.

Starts the service on the demo shop in a temporary folder, asks two things, and writes docs/images/chat-desktop.png and
chat-phone.png. Needs Chromium (scripts/get-chromium.sh) and the embedded model.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
IMAGES = REPOSITORY / "docs" / "images"
LARGEST = 300_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
READY_TIMEOUT_S = 180.0


def main() -> int:
    """Take both pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = {**os.environ, "SHOPFLOOR_DATA": data, "SHOPFLOOR_MODELS": str(REPOSITORY / ".cache" / "models")}
        command = [sys.executable, "-m", "shopfloor", "serve", "--port", str(port)]
        service = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
        try:
            base = f"http://127.0.0.1:{port}"
            wait(base)
            take_both(base)
        finally:
            service.terminate()
            service.wait(20)
    return 0


def wait(base: str) -> None:
    """Poll until the service is ready."""
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.3)
    raise SystemExit("the service did not start")


def take_both(base: str) -> None:
    """Both pictures, each within its size."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        wish = "a rain jacket under 160"
        take(browser, base, "chat-desktop", (1280, 800), "light", [wish])
        take(browser, base, "chat-phone", (390, 844), "dark", [wish, "Which stores have the first one?"])
        browser.close()


def take(
    browser: Browser,
    base: str,
    name: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
    messages: list[str],
) -> None:
    """One picture of a conversation."""
    page = browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        device_scale_factor=1.5,
        locale="en-GB",
        reduced_motion="reduce",
        is_mobile=size[0] < 600,
    )
    page.goto(base)
    page.locator(".starter").first.wait_for()
    for count, message in enumerate(messages, 1):
        page.fill("#message", message)
        page.press("#message", "Enter")
        page.locator(".after").nth(count - 1).wait_for()
    page.locator("#message").blur()
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    page.close()
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path.name} has {path.stat().st_size} bytes, over {LARGEST}")
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    raise SystemExit(main())
