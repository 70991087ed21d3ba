"""``eval explanations``: the checks find what they are for, and what ships passes them."""

from pathlib import Path

import pytest

from shopfloor.evaluation.explanation_checks import check_words, opening, repeated
from shopfloor.evaluation.registry import make_suite
from shopfloor.evaluation.runner import EvalRequest, run_suite
from shopfloor.evaluation.suites.explanations import blind_page
from shopfloor.settings import Settings
from shopfloor.tools.recommendation.query import ParsedRequest, Recommendation
from shopfloor.tools.schemas import RecommendedItem

GOOD = "For your dad, I'd start with the Brook Kettle: it is made of steel."


def answer(*reasons: str) -> Recommendation:
    items = [
        RecommendedItem(
            sku=f"K{number}", name=name, price=10.0, currency="EUR", reason=reason, score=0.0, signals={}, in_stock=True, position=number
        )
        for number, (name, reason) in enumerate(zip(("Brook Kettle", "Tern Cup"), reasons, strict=False), start=1)
    ]  # fmt: skip
    return Recommendation(items=items, parsed=ParsedRequest(text="a kettle for my dad", head=("kettle",)))


KNOWN = frozenset({"brook", "kettle", "steel"})


def test_a_good_explanation_passes() -> None:
    found = check_words(answer("Red.", "Blue."), GOOD, KNOWN)
    assert found.ok
    assert found.supported == 1.0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("word " * 70 + ".", "short"),
        ("It is one of a kind and it is one of a kind.", "distinct"),
        ("# The Brook Kettle\nfor dad", "clean"),
        ("I would take the other one for your dad.", "named"),
        ("The Brook Kettle is nice.", "specific"),
    ],
)
def test_faults_are_found(text: str, fault: str) -> None:
    found = check_words(answer("Red.", "Blue."), text, KNOWN)
    assert not getattr(found, fault)
    assert not found.ok


def test_words_that_nobody_wrote_are_counted() -> None:
    found = check_words(answer("Red."), "The Brook Kettle is waterproof, award-winning and of steel.", KNOWN)
    assert found.supported == pytest.approx(1 / 3)


def test_repeats_across_cards() -> None:
    assert repeated(["good for long cold walks", "Good for long cold nights"]) == ["good for long cold"]
    assert repeated(["good for long", "good for long"]) == []
    assert opening("The Brook Kettle costs 10 EUR today.", ["Brook Kettle"]) == "the x costs"


async def test_what_ships_is_good(tmp_path: Path) -> None:
    request = EvalRequest(requests=40, options={"runtime": "none"})
    run = await run_suite(make_suite("explanations"), request, Settings(data=tmp_path))
    assert run.report.metrics["invented"] == 0.0
    assert run.report.metrics["good"] >= 0.9, [record.note for record in run.records if not record.ok]
    assert run.report.metrics["commonest_opening"] < 0.5
    assert set(run.report.baselines) == {"templates"}
    assert run.files["samples.md"].count("\n## ") == 40
    assert "blind.md" not in run.files


def test_the_blind_page_names_no_way() -> None:
    suite = make_suite("explanations")
    told = {
        way: _told(text) for way, text in (("templates", "One."), ("model writes", "Two."), ("model chooses", "Three."))
    }
    page, key = blind_page({"a kettle": told}, seed=4)
    assert sorted(key["1"]) == sorted(told)
    assert not any(way in page for way in told)
    assert all(f"{letter}: " in page for letter in "ABC")
    assert suite.name == "explanations"


def _told(text: str):
    from shopfloor.evaluation.suites.explanations import Explained

    one = answer("Red.")
    return Explained(one, text, check_words(one, text, KNOWN), ())
