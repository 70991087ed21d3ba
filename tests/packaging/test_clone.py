"""A fresh clone answers by the README's first command, with nothing installed beforehand."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READY_S = 300


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until_ready(base: str, process: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=2) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"not ready within {READY_S} s:\n{log.read_text()}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_make_run_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    log = tmp_path / "log"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SHOPFLOOR_", "VIRTUAL_ENV"))}
    began = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(
            ["make", "run", f"ARGS=--port {port}"],
            cwd=clone,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            until_ready(base, process, log)
            body = json.dumps({"user_id": "test", "context": "jacket", "count": 3}).encode()
            request = urllib.request.Request(
                f"{base}/get-recommendations", data=body, headers={"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.load(response)
            print(f"clone to first answer: {time.monotonic() - began:.1f} s")
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
    assert len(answer["items"]) == 3
    assert "SKU_" in answer["items"][0]["sku"]
    assert re.search(rf"http://127\.0\.0\.1:{port}", log.read_text()), "the address to open is printed"
