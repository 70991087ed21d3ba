"""``eval all``: finds cases by name, runs what it finds, names what it skipped and why."""

import json
from pathlib import Path

import pytest

from shopfloor.evaluation.everything import all_to_markdown, find_all, run_all
from shopfloor.evaluation.runner import EvalRequest, EvalRun
from shopfloor.settings import Settings


@pytest.fixture
def data(tmp_path: Path) -> Path:
    routing = tmp_path / "data" / "dev" / "routing"
    routing.mkdir(parents=True)
    rows = [
        {"text": "show me warm hats", "label": "recommendation"},
        {"text": "where is my parcel", "label": "supervisor"},
    ]
    (routing / "routing.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stores = tmp_path / "data" / "dev" / "stores"
    stores.mkdir()
    (stores / "store_qa.jsonl").write_text('{"question": "where"}\n')
    (tmp_path / "data" / "shops" / "one").mkdir(parents=True)
    (tmp_path / "data" / "dev" / "inventory_qa_one.jsonl").write_text("{}\n")
    return tmp_path / "data"


def test_cases_are_found_by_name_with_their_shop(data: Path) -> None:
    found = find_all(EvalRequest(limit=3, seed=5), data)
    assert found.requests["routing"].cases == data / "dev/routing/routing.jsonl"
    assert found.requests["routing"].shop is None
    assert found.requests["stores"].shop == data / "dev/stores"
    assert found.requests["inventory"].shop == data / "shops/one"
    assert found.requests["chat"].cases is not None
    assert found.requests["grounding"].cases is None
    assert (found.requests["routing"].limit, found.requests["routing"].seed) == (3, 5)
    assert found.skipped["ranking"] == "no basket_completion_rerank30.jsonl under --data"
    alone = find_all(EvalRequest(), None).requests
    assert set(alone) == {"chat", "inventory", "requests", "grounding", "explanations"}
    assert alone["inventory"].cases is not None and alone["inventory"].shop is None


async def test_one_bad_suite_does_not_stop_the_others(data: Path, tmp_path: Path, models_path: Path) -> None:
    found = find_all(EvalRequest(), data)
    for name in ("chat", "grounding", "requests", "explanations", "inventory"):
        del found.requests[name]
    runs: dict[str, EvalRun] = {}
    reports = await run_all(found, Settings(data=tmp_path, models=models_path), done=runs.__setitem__)
    assert reports.suites["routing"].n == 2
    assert set(runs) == {"routing"}
    assert "line 1, field" in reports.failed["stores"]
    parsed = json.loads(reports.to_json())
    assert parsed["suites"]["routing"]["artefacts"]["fusion"] is None
    assert set(parsed) == {"suites", "skipped", "failed"}
    text = all_to_markdown(reports)
    assert "| routing | 2 | accuracy | 1 |" in text
    assert "## Failed" in text
