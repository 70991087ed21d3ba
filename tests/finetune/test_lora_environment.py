"""Runs the training tests in the environment of its own, made by ``scripts/env.sh hf``."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venvs/hf/bin/python"


@pytest.mark.slow
@pytest.mark.timeout(1400)
@pytest.mark.skipif(not PYTHON.exists(), reason="needs the environment made by `scripts/env.sh hf`")
def test_training_in_its_own_environment() -> None:
    done = subprocess.run(
        [str(PYTHON), "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "tests/finetune/test_lora_training.py"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=1300,
        check=False,
    )
    print(done.stdout[-1500:])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
