"""Ways learned from a shop's past: they know habits and sequences, learn nothing from the future, and are chosen by it."""

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from shopfloor.store.database import connect
from shopfloor.store.importer import import_shop
from shopfloor.tools.recommendation.baskets import FEATURES, Basket, History, load_history
from shopfloor.tools.recommendation.choosing_weights import WAYS, learn_next_basket
from shopfloor.tools.recommendation.next_basket import PARTS, Buying, NextBasketModel, NextBasketWeights
from shopfloor.tools.recommendation.rankers import KNN, PLAIN, Ranker, judge, learn_ranker, learned
from shopfloor.tools.recommendation.sparse import Sparse
from shopfloor.tools.recommendation.ways import keep_ways, kept_ways

PRODUCTS = 60


def history(baskets: list[Basket]) -> History:
    skus = tuple(f"P{row:02d}" for row in range(PRODUCTS))
    names = tuple(frozenset({f"kind{row % 10}", f"word{row}"}) for row in range(PRODUCTS))
    ordered = tuple(sorted(baskets, key=lambda basket: basket.day))
    row_of = {sku: row for row, sku in enumerate(skus)}
    return History(skus, row_of, names, np.ones(PRODUCTS), ordered, datetime(2024, 1, 1))  # noqa: DTZ001


def habitual(users: int = 60, turns: int = 12) -> History:
    """Everybody buys one product of their own again and again, and after product k comes k + 1."""
    rng = np.random.default_rng(0)
    made: list[Basket] = []
    for user in range(users):
        step = int(rng.integers(0, PRODUCTS))
        for turn in range(turns):
            chance = rng.integers(0, PRODUCTS, 2).tolist()
            items = dict.fromkeys([user % 20, 20 + (step + turn) % 40, *chance])
            made.append(Basket(turn * 15.0 + user / 10, f"U{user}", tuple(items)))
    return history(made)


@pytest.fixture(scope="module")
def past() -> History:
    return habitual()


def buying(past: History, user: str) -> Buying:
    own = [basket for basket in past.baskets if basket.user == user]
    return Buying(tuple(b.items for b in own), tuple(b.day for b in own), own[-1].day + 15, user)


def test_sparse_adds_up_what_is_in_one_place() -> None:
    rows, columns = np.asarray([1, 0, 1, 1]), np.asarray([2, 0, 2, 1])
    made = Sparse.summed(rows, columns, np.asarray([1.0, 5.0, 2.0, 4.0]), (3, 3))
    assert [part.tolist() for part in made.row(1)] == [[1, 2], [4.0, 3.0]]
    assert made.row(2)[0].size == 0
    assert made.mixed([0, 1], [1.0, 2.0]).tolist() == [5.0, 8.0, 6.0]
    empty = Sparse.summed(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), (2, 2))
    assert empty.mixed([0, 1], [1.0, 1.0]).tolist() == [0.0, 0.0]


def test_parts_are_scaled_and_mean_what_they_say(past: History) -> None:
    model = NextBasketModel(past)
    asked = buying(past, "U7")
    parts = model.parts(asked)
    assert set(parts) == set(PARTS)
    for name, values in parts.items():
        assert values.shape == (PRODUCTS,), name
        assert 0 <= values.min() and values.max() <= 1.0 + 1e-6, name
    assert int(parts["own"].argmax()) == 7
    chain = asked.baskets[-1][1]  # the item that is followed by the next number
    lone = model.parts(Buying(((chain,),), (0.0,), 15.0))["follows"]
    assert 20 + (chain - 19) % 40 in np.argsort(-lone)[:3]


def test_a_stranger_gets_what_sells(past: History) -> None:
    model = NextBasketModel(past, NextBasketWeights({"own": 1.0, "people": 1.0, "popular": 0.1}))
    scores = model.scores(Buying((), (), 200.0))
    sold = np.bincount([item for basket in past.baskets for item in basket.items], minlength=PRODUCTS)
    assert sold[int(scores.argmax())] >= np.sort(sold)[-5]


def test_until_hides_the_future(past: History) -> None:
    cut = len(past.baskets) // 2
    shorter = History(past.sku, past.row_of, past.names, past.prices, past.baskets[:cut], past.start)
    asked = buying(past, "U3")
    first, second = NextBasketModel(past, until=cut), NextBasketModel(shorter)
    assert np.array_equal(first.scores(asked), second.scores(asked))


def test_the_past_chooses_the_way(past: History) -> None:
    chosen = learn_next_basket(past)
    assert set(chosen.judged) == {*WAYS, "tuned"}
    assert chosen.judged[chosen.way] >= max(chosen.judged.values()) - 0.05
    assert chosen.baskets >= 40
    assert chosen.way in chosen.words
    assert learn_next_basket(past).weights == chosen.weights


def test_a_short_past_chooses_plain_ways() -> None:
    short = history([Basket(float(day), "U1", (day, day + 1)) for day in range(10)])
    assert learn_next_basket(short).way == "habits"
    assert learn_next_basket(history([])).way == "habits"
    assert learn_ranker(short) == PLAIN[0]


def test_rankers_are_compared_on_what_they_did_not_learn(past: History) -> None:
    ranker = learn_ranker(past)
    assert set(ranker.judged) == {"knn", "knn fading", "logit of the basket", "logit"}
    assert ranker.judged[ranker.way] >= max(ranker.judged.values()) - 0.05
    assert ranker.scores(np.ones((3, FEATURES))).shape == (3,)


def test_what_was_chosen_is_kept_for_its_revision(tmp_path: Path) -> None:
    past = habitual(users=30, turns=8)
    folder, catalogue = tmp_path / "shop", tmp_path / "shop.db"
    folder.mkdir()
    (folder / "products.csv").write_text(
        "sku,name,price\n" + "".join(f"{sku},Kind {sku} thing,5\n" for sku in past.sku)
    )
    rows = [
        f"{past.start + timedelta(days=basket.day):%Y-%m-%dT%H:%M:%S},I{number},{basket.user},purchase,{past.sku[item]},1,5"
        for number, basket in enumerate(past.baskets)
        for item in basket.items
    ]
    (folder / "interactions.csv").write_text("\n".join(["ts,invoice,user_id,event,sku,quantity,price", *rows]) + "\n")
    import_shop(folder, catalogue)
    made = keep_ways(catalogue)
    assert made is not None
    with closing(connect(catalogue, read_only=True)) as connection:
        kept = kept_ways(connection)
        assert len(load_history(connection).baskets) == len(past.baskets)
    assert kept is not None and kept == made
    assert kept.chosen().way == made.next_basket.way
    assert kept.ranker().scores(np.ones((5, FEATURES))).shape == (5,)
    assert kept.ranking.way in kept.words
    import_shop(folder, catalogue)
    with closing(connect(catalogue, read_only=True)) as connection:
        assert kept_ways(connection) is None


def test_a_learned_ranker_puts_taken_first() -> None:
    rng = np.random.default_rng(0)
    groups = []
    for _ in range(60):
        features = rng.normal(size=(12, FEATURES))
        taken = np.zeros(12, dtype=np.bool_)
        taken[int(features[:, 4].argmax())] = True
        groups.append((features, taken))
    assert judge(learned("logit", groups), groups).mean() > 0.95
    assert judge(Ranker("knn", (KNN,)), groups).mean() < 0.7


def test_equal_scores_do_not_favour_what_stands_first() -> None:
    features = np.zeros((30, FEATURES))
    taken = np.zeros(30, dtype=np.bool_)
    taken[0] = True
    assert judge(Ranker("knn", (KNN,)), [(features, taken)]).tolist() == [0.0]
