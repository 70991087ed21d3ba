"""Runs the tests of the transformers runtime in the environment of its own, made by ``scripts/env.sh hf``."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venvs/hf/bin/python"


@pytest.mark.slow
@pytest.mark.timeout(1400)
@pytest.mark.skipif(not PYTHON.exists(), reason="needs the environment made by `scripts/env.sh hf`")
def test_the_runtime_keeps_the_contract_in_its_own_environment() -> None:
    files = ["test_contract.py", "test_hf.py"]
    command = [str(PYTHON), "-m", "pytest", "-q", "-k", "hf", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"tests/local_models/{name}" for name in files)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=1300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
