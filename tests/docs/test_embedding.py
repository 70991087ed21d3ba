"""The code of docs/embedding.md, run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", (REPOSITORY / "docs" / "embedding.md").read_text(), re.DOTALL
)
SERVED = """
from fastapi.testclient import TestClient
with TestClient(app) as client:
    answer = client.post("/help", params={"text": "a warm jacket", "user": "ada"})
    assert answer.status_code == 200, answer.text
    print(answer.json()["text"], answer.json()["items"][0]["sku"])
"""


@pytest.mark.parametrize(("title", "code"), BLOCKS, ids=[title for title, _ in BLOCKS])
def test_block_runs(title: str, code: str, tmp_path: Path, models_path: Path) -> None:
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    script = tmp_path / "host.py"
    script.write_text(code + (SERVED if "FastAPI" in title else ""))
    environment = {
        **os.environ,
        "SHOPFLOOR_DATA": str(tmp_path / "data"),
        "SHOPFLOOR_MODELS": str(models_path),
        "SHOPFLOOR_EXPLAIN_TIMEOUT_S": "2",
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SKU_" in done.stdout


def test_there_is_a_block_for_each_way() -> None:
    assert len(BLOCKS) == 3
