"""``shopfloor simulate``: real service, real feedback, real training; what it leaves behind adds up."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shopfloor.settings import Settings
from shopfloor.simulation.report import REPORT_FILES
from shopfloor.store.database import connect

# Notes which process opens the hidden tastes, in every Python process of the run.
WATCH = """
import os, sys
def _hook(event, args):
    if event == "open" and str(args[0]).endswith("tastes.json"):
        with os.fdopen(os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), "w") as file:
            file.write(" ".join(sys.orig_argv) + "\\n")
sys.addaudithook(_hook)
"""


def simulate(folder: Path, settings: Settings, *options: str, **more: str) -> dict[str, Any]:
    """Run the command; returns its report."""
    environment = {**os.environ, "SHOPFLOOR_MODELS": str(settings.models_path.absolute()), **more}
    environment["SHOPFLOOR_DATA"] = str(folder.parent / "own")
    command = [sys.executable, "-m", "shopfloor", "simulate", "--folder", str(folder), "--json", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_days_with_few_shoppers(tmp_path: Path, model_settings: Settings) -> None:
    watcher, watched = tmp_path / "watch", tmp_path / "watched.txt"
    watcher.mkdir()
    (watcher / "sitecustomize.py").write_text(WATCH)
    folder = tmp_path / "run"
    options = ("--days", "2", "--visits", "8", "--shoppers", "6", "--withheld", "12")
    report = simulate(folder, model_settings, *options, PYTHONPATH=str(watcher), WATCHED=str(watched))

    assert all((folder / name).is_file() for name in REPORT_FILES)
    assert json.loads((folder / "report.json").read_text()) == report
    visits = [json.loads(line) for line in (folder / "visits.jsonl").read_text().splitlines()]
    assert (report["days"], report["visits"], len(visits), report["failed_requests"]) == (2, 16, 16, 0)
    start = report["generations"][0]
    assert start["verdict"] == "start" and start["metrics"] == start["baseline"]["frozen"]
    assert sum(part["n"] for part in start["slices"].values()) == report["withheld"] == 12
    for name in ("routing", "bought", "ndcg@10"):
        low, high = start["ci"][name]
        assert low <= start["metrics"][name] <= high
        assert start["oracle"][name] >= start["metrics"][name] - 1e-9
    with closing(connect(folder / "data" / "state.db", read_only=True)) as state:
        turns = [row[0] for row in state.execute("SELECT trace_id FROM turns WHERE door = 'page'")]
        stored = state.execute("SELECT count(*) FROM feedback").fetchone()[0]
        days = state.execute("SELECT count(DISTINCT substr(created_at, 1, 10)) FROM turns").fetchone()[0]
    assert {visit["trace_id"] for visit in visits} <= set(turns) and len(turns) == 16 + 12
    assert report["feedback"] == stored <= sum(visit["reactions"] for visit in visits) + len(visits) and stored > 0
    assert days == 2, "a night has passed between the days"
    assert report["turned_away"]["router"]["honest"]["reactions"] == stored
    assert report["conclusion"]["verdict"] == "not_enough_evidence" and report["promoted"] == 0
    assert not (folder / "service.pid").exists(), "the service has ended"
    readers = watched.read_text().splitlines()
    assert readers and all(" simulate " in line for line in readers), "the service never read the hidden tastes"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("world", [("noise",), ("poisoned", "--share", "0.5")])
def test_nothing_is_promoted_where_there_is_nothing_to_learn(
    world: tuple[str, ...], tmp_path: Path, model_settings: Settings
) -> None:
    options = ("--days", "1", "--withheld", "40", "--visits", "100", "--world", *world)
    report = simulate(tmp_path / "run", model_settings, *options)
    verdicts = [one["verdict"] for one in report["generations"][1:]]
    print(world, verdicts, [one["reason"] for one in report["generations"]], report["turned_away"], report["seconds"])
    assert verdicts and "promoted" not in verdicts and report["failed_requests"] == 0
    assert report["conclusion"]["verdict"] == "not_enough_evidence"
    if world[0] == "poisoned":
        assert report["turned_away"]["router"]["dishonest"]["reactions"] > 30
