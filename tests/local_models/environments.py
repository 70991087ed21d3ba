"""Runs tests of one runtime in the environment of its own, made by ``scripts/env.sh NAME``."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_of(name: str) -> Path:
    """Its interpreter; whether it is there says whether the environment was made."""
    return ROOT / ".venvs" / name / "bin" / "python"


def run_tests(name: str, files: list[str], *, select: str, timeout_s: float, variables: dict[str, str]) -> str:
    """Run test files of this folder there; returns what pytest said, and fails with its end when a test failed."""
    command = [str(python_of(name)), "-m", "pytest", "-q", "-k", select, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"tests/local_models/{file}" for file in files)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    return done.stdout
