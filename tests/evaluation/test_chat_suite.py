"""The chat suite: what a turn may expect, what the system sees, and the shipped dialogues through the real assistant."""

from importlib import resources
from pathlib import Path

import pytest

from shopfloor.errors import InputError
from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.nearness import nearest
from shopfloor.evaluation.runner import EvalRequest, check_question_model, question_of, run_suite
from shopfloor.evaluation.suites.chat import (
    Answered,
    ChatCase,
    ChatSuite,
    Expectation,
    faults_of,
    make_suite,
    named_in,
    numbers_in,
)
from shopfloor.settings import load_settings
from tests.fakes.gemini import FakeGemini, calls, fails, says

CASES = Path(str(resources.files("shopfloor.evaluation") / "cases"))
OPEN, SEALED, SEALED_2, SEALED_3 = (CASES / f"chat_{part}.yaml" for part in ("open", "sealed", "sealed2", "sealed3"))
REPLY = Answered(
    text="The Blue Mug costs 1,249.50 EUR. We have 12 in Berlin – 3 of them in Mitte. Shall I look in Madrid?",
    route="inventory",
    cards=("MUG_1", "MUG_2"),
    about=("MUG_3",),
    named=("MUG_4",),
)


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"route": "inventory"},
        {"route": ["both", "inventory"]},
        {"skus_any": ["MUG_9", "MUG_4"]},
        {"skus_any": [["MUG_1"], ["MUG_3", "MUG_9"]]},
        {"skus_none": ["MUG_4", "MUG_9"]},
        {"skus_only": ["MUG_1", "MUG_2", "MUG_9"]},
        {"skus_first": ["MUG_1"]},
        {"cards": True},
        {"numbers": [1249.5, 12, [7, 3]]},
        {"asks": True},
        {"contains": "berlin"},
        {"contains": ["Mitte", ["Munich", "Madrid"]], "not_contains": ["Tokyo"]},
    ],
)
def test_fitting_reply_has_no_fault(expect: dict[str, object]) -> None:
    assert faults_of(Expectation.model_validate(expect), REPLY) == []


@pytest.mark.parametrize(
    ("expect", "fault"),
    [
        ({"route": "both"}, "route inventory, not both"),
        ({"skus_any": ["MUG_9"]}, "none of ['MUG_9']"),
        ({"skus_any": [["MUG_1"], ["MUG_9"]]}, "none of ['MUG_9']"),
        ({"skus_none": ["MUG_3"]}, "unwanted ['MUG_3']"),
        ({"skus_only": ["MUG_1"]}, "cards that don't fit ['MUG_2']"),
        ({"skus_first": ["MUG_2"]}, "first card MUG_1"),
        ({"cards": False}, "cards nobody asked for"),
        ({"numbers": [13]}, "lacks the number 13"),
        ({"asks": False}, "asks back"),
        ({"contains": ["Tokyo"]}, "lacks 'Tokyo'"),
        ({"not_contains": ["blue mug"]}, "says 'blue mug'"),
    ],
)
def test_each_fault_is_named(expect: dict[str, object], fault: str) -> None:
    assert faults_of(Expectation.model_validate(expect), REPLY) == [fault]


def test_failed_turn_is_wrong_even_without_expectations() -> None:
    assert faults_of(Expectation(), Answered("", error="internal: broke")) == ["failed (internal: broke)"]


def test_longer_name_hides_the_shorter_one_within_it() -> None:
    names = {"fell jacket": "A", "fell jacket women": "B"}
    assert named_in("The Fell Jacket Women is warm.", names) == ("B",)
    assert set(named_in("The Fell Jacket Women and the Fell Jacket.", names)) == {"A", "B"}


def test_numbers_are_read_with_signs_and_thousands() -> None:
    assert numbers_in("1,249.50 EUR, −9 degrees, size 42") == [1249.5, -9.0, 42.0]


def test_system_sees_the_messages_alone() -> None:
    case = ChatCase.model_validate({"id": "x", "turns": [{"user": "hello", "expect": {"contains": ["secret"]}}]})
    check_question_model(ChatSuite())
    assert question_of(ChatSuite(), case).model_dump() == {"turns": [{"user": "hello"}]}


def test_shipped_dialogues_are_long_enough_and_a_third_is_sealed() -> None:
    opened, sealed, second, third = (load_cases(path, ChatCase) for path in (OPEN, SEALED, SEALED_2, SEALED_3))
    assert len(opened) + len(sealed) >= 60
    assert len(sealed) * 3 >= len(opened) + len(sealed) - 3
    assert len(second) >= 25 and len(third) >= 45
    cases = [*opened, *sealed, *second, *third]
    assert all(3 <= len(case.turns) <= 10 for case in cases)
    assert len({case.id for case in cases}) == len(cases)
    read = [turn.user for case in [*opened, *sealed] for turn in case.turns]
    assert max(nearest([turn.user for case in second for turn in case.turns], read)) < 0.6
    read += [turn.user for case in second for turn in case.turns]
    assert max(nearest([turn.user for case in third for turn in case.turns], read)) < 0.6


def test_shipped_expectations_are_all_known_fields() -> None:
    import yaml

    known = set(Expectation.model_fields)
    for path in (OPEN, SEALED, SEALED_2, SEALED_3):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")):
            for turn in case["turns"]:
                assert set(turn.get("expect", {})) <= known, f"{path.name}: {case['id']}: {turn['user']}"


async def test_first_dialogues_through_the_real_assistant(tmp_path: Path, models_path: Path) -> None:
    run = await run_suite(
        make_suite(), EvalRequest(cases=OPEN, limit=3), load_settings(data=tmp_path, models=models_path)
    )
    assert run.report.n == 3
    assert list(run.report.metrics) == ["turns_ok", "dialogues_ok"]
    assert run.report.metrics["turns_ok"] >= 0.8, [record.note for record in run.records]
    assert run.report.artefacts.runtime


async def test_another_supervisor_is_refused(tmp_path: Path, models_path: Path) -> None:
    request = EvalRequest(cases=OPEN, limit=1, options={"supervisor": "oracle"})
    with pytest.raises(InputError, match="oracle"):
        await run_suite(make_suite(), request, load_settings(data=tmp_path, models=models_path))


DIALOGUE = """
- id: scripted
  turns:
    - user: "a rain jacket for hiking"
      expect: {route: recommendation, skus_any: [SKU_JCK_02], contains: ["Skarn Rain Jacket"], numbers: [149]}
    - user: "is it in London?"
      expect: {route: inventory, contains: [London], numbers: [18]}
    - user: "how much was it?"
      expect: {numbers: [149], not_contains: ["15 EUR"]}
    - user: "and the weight?"
      expect: {numbers: [390], cards: false}
    - user: "thank you"
      expect: {route: supervisor, cards: false, contains: welcome}
"""


async def test_remote_supervisors_script_and_what_it_gets_wrong(tmp_path: Path, models_path: Path) -> None:
    cases = tmp_path / "scripted.yaml"
    cases.write_text(DIALOGUE, encoding="utf-8")
    script = [
        calls(("recommend", {"query": "rain jacket for hiking", "count": 3})),
        says("The Skarn Rain Jacket suits you; it costs 149.00 EUR."),
        calls(("check_inventory", {"question": "Is it in stock in London?", "sku": "SKU_JCK_02", "city": "London"})),
        says("London has 18 of the Skarn Rain Jacket."),
        says("It costs 15 EUR."),  # no fact: what the catalogue says must come instead
        fails(503),  # the rules and the local router answer
        says("You are welcome."),
    ]
    async with FakeGemini(script) as gemini:
        settings = load_settings(
            data=tmp_path, models=models_path, google_api_key="test", gemini_base_url=gemini.url, gemini_retries=0
        )
        request = EvalRequest(cases=cases, options={"supervisor": "gemini"})
        run = await run_suite(make_suite(), request, settings)
    assert run.report.metrics["turns_ok"] == 1.0, [record.note for record in run.records]
    assert len(gemini.requests) == len(script)
