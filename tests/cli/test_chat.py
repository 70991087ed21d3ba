"""``shopfloor chat``: once, as JSON, and as a conversation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shopfloor.tools.schemas import Reply


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chat-data")


def chat(data: Path, models: Path, *words: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "SHOPFLOOR_DATA": str(data),
        "SHOPFLOOR_MODELS": str(models),
        "SHOPFLOOR_MODEL_FORM": "prepared",
        "COLUMNS": "160",
    }
    return subprocess.run(
        [sys.executable, "-m", "shopfloor", "chat", *words],
        env=environment,
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=data,
    )


def test_json_is_one_reply(data: Path, models_path: Path) -> None:
    done = chat(data, models_path, "--message", "a warm blue jacket", "--json")
    assert done.returncode == 0, done.stderr
    reply = Reply.model_validate(json.loads(done.stdout))
    assert reply.route.route == "recommendation"
    assert reply.items
    assert reply.user_id == "terminal"


def test_a_conversation_with_cards_and_a_rating(data: Path, models_path: Path) -> None:
    lines = "a warm blue jacket\n/rate 5\n/rate 9\n/quit\n"
    done = chat(data, models_path, "--user", "ann", "--thread", "cli-test", lines=lines)
    assert done.returncode == 0, done.stderr
    assert "SKU_" in done.stdout
    assert "Thank you." in done.stdout
    assert "from 1 to 5" in done.stdout
    again = chat(data, models_path, "--user", "ann", "--resume", lines="/quit\n")
    assert "you> a warm blue jacket" in again.stdout


def test_somebody_elses_conversation_is_refused(data: Path, models_path: Path) -> None:
    chat(data, models_path, "--user", "ann", "--thread", "hers", "--message", "hello")
    done = chat(data, models_path, "--user", "bob", "--thread", "hers", "--message", "hello")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
