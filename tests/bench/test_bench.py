"""The benchmark runs and reports what INTERFACES promises; its figures are not judged here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WANTED = {
    "first_card_model_on_ms_p50",
    "first_card_model_off_ms_p50",
    "model_score_skipped_share",
    "overhead_graph_ms_p50",
    "overhead_traces_ms_p50",
    "overhead_checkpoint_ms_p50",
    "overhead_turn_ms_p50",
    "json_list_ms_p50",
}
RETRIEVAL = {
    f"{name}_0_4k_{unit}"
    for name, unit in (
        ("import", "s"),
        ("catalogue", "mb"),
        ("facets", "load_s"),
        ("facets", "memory_mb"),
        ("index", "build_s"),
        ("index", "mb"),
        ("retrieval", "ms_p50"),
        ("retrieval", "ms_p95"),
        ("retrieval", "recall20"),
        ("fts5", "ms_p50"),
        ("fts5", "ms_p95"),
        ("recommend", "ms_p50"),
        ("recommend", "ms_p95"),
    )
}
SERVED = {"start_first_s", "start_second_s", "memory_rest_mb", "memory_8_chats_mb", "chats_per_s_1", "chats_per_s_8"}


def bench(folder: Path, models_path: Path, *options: str) -> dict[str, dict[str, float]]:
    environment = {
        **os.environ,
        "SHOPFLOOR_MODELS": str(models_path),
        "SHOPFLOOR_DATA": str(folder),
        "SHOPFLOOR_MODEL_TIMEOUT_S": "120",
    }
    done = subprocess.run(
        [sys.executable, "-m", "shopfloor", "bench", "--requests", "4", "--json", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["machine"]["cores"] >= 1
    assert all({"id", "value", "unit", "baseline", "ratio", "target", "n", "ci"} <= set(row) for row in report["rows"])
    return {row["id"]: row for row in report["rows"]}


def test_turns(tmp_path: Path, models_path: Path) -> None:
    rows = bench(tmp_path, models_path, "--no-service")
    assert set(rows) >= WANTED
    assert rows["first_card_model_off_ms_p50"]["n"] == 4
    assert 0 <= rows["model_score_skipped_share"]["value"] <= 1


def test_retrieval_alone(tmp_path: Path, models_path: Path) -> None:
    rows = bench(tmp_path, models_path, "--only", "retrieval", "--sizes", "400")
    assert set(rows) == RETRIEVAL
    assert rows["retrieval_0_4k_recall20"]["value"] >= 0.95
    assert rows["retrieval_0_4k_ms_p95"]["n"] > 100
    assert rows["index_0_4k_mb"]["value"] < rows["catalogue_0_4k_mb"]["value"]


@pytest.mark.parametrize("wrong", [("--only", "cooking"), ("--sizes", "many")], ids=" ".join)
def test_wrong_use_is_said(wrong: tuple[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shopfloor", "bench", *wrong]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert wrong[1] in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_served_process(tmp_path: Path, models_path: Path) -> None:
    rows = bench(tmp_path, models_path)
    assert set(rows) >= WANTED | SERVED
    assert rows["memory_rest_mb"]["value"] > 100
