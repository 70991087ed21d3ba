"""Accuracy on the evaluation data, where it is there."""

import os
from pathlib import Path

import pytest

from shopfloor.evaluation.registry import make_suite
from shopfloor.evaluation.runner import EvalRequest, run_suite
from shopfloor.settings import Settings

DATA = Path(os.environ.get("SHOPFLOOR_EVAL_DATA", "/nonexistent"))
CASES = {
    "inventory": ("dev/inventory/inventory_qa_co.jsonl", "shops/oracle_co"),
    "stores": ("dev/inventory/store_locator_bestbuy/store_qa.jsonl", "dev/inventory/store_locator_bestbuy"),
}

pytestmark = [
    pytest.mark.eval_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="SHOPFLOOR_EVAL_DATA names no folder of evaluation data"),
]


@pytest.mark.parametrize("name", sorted(CASES))
async def test_accuracy(name: str, tmp_path: Path) -> None:
    cases, shop = CASES[name]
    request = EvalRequest(cases=DATA / cases, shop=DATA / shop)
    run = await run_suite(make_suite(name), request, Settings(data=tmp_path))
    metrics = run.report.metrics
    assert metrics["exact"] >= 0.98
    assert metrics["intent"] >= 0.98
    assert metrics["slots"] >= 0.98
    assert metrics["numbers_true"] == 1.0
