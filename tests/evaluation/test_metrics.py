"""Metrics against figures worked out by hand, and the intervals' behaviour."""

import numpy as np
import pytest

from shopfloor.evaluation.compare import differing_fields, same
from shopfloor.evaluation.metrics import (
    bootstrap_mean,
    bootstrap_statistic,
    coverage_at,
    expected_calibration_error,
    macro_f1,
    ndcg_at,
    paired_difference,
    recall_at,
    reciprocal_rank,
)


def test_bootstrap_covers_the_mean_and_is_seeded() -> None:
    values = np.random.default_rng(5).normal(2.0, 1.0, 400)
    low, high = bootstrap_mean(values, seed=1)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.2)
    assert (low, high) == bootstrap_mean(values, seed=1)
    assert (low, high) != bootstrap_mean(values, seed=2)
    assert bootstrap_mean(np.array([1.0, np.nan]), seed=0) == (1.0, 1.0)


def test_bootstrap_of_a_statistic_agrees_with_the_mean() -> None:
    values = np.random.default_rng(6).normal(0.0, 1.0, 300)
    direct = bootstrap_mean(values, seed=1)
    drawn = bootstrap_statistic(lambda index: float(values[index].mean()), 300, seed=1)
    assert drawn == pytest.approx(direct, abs=0.03)


def test_paired_difference_is_narrower_than_either_interval() -> None:
    rng = np.random.default_rng(7)
    theirs = rng.random(200)
    ours = theirs + 0.05 + rng.normal(0, 0.01, 200)
    difference, low, high = paired_difference(ours, theirs)
    assert low < difference < high
    assert low > 0.04


def test_ranking_metrics() -> None:
    assert ndcg_at(["a", "b", "c"], {"a"}) == 1.0
    assert ndcg_at(["b", "a"], {"a"}) == pytest.approx(1 / np.log2(3))
    assert ndcg_at(["b"], {"a"}) == 0.0
    assert reciprocal_rank(["x", "y", "a"], {"a"}) == pytest.approx(1 / 3)
    assert recall_at(["a", "b"], {"a", "c"}, 2) == 0.5


def test_classification_metrics() -> None:
    gold, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert macro_f1(gold, predicted, 4) == pytest.approx((2 / 3 + 4 / 5) / 2)
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    correct = np.array([1.0, 1.0, 1.0, 0.0])
    assert coverage_at(confidence, correct, 0.95) == 0.75
    perfect = expected_calibration_error(np.full(10, 0.75), np.array([1.0] * 7 + [0.5] + [0.0, 1.0]))
    assert perfect == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("gold", "got", "field", "expected"),
    [
        (["a", "b"], ["b", "a"], "skus", True),
        (["a"], ["a", "b"], "skus", False),
        (10.0, 10.009, "price", True),
        (10.0, 10.02, "price", False),
        (200.0, 201.9, "distance_km", True),
        (200.0, 203.0, "distance_km", False),
        ({"a": 1}, {"a": 1, "b": 2}, "", True),
        ({"a": 1}, {"b": 2}, "", False),
        (213, "213", "store_id", True),
        (None, None, "store_id", True),
        (None, 0, "store_id", False),
        (True, 1, "carried", False),
        ("São Paulo", "sa\u0303o paulo", "city", True),
        (3, 4, "count", False),
    ],
)
def test_same(gold: object, got: object, field: str, expected: bool) -> None:
    assert same(gold, got, field) is expected  # type: ignore[arg-type]


def test_differing_fields() -> None:
    assert differing_fields({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5}) == ["b", "c"]
