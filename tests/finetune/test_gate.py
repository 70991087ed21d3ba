"""The gate's statistics and verdicts, its report, and its cases."""

import json
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from shopfloor.evaluation.nearness import nearest
from shopfloor.finetune.gate.report import write_report
from shopfloor.finetune.gate.routing_cases import core_cases, core_hash, known_cases
from shopfloor.finetune.gate.statistics import Comparison, cases_needed, compare, detectable
from shopfloor.finetune.gate.verdict import Guarded, judge
from shopfloor.finetune.routing.rows import LABELS, shipped_rows


def scores(right: int, n: int) -> np.ndarray:
    return np.array([1.0] * right + [0.0] * (n - right))


def suite(diff: float, low: float, high: float, name: str = "s") -> Comparison:
    return Comparison(name, 400, 0.8, 0.8 + diff, diff, (low, high), 0.03, 10, 5)


def test_a_comparison_is_paired() -> None:
    before, after = scores(300, 400), scores(312, 400)
    found = compare("routing", before, after)
    assert found.diff == pytest.approx(0.03) and (found.better, found.worse) == (12, 0)
    # Only 12 cases differ, all one way: the paired interval is far from zero, an unpaired one would not be.
    assert found.ci[0] > 0.012 and found.ci[1] < 0.05
    same = compare("routing", before, before)
    assert same.diff == 0 and same.ci == (0, 0) and same.mde > 0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for seed in range(200):
        before = (rng.random(300) < 0.8).astype(float)
        flipped = rng.random(300) < 0.1
        after = np.where(flipped, rng.random(300) < 0.5, before).astype(float)
        truth = 0.1 * (0.5 - 0.8)
        low, high = compare("s", before, after, seed=seed).ci
        held += low <= truth <= high
    assert held >= 182  # 95 % of 200, less three standard errors


def test_weighted_cases_count_for_less() -> None:
    before, after = scores(50, 100), scores(60, 100)
    weights = np.where(np.arange(100) < 50, 1.0, 0.5)
    found = compare("s", before, after, weights=weights)
    assert found.diff == pytest.approx(10 * 0.5 / 75)
    difference = np.tile([1.0, -1.0, 0.0, 0.0], 25)
    assert detectable(difference) < detectable(difference, np.where(np.arange(100) < 48, 1.0, 0.2))


def test_values_of_many_kinds_are_drawn_one_by_one() -> None:
    rng = np.random.default_rng(3)
    found = compare("s", np.zeros(400), rng.normal(0.1, 1.0, 400))
    assert found.ci[0] < found.diff < found.ci[1]
    assert found.ci[1] - found.ci[0] == pytest.approx(2 * 1.96 / 20, rel=0.1)


def test_detectable_effect_is_detected_four_times_in_five() -> None:
    rng = np.random.default_rng(9)
    n, share = 450, 0.06
    effect = detectable(
        np.array([1.0] * round(n * share / 2) + [-1.0] * round(n * share / 2) + [0.0] * round(n * (1 - share)))
    )
    assert effect < 0.035
    found = 0
    for seed in range(150):
        drawn = rng.random(n)
        gained = (share + effect) / 2
        difference = np.where(drawn < gained, 1.0, np.where(drawn < share, -1.0, 0.0))
        found += compare("s", np.zeros(n), difference, seed=seed).ci[0] > 0
    assert 0.7 <= found / 150 <= 0.9
    assert cases_needed(0.03, 0.045) <= 400 < cases_needed(0.03, 0.06)


def test_no_cases_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="same cases"):
        compare("s", np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="same cases"):
        compare("s", np.zeros(3), np.zeros(4))


@pytest.mark.parametrize(
    ("main", "guarded", "wanted"),
    [
        (suite(0.04, 0.01, 0.07), suite(0.0, -0.01, 0.01), "promote"),
        (suite(0.04, -0.001, 0.08), suite(0.0, -0.01, 0.01), "not_enough_evidence"),
        (suite(0.0, -0.02, 0.02), suite(0.0, -0.01, 0.01), "not_enough_evidence"),
        (suite(-0.04, -0.07, -0.01), suite(0.0, -0.01, 0.01), "reject"),
        (suite(0.3, 0.2, 0.4), suite(-0.01, -0.015, -0.005), "reject"),  # small but certain
        (suite(0.3, 0.2, 0.4), suite(-0.05, -0.12, 0.02), "reject"),  # uncertain but large
    ],
)
def test_verdicts(main: Comparison, guarded: Comparison, wanted: str) -> None:
    found = judge(main, [Guarded(guarded, 0.02)], {})
    assert found.verdict == wanted and found.reason.endswith(".")


def test_the_report_is_one_page_with_a_plot(tmp_path: Path) -> None:
    found = judge(suite(0.04, 0.01, 0.07, "routing"), [Guarded(suite(-0.05, -0.08, -0.02, "a <b> & c"))], {"seed": 0})
    paths = write_report(tmp_path / "gate", found)
    report = json.loads(paths[0].read_text("utf-8"))
    assert report["verdict"] == "reject" and [one["name"] for one in report["suites"]] == ["routing", "a <b> & c"]
    assert set(report["suites"][0]) >= {"name", "champion", "challenger", "diff", "ci", "mde"}
    assert report["suites"][1]["regressed"] is True
    page = paths[1].read_text("utf-8")
    assert page.startswith("# Reject") and "plot.svg" in page and len(page.splitlines()) < 60
    picture = ET.fromstring(paths[2].read_text("utf-8"))
    assert len(picture.findall("{http://www.w3.org/2000/svg}circle")) == 2


def test_the_frozen_cases_are_enough_and_apart_from_the_rows() -> None:
    cases = core_cases()
    counts = Counter(case.label for case in cases)
    assert len(cases) >= 400 and set(counts) == set(LABELS) and min(counts.values()) >= 90
    assert len({case.text.casefold() for case in cases}) == len(cases)
    assert max(nearest([case.text for case in cases], [row.text for row in shipped_rows()])) < 0.6
    assert core_hash() == core_hash() and len(core_hash()) == 64


def test_the_messages_that_must_not_be_forgotten_are_always_the_same() -> None:
    cases = known_cases()
    assert len(cases) == 600 and cases == known_cases()
