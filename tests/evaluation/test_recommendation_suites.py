"""``eval ranking``, ``next-basket``, ``requests`` and ``grounding`` over the demo shop: figures, blindness, refusals."""

import json
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.errors import InputError
from shopfloor.evaluation.registry import make_suite
from shopfloor.evaluation.runner import EvalRequest, run_suite
from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import connect
from shopfloor.tools.recommendation.baskets import FEATURES, BasketModel, History, choices_of_past, load_history


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_catalogue(Settings(_env_file=None, data=tmp_path_factory.mktemp("suites")))  # pyright: ignore[reportCallIssue]


@pytest.fixture(scope="module")
def history(shop: Path) -> History:
    with closing(connect(shop, read_only=True)) as connection:
        return load_history(connection)


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ranking_cases(history: History, *, honest: bool) -> list[dict[str, object]]:
    _, choices = choices_of_past(history, 30, seed=5)
    out: list[dict[str, object]] = []
    for number, choice in enumerate(choices[:12]):
        taken = choice.candidates[: choice.taken] if honest else choice.candidates[-1:]
        out.append(
            {
                "id": str(number),
                "user_id": choice.user,
                "context_items": [{"sku": history.sku[row]} for row in choice.context],
                "candidates": [{"sku": history.sku[row]} for row in sorted(choice.candidates)],
                "relevant": [history.sku[row] for row in taken],
            }
        )
    return out


async def test_ranking_is_blind_to_what_was_taken(shop: Path, history: History, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    true = write(tmp_path / "a.jsonl", ranking_cases(history, honest=True))
    false = write(tmp_path / "b.jsonl", ranking_cases(history, honest=False))
    first = await run_suite(make_suite("ranking"), EvalRequest(cases=true, shop=shop), settings)
    second = await run_suite(make_suite("ranking"), EvalRequest(cases=false, shop=shop), settings)
    assert 0 < first.report.metrics["ndcg@10"] <= 1
    assert {"popularity", "names", "knn", "knn fading", "ease", "boosted trees"} <= set(first.report.baselines)
    assert first.report.artefacts.fusion
    assert [record.got for record in first.records] == [record.got for record in second.records]


async def test_the_curve_of_ranking_starts_at_what_is_shipped(shop: Path, history: History, tmp_path: Path) -> None:
    cases = write(tmp_path / "a.jsonl", ranking_cases(history, honest=True))
    request = EvalRequest(cases=cases, shop=shop, train=cases, sizes=(0, 12))
    run = await run_suite(make_suite("ranking"), request, Settings(data=tmp_path))
    assert run.report.curve is not None
    assert [point.n for point in run.report.curve] == [0, 12]
    assert run.report.curve[0].metrics == run.report.metrics
    assert run.report.curve[1].metrics != run.report.metrics


def test_choices_of_the_past_are_not_in_what_is_learned(history: History) -> None:
    start, choices = choices_of_past(history, 50, seed=1)
    held_out = {(b.user, frozenset(b.items)) for b in history.baskets[start:]}
    assert choices
    for choice in choices:
        whole = {*choice.context, *choice.candidates[: choice.taken]}
        assert any(user == choice.user and whole <= items for user, items in held_out)
        assert len(set(choice.candidates)) == len(choice.candidates) <= 30
        assert not set(choice.context) & set(choice.candidates)


def test_features_know_the_shopper(history: History) -> None:
    model = BasketModel(history)
    basket = next(b for b in reversed(history.baskets) if b.user)
    item = basket.items[0]
    mine = model.features([], [item], basket.user)
    nobody = model.features([], [item], "nobody")
    assert mine.shape == nobody.shape == (1, FEATURES)
    assert mine[0, 12] == 1.0
    assert nobody[0, 10:15].tolist() == [0.0] * 5


async def test_next_basket_knows_own_purchases(shop: Path, history: History, tmp_path: Path) -> None:
    by_user: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for basket in history.baskets:
        by_user[basket.user].append(basket.items)
    users = [user for user, baskets in by_user.items() if user and len(baskets) > 2][:8]
    rows: list[dict[str, object]] = [
        {
            "id": user,
            "user_id": user,
            "history": [{"date": "2099-01-01", "items": [history.sku[i] for i in by_user[user][-1]]}],
            "relevant": [history.sku[i] for i in by_user[user][-2]],
        }
        for user in users
    ]
    cases = write(tmp_path / "next.jsonl", rows)
    run = await run_suite(make_suite("next-basket"), EvalRequest(cases=cases, shop=shop), Settings(data=tmp_path))
    assert run.report.metrics["ndcg@10"] > 0.1
    assert {"popularity", "own frequency", "own frequency + knn", "tifu-knn"} <= set(run.report.baselines)
    assert any(name.startswith("without ") for name in run.report.baselines)


async def test_a_case_without_candidates_is_named(shop: Path, tmp_path: Path) -> None:
    cases = write(tmp_path / "bad.jsonl", [{"id": "1", "relevant": ["x"]}])
    with pytest.raises(InputError, match="line 1, field candidates"):
        await run_suite(make_suite("ranking"), EvalRequest(cases=cases, shop=shop), Settings(data=tmp_path))


async def test_nothing_is_invented(shop: Path, tmp_path: Path) -> None:
    run = await run_suite(make_suite("grounding"), EvalRequest(shop=shop, requests=12), Settings(data=tmp_path))
    assert run.report.metrics
    assert not [record for record in run.records if not record.ok]
