"""The shipped dialogues with Gemini as the supervisor, played over its wire format by a script of function calls."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shopfloor.evaluation.report import EvalReport
from shopfloor.evaluation.runner import EvalRequest, EvalRun, run_suite
from shopfloor.evaluation.suites.chat import make_suite
from shopfloor.settings import load_settings
from tests.evaluation.test_chat_suite import OPEN, SEALED
from tests.fakes.gemini_player import PlayedGemini, Screen, play

FEW = 8  # dialogues; the slow test runs all


async def run_with_gemini(cases: Path, data: Path, models: Path, limit: int | None = None) -> EvalRun:
    dialogues = yaml.safe_load(cases.read_text(encoding="utf-8"))
    async with PlayedGemini(dialogues=dialogues) as gemini:
        settings = load_settings(data=data, models=models, google_api_key="test", gemini_base_url=gemini.url)
        run = await run_suite(
            make_suite(), EvalRequest(cases=cases, limit=limit, options={"supervisor": "gemini"}), settings
        )
        assert len(gemini.requests) > sum(len(one["turns"]) for one in dialogues[:limit])
    return run


def wrong(report: EvalReport, notes: list[str]) -> str:
    return f"{report.metrics}\n" + "\n".join(note for note in notes if note)


async def test_first_dialogues_with_gemini(tmp_path: Path, models_path: Path) -> None:
    run = await run_with_gemini(OPEN, tmp_path, models_path, FEW)
    assert run.report.metrics["turns_ok"] >= 0.9, wrong(run.report, [record.note for record in run.records])


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "least"), [(OPEN, 0.95), (SEALED, 0.85)], ids=["open", "sealed"])
async def test_every_dialogue_with_gemini(cases: Path, least: float, tmp_path: Path, models_path: Path) -> None:
    run = await run_with_gemini(cases, tmp_path, models_path)
    assert run.report.metrics["turns_ok"] >= least, wrong(run.report, [record.note for record in run.records])


@pytest.mark.parametrize(
    ("turn", "names"),
    [
        ({"user": "a red coat", "expect": {"skus_first": ["A"]}}, ["recommend"]),
        ({"user": "is it in Tokyo?", "expect": {"numbers": [3]}}, ["check_inventory"]),
        ({"user": "a coat, and is it in Tokyo?", "expect": {"route": "both"}}, ["recommend", "check_inventory"]),
        ({"user": "is the Red Coat warm?", "expect": {"contains": ["warm"]}}, ["product_details"]),
        ({"user": "hello", "expect": {"cards": False}}, []),
        ({"user": "x", "gemini": [{"name": "recommend", "args": {"query": "y"}}]}, ["recommend"]),
    ],
)
def test_calls_follow_the_expected_route(turn: dict[str, Any], names: list[str]) -> None:
    step = play(turn, [], Screen())
    assert [part["functionCall"]["name"] for part in step.parts if "functionCall" in part] == names


def test_places_on_the_screen_are_pointed_at() -> None:
    screen = Screen([("A", "Red Coat"), ("B", "Blue Boots")], {"sku": "A", "city": "Tokyo"})
    step = play({"user": "do you have the second one?", "expect": {"route": "inventory"}}, [], screen)
    (part,) = step.parts
    assert part["functionCall"]["args"] == {"question": "do you have the second one?", "sku": "B", "city": "Tokyo"}
