"""The OpenAPI document, fuzzed: no server errors, and nothing that the document does not promise.

The short run is part of every test run; the long one is marked slow. Both are Schemathesis's own command, which makes
its cases while it runs: its pytest plugin makes them all at collection, minutes long even where they are deselected.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.conftest import Served

# Where one of these is set, Hypothesis loads a profile of its own whose health checks outrank the ones given here.
CI_VARIABLES = ("CI", "GITLAB_CI", "GITHUB_ACTIONS", "BUILDKITE", "CIRCLECI", "TEAMCITY_VERSION", "TF_BUILD")

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"

# LangServe's routes of shared links repeat the others; the dashboard's events never end.
LEFT_OUT = "--exclude-path-regex=config_hash|dashboard/events"

# Once a route is enough here.
LEAN = ("--max-examples=1", "--no-shrink", LEFT_OUT)


def fuzz(server: Served, folder: Path, *options: str, timeout: float) -> str:
    """Run Schemathesis against the server; its report, once it found nothing."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{server.base}/openapi.json",
            f"--checks={CHECKS}",
            "--warnings=off",
            "--suppress-health-check=all",
            "--generation-deterministic",
            "--request-timeout=60",
            "--no-color",
            *options,
        ],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in CI_VARIABLES},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_every_documented_route_is_called(server: Served, tmp_path: Path) -> None:
    report = fuzz(server, tmp_path, "--phases=examples,fuzzing", *LEAN, timeout=280)
    assert "passed" in report


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_long(server: Served, tmp_path: Path) -> None:
    report = fuzz(
        server,
        tmp_path,
        "--phases=examples,fuzzing",
        "--max-examples=12",
        LEFT_OUT,
        timeout=1400,
    )
    assert "passed" in report
