"""Co-purchase against counting it the slow way, sales by status, the rating scale."""

import math
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopfloor.store.database import connect
from shopfloor.store.importer import import_shop
from shopfloor.store.importer.derived import NEIGHBOURS, neighbours, rating_scale, undone_statuses

WriteShop = Callable[..., Path]
BASKETS = st.lists(st.sets(st.integers(0, 7), min_size=1, max_size=6), min_size=1, max_size=25)


def slowly(baskets: list[set[int]]) -> dict[tuple[int, int], float]:
    bought = Counter(product for basket in baskets for product in basket)
    together = Counter(pair for basket in baskets for pair in permutations(basket, 2))
    return {pair: count / math.sqrt(bought[pair[0]] * bought[pair[1]]) for pair, count in together.items()}


@settings(deadline=None)
@given(BASKETS)
def test_co_purchase_is_the_cosine_of_shared_baskets(baskets: list[set[int]]) -> None:
    pairs = np.array([(number, product) for number, basket in enumerate(baskets) for product in sorted(basket)])
    found = {(left, right): weight for left, right, weight in neighbours(pairs)}
    assert found == pytest.approx(slowly(baskets))


def test_only_the_strongest_neighbours_are_kept() -> None:
    pairs = np.array([(0, product) for product in range(80)] + [(1, 0), (1, 79)])
    mine = [(right, weight) for left, right, weight in neighbours(pairs) if left == 0]
    assert len(mine) == NEIGHBOURS
    assert mine[0][0] == 79
    weights = [weight for _, weight in mine]
    assert weights == sorted(weights, reverse=True)


def test_no_baskets_no_neighbours() -> None:
    assert list(neighbours(np.array([(0, 3)]))) == []


def test_cancelled_orders_and_returns_do_not_count(write_shop: WriteShop, tmp_path: Path) -> None:
    statuses = ["COMPLETE", "Cancelled", "REFUNDED", "", "partially_refunded", "payment failed", "failed"]
    folder = write_shop(
        products=[{"sku": "A", "name": "A"}, {"sku": "B", "name": "B"}],
        orders=[
            {"order_id": number, "ordered_at": "2025-01-01", "customer_id": "u", "status": status}
            for number, status in enumerate(statuses)
        ],
        order_items=[
            {"order_id": number, "line_no": line, "sku": sku, "unit_price": 1, "quantity": 1}
            for number in range(len(statuses))
            for line, sku in enumerate("AB")
        ],
    )
    import_shop(folder, tmp_path / "x.db")
    with closing(connect(tmp_path / "x.db", read_only=True)) as connection:
        assert sorted(undone_statuses(connection)) == ["Cancelled", "REFUNDED", "failed"]
        row = connection.execute("SELECT units_sold, baskets FROM products WHERE sku = 'A'").fetchone()
        assert tuple(row) == (4, 4)
        weights = connection.execute("SELECT sku, other, weight FROM co_purchase ORDER BY sku").fetchall()
        assert [tuple(row) for row in weights] == [("A", "B", 1.0), ("B", "A", 1.0)]


@pytest.mark.parametrize(("ratings", "scale"), [([1, 4], 5), ([1, 7.5], 10), ([80], 100), ([250], 250), ([], None)])
def test_rating_scale(write_shop: WriteShop, tmp_path: Path, ratings: list[float], scale: float | None) -> None:
    lines = "".join(f"A,{number},{rating}\n" for number, rating in enumerate(ratings))
    folder = write_shop(products=[{"sku": "A", "name": "A"}], review_ratings=f"sku,review_no,rating\n{lines}")
    import_shop(folder, tmp_path / "x.db")
    with closing(connect(tmp_path / "x.db", read_only=True)) as connection:
        assert rating_scale(connection) == scale
