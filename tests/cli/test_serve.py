"""``shopfloor serve``: the two agents' services on their ports, a fresh database, and how it ends."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

READY_TIMEOUT_S = 120.0

# Word for word what a user copies.
CURLS = """
curl -X POST http://localhost:5002/get-recommendations -H "Content-Type: application/json" -d '{"user_id":"test","context":"jacket","count":3}'
curl -X POST http://localhost:5003/check-inventory -H "Content-Type: application/json" -d '{"product_id":"SKU_JCK_01"}'
curl -X POST http://localhost:5003/check-inventory -H "Content-Type: application/json" -d '{"product_id":"SKU_JCK_01","location_context":{"city":"Delhi"}}'
curl -X POST http://localhost:5002/feedback -H "Content-Type: application/json" -d '{"user_id":"user_123","recommendation_id":"SKU_JCK_01","rating":5,"action":"purchased"}'
curl -X POST http://localhost:5003/feedback -H "Content-Type: application/json" -d '{"product_id":"SKU_JCK_01","rating":4}'
curl http://localhost:5002/model-stats
"""


@contextmanager
def service(data: Path, models: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "SHOPFLOOR_DATA": str(data),
        "SHOPFLOOR_MODELS": str(models),
        "SHOPFLOOR_MODEL_FORM": "prepared",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "shopfloor", "serve", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=data,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_ready(port: int) -> None:
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"port {port} is not ready")


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.mark.skipif(not (free(5002) and free(5003)), reason="port 5002 or 5003 is in use on this machine")
def test_the_six_curl_lines_on_a_fresh_database(tmp_path: Path, models_path: Path) -> None:
    with service(tmp_path, models_path, "recommendation"), service(tmp_path, models_path, "inventory"):
        wait_until_ready(5002)
        wait_until_ready(5003)
        answers: list[dict[str, object]] = []
        for line in CURLS.strip().splitlines():
            command = [*shlex.split(line), "--silent", "--fail-with-body", "--noproxy", "*"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            answers.append(json.loads(done.stdout))
    recommended, anywhere, delhi, bought, rated, stats = answers
    assert len(recommended["items"]) == 3  # type: ignore[arg-type]
    assert anywhere["product"]["sku"] == "SKU_JCK_01"  # type: ignore[index]
    assert any(store["city"] and "Delhi" in store["city"] for store in delhi["stores"])  # type: ignore[attr-defined]
    assert bought["accepted"] is True
    assert rated["accepted"] is True
    assert "recommendation" in stats["agents"]  # type: ignore[operator]


def test_the_banner_and_a_graceful_end(tmp_path: Path, models_path: Path) -> None:
    port = free_port()
    with service(tmp_path, models_path, "--port", str(port)) as process:
        wait_until_ready(port)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "First start" in out
    assert "Ready in" in out
    assert f"http://127.0.0.1:{port}/" in out
    assert out.rstrip().endswith("Stopped.")
    for line in err.splitlines():
        assert "event" in json.loads(line), line


def test_a_taken_port_is_one_sentence(tmp_path: Path, models_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with service(tmp_path, models_path, "--port", str(port)) as process:
            _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.startswith(f"shopfloor: Port {port} is in use")
    assert len(err.splitlines()) == 1
