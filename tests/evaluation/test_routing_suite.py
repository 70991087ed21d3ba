"""``eval routing`` on cases of our own: right figures, blind to labels, and learning from --train."""

import json
from pathlib import Path

import pytest

from shopfloor.cli.evaluate import parse_sizes
from shopfloor.errors import InputError
from shopfloor.evaluation.registry import make_suite
from shopfloor.evaluation.runner import EvalRequest, run_suite
from shopfloor.settings import Settings

CASES = (
    ("show me light rain jackets for cycling", "recommendation"),
    ("is the red scarf in stock at your Leeds branch", "inventory"),
    ("I need a wool hat under 30 euros. Is it in stock in Berlin?", "both"),
    ("cancel my last order please", "supervisor"),
)


def write(path: Path, *, honest: bool) -> Path:
    rows = [{"id": str(n), "text": text, "label": label if honest else "both"} for n, (text, label) in enumerate(CASES)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def test_figures_and_blindness(tmp_path: Path) -> None:
    honest = EvalRequest(cases=write(tmp_path / "a.jsonl", honest=True))
    wrong = EvalRequest(cases=write(tmp_path / "b.jsonl", honest=False))
    settings = Settings(data=tmp_path)
    first = await run_suite(make_suite("routing"), honest, settings)
    second = await run_suite(make_suite("routing"), wrong, settings)
    assert first.report.metrics["accuracy"] == 1.0
    assert second.report.metrics["accuracy"] == 0.25
    assert [record.got for record in first.records] == [record.got for record in second.records]
    assert set(first.report.metrics) >= {"accuracy", "macro_f1", "ece", "coverage_at_95"}
    assert set(first.report.baselines) == {"always recommendation", "text alone"}
    assert first.report.artefacts.heads


async def test_an_unknown_label_and_supervisor_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "a", "label": "nobody"}\n')
    with pytest.raises(InputError, match="line 1, field label"):
        await run_suite(make_suite("routing"), EvalRequest(cases=path), Settings(data=tmp_path))
    good = EvalRequest(cases=write(tmp_path / "a.jsonl", honest=True), options={"supervisor": "oracle"})
    with pytest.raises(InputError, match="supervisor oracle"):
        await run_suite(make_suite("routing"), good, Settings(data=tmp_path))


def test_sizes() -> None:
    assert parse_sizes("0, 50,200") == (0, 50, 200)
    with pytest.raises(InputError, match="whole numbers"):
        parse_sizes("5,x")
