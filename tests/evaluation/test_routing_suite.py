"""``eval routing`` on cases of our own: right figures, blind to labels, and learning from --train."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from shopfloor.cli.evaluate import parse_sizes
from shopfloor.errors import ConfigError, InputError
from shopfloor.evaluation.registry import make_suite
from shopfloor.evaluation.runner import EvalRequest, run_suite
from shopfloor.graph.local_router import shipped_head
from shopfloor.settings import Settings
from tests.fakes.gemini import FakeGemini, calls, fails

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


async def test_it_learns_on_from_the_shipped_head(tmp_path: Path, models_path: Path) -> None:
    """Size 0 is the shipped head; a shop's odd word for a return, told a few times, is understood afterwards."""
    odd = [
        {"text": f"{start} zurpling {thing}{mark}", "label": "supervisor"}
        for start in ("how does", "is", "tell me about", "what about my", "i want")
        for thing, mark in (("work", "?"), ("this jacket", ""), ("the red hat in Berlin", ""), ("shoes", " please"))
    ]
    train = tmp_path / "train.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in odd))
    cases = tmp_path / "cases.jsonl"
    asked = [
        *CASES,
        ("zurpling for a scarf in stock in Leeds", "supervisor"),
        ("show me zurpling jackets", "supervisor"),
    ]
    cases.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in asked))
    request = EvalRequest(cases=cases, train=train, sizes=(0, 20))
    run = await run_suite(make_suite("routing"), request, Settings(data=tmp_path, models=models_path))
    assert run.report.curve is not None
    before, after = run.report.curve
    assert before.metrics["accuracy"] == run.report.metrics["accuracy"] < 1
    assert after.metrics["accuracy"] > before.metrics["accuracy"]
    assert run.report.artefacts.heads == [shipped_head().hash]  # the figures above the curve are of the shipped one


async def test_folds_learn_from_the_cases_and_keep_near_wordings_together(tmp_path: Path, models_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    rows = [
        {"text": text + mark, "label": label, "source": label} for text, label in CASES for mark in ("", "!", " ok")
    ]
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = make_suite("routing")
    settings = Settings(data=tmp_path, models=models_path)
    run = await run_suite(suite, EvalRequest(cases=cases, folds=2), settings)
    found = run.report.cross_validation
    assert found is not None
    assert (found.folds, found.n) == (2, 12)
    assert found.metrics["accuracy"] == 1.0
    assert found.slices["source"]["both"]["n"] == 3
    groups = suite.groups([suite.case_model.model_validate(row) for row in rows])
    assert groups == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    with pytest.raises(InputError, match="from 2 to 4"):
        await run_suite(make_suite("routing"), EvalRequest(cases=cases, folds=5), settings)


async def test_gemini_decides_and_the_local_router_where_it_fails(tmp_path: Path, models_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", honest=True)
    script = [
        calls(("recommend", {"query": "light rain jackets for cycling"})),
        calls(("check_inventory", {"question": "is the red scarf in stock", "city": "Leeds"})),
        calls(("recommend", {"query": "wool hat"}), ("check_inventory", {"question": "in Berlin?"})),
        fails(400),
    ]
    async with FakeGemini(script) as gemini:
        settings = Settings(
            data=tmp_path, models=models_path, google_api_key=SecretStr("key"), gemini_base_url=gemini.url
        )
        run = await run_suite(
            make_suite("routing"), EvalRequest(cases=path, options={"supervisor": "gemini"}), settings
        )
    assert len(gemini.requests) == 4
    assert run.report.metrics["accuracy"] == 1.0
    assert run.report.slices["decided_by"] == {
        "gemini": {"n": 3, "accuracy": 1.0},
        "local": {"n": 1, "accuracy": 1.0},
    }
    assert '"n": 3,' in run.report.to_json()
    with pytest.raises(ConfigError, match="GOOGLE_API_KEY"):
        await run_suite(
            make_suite("routing"),
            EvalRequest(cases=path, options={"supervisor": "gemini"}),
            Settings(data=tmp_path, google_api_key=None),
        )


def test_sizes() -> None:
    assert parse_sizes("0, 50,200") == (0, 50, 200)
    with pytest.raises(InputError, match="whole numbers"):
        parse_sizes("5,x")
