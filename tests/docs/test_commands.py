"""Every command in the README and in docs/ runs as written, in a folder that looks as the page assumes."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Commands that whole runs of their own prove; each names the file that does.
PROVED_BY = {
    "make run": "tests/packaging/test_clone.py",
    "make test": ".ci/run",
    "make test-slow": ".ci/run",
    "make lint": ".ci/run",
    "make bench": "tests/bench/test_bench.py",
    "make dev": "tests/graph/test_studio.py",
    "make lock": "scripts/lock.sh",
    "shopfloor bench": "tests/bench/test_bench.py",
    "shopfloor serve": "tests/server",
    "shopfloor lineage": "tests/finetune/test_forget.py",
    "shopfloor forget": "tests/finetune/test_forget.py",
    "shopfloor simulate": "tests/simulation",
    "pip install": "tests/packaging/test_wheel.py",
    "shopfloor models get embedded": "tests/local_models",
}

CASES = (
    {"id": "r1", "text": "which tent would you take for two people", "label": "recommendation"},
    {"id": "r2", "text": "any green socks in the Lisbon shop right now?", "label": "inventory"},
    {"id": "r3", "text": "my parcel hasn't come", "label": "supervisor"},
    {"id": "r4", "text": "suggest warm gloves that your Tokyo branch has today", "label": "both"},
)


def commands() -> list[tuple[str, str]]:
    """(page, command) for each line of each shell block; continued lines are joined."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        for block in FENCE.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#\s.*$", "", line).strip()
                if command and not command.startswith("#"):
                    found.append((page.name, command))
    return found


def proof(command: str) -> str | None:
    return next((where for start, where in PROVED_BY.items() if command.startswith(start)), None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def rate_an_answer(base: str) -> None:
    """Leave feedback on a recommendation, as a shop in use has it."""
    wish = {"user_id": "docs", "context": "a warm jacket"}
    answer = httpx.post(f"{base}/get-recommendations", json=wish, timeout=60).raise_for_status().json()
    rating = {"user_id": "docs", "recommendation_id": answer["recommendation_id"], "rating": 5}
    httpx.post(f"{base}/feedback", json=rating, timeout=60).raise_for_status()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, models_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with a shop, cases and databases; the environment to run commands in; a service behind every port."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "shopfloor/demo", folder / "path/to/shop", ignore=shutil.ignore_patterns("*.py", "hidden"))
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in CASES))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SHOPFLOOR_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["SHOPFLOOR_MODELS"] = str(models_path)
    port = free_port()
    process = subprocess.Popen(["shopfloor", "serve", "--port", str(port)], cwd=folder, env=environment)
    try:
        for _ in range(600):
            assert process.poll() is None, "the service stopped while starting"
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        environment["DOCS_PORT"] = str(port)
        rate_an_answer(f"http://127.0.0.1:{port}")
        yield folder, environment
    finally:
        process.terminate()
        process.wait(30)


def test_pages_hold_commands() -> None:
    assert len(commands()) >= 15


@pytest.mark.parametrize(("page", "command"), [pair for pair in commands() if proof(pair[1])])
def test_command_is_proved_elsewhere(page: str, command: str) -> None:
    where = proof(command)
    assert where is not None and (ROOT / where).exists(), f"{page}: {command}"


@pytest.mark.parametrize(("page", "command"), [pair for pair in commands() if not proof(pair[1])])
def test_command_runs(page: str, command: str, workplace: tuple[Path, dict[str, str]]) -> None:
    folder, environment = workplace
    runnable = re.sub(r"(localhost|127\.0\.0\.1):(8000|5002|5003)", f"127.0.0.1:{environment['DOCS_PORT']}", command)
    if runnable.startswith("curl "):
        runnable = runnable.replace("curl ", "curl --fail-with-body --silent --show-error --max-time 60 ", 1)
    done = subprocess.run(
        runnable, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip() or done.stderr.strip(), f"{page}: {command} printed nothing"
