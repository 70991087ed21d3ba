"""The ways that ranking is only compared with."""

from datetime import datetime

import numpy as np

from shopfloor.evaluation.suites import ranking_ways
from shopfloor.evaluation.suites.ranking_ways import boosted_trees, ease, likeness, name_vectors
from shopfloor.settings import Settings
from shopfloor.tools.recommendation.baskets import FEATURES, Basket, History


def history(products: int, baskets: list[tuple[int, ...]]) -> History:
    skus = tuple(f"P{row}" for row in range(products))
    made = tuple(Basket(float(day), "U", items) for day, items in enumerate(baskets))
    names = tuple(frozenset({sku}) for sku in skus)
    return History(skus, {s: i for i, s in enumerate(skus)}, names, np.ones(products), made, datetime(2024, 1, 1))  # noqa: DTZ001


def test_ease_knows_what_goes_together() -> None:
    weights = ease(history(5, [(0, 1), (0, 1), (0, 1, 2), (3, 4)] * 80))
    assert weights is not None
    assert weights[0].argmax() == 1
    assert weights[3].argmax() == 4
    assert not np.diag(weights).any()
    assert ease(history(ranking_ways.LARGEST_EASE + 1, [(0, 1)])) is None
    assert ease(history(5, [])) is None


def test_trees_learn_from_choices() -> None:
    rng = np.random.default_rng(0)
    groups = [(features := rng.normal(size=(20, FEATURES)), features[:, 2] > 1) for _ in range(60)]
    way = boosted_trees(groups, seed=0)
    assert way is not None
    scores = way(groups[0][0])
    assert groups[0][1][int(scores.argmax())] == groups[0][1].any()
    assert boosted_trees([], seed=0) is None


def test_likeness_to_a_basket() -> None:
    vectors = np.asarray([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    assert likeness(vectors, [0, 1], [2]).round(3).tolist() == [[0.8, 0.7]]
    assert likeness(vectors, [], [0, 1]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


async def test_the_local_model_reads_names(model_settings: Settings) -> None:
    vectors = await name_vectors(model_settings, ["Red Wool Hat", "Blue Wool Hat", "Steel Water Bottle"])
    assert np.linalg.norm(vectors, axis=1).round(6).tolist() == [1.0, 1.0, 1.0]
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
