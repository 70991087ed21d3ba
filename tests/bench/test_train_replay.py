"""Labelled messages replayed as reactions: who is on which side, and a real head's cycle over them."""

import json
import random
from pathlib import Path

import pytest

from shopfloor.bench.train_replay import ReplayPlan, part, replay
from shopfloor.errors import InputError
from shopfloor.evaluation.nearness import SAME_WORDING, nearest
from shopfloor.evaluation.suites.routing import RoutingCase
from shopfloor.finetune.routing.rows import shipped_rows
from shopfloor.settings import Settings


def messages(count: int) -> list[RoutingCase]:
    rows = [row for row in shipped_rows() if row.source == "line"]
    random.Random(1).shuffle(rows)
    return [RoutingCase(id=str(number), text=row.text, label=row.label) for number, row in enumerate(rows[:count])]


def test_near_wordings_are_on_one_side() -> None:
    cases = [*messages(60), *(RoutingCase(text=f"{case.text}!", label=case.label) for case in messages(20))]
    told, withheld = part(cases, 40, seed=3)
    assert len(told) == 40 and not {case.text for case in told} & {case.text for case in withheld}
    assert max(nearest([case.text for case in withheld], [case.text for case in told])) < SAME_WORDING
    assert part(cases, 40, seed=3) == (told, withheld) != part(cases, 40, seed=4)
    with pytest.raises(InputError, match="too few"):
        part(cases, 80, seed=3)


async def test_the_owners_words_are_learned_judged_and_measured(models_path: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text("\n".join(json.dumps(one.model_dump()) for one in messages(90)), encoding="utf-8")
    settings = Settings(_env_file=None, data=tmp_path / "own", models=models_path)  # pyright: ignore[reportCallIssue]
    plan = ReplayPlan(cases, 60, tmp_path / "replayed", learn="head")
    said: list[str] = []
    report = await replay(settings, plan, said.append)
    cycle = report["cycles"]["head"]
    assert cycle["status"] in {"promoted", "rejected", "not_enough_evidence"}
    assert 20 <= cycle["rows"] < 60, "a part is kept for the gate, and a part for later"
    assert cycle["gate"]["about"]["verified cases of this shop"] > 0
    assert set(report["accuracy"]) == {"base", "head"} and set(report["gains"]) == {"head over base"}
    assert report["accuracy"]["base"][0] > 0.8, "the shipped head knows these"
    assert not settings.data.exists(), "the shop's own data is not touched"
