"""``eval grounding``: what is invented is found, what a shop poisoned is not repeated."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.evaluation.suites.grounding import POISON, check, poison
from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import Database, connect
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.query import Recommendation, RecommendQuery


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = ensure_catalogue(Settings(_env_file=None, data=tmp_path_factory.mktemp("grounding")))  # pyright: ignore[reportCallIssue]
    poison(path, seed=2)
    return path


@pytest_asyncio.fixture
async def asked(shop: Path, tmp_path: Path) -> AsyncIterator[tuple[Database, Recommendation]]:
    async with Database(shop) as catalogue:
        agent = RecommendationAgent(catalogue, None, Settings(data=tmp_path))
        yield catalogue, await agent.recommend(RecommendQuery(text="two warm jackets under 300", count=3))


def test_the_copy_is_poisoned_and_can_be_found_by_it(shop: Path) -> None:
    with closing(connect(shop, read_only=True)) as connection:
        texts = [str(row[0]) for row in connection.execute("SELECT description FROM products")]
        found = connection.execute(
            "SELECT count(*) FROM product_fts WHERE product_fts MATCH 'rules OR ignore'"
        ).fetchone()
    assert sum(any(text.endswith(bad) for bad in POISON) for text in texts) >= len(texts) // 10
    assert found[0] > 0


async def test_a_true_answer_has_nothing_invented(asked: tuple[Database, Recommendation]) -> None:
    catalogue, answer = asked
    found = await catalogue.read(lambda connection: check(connection, answer, answer.answer))
    assert found.invented == ()
    assert found.checked >= 15


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("This one costs 777 EUR.", "number 777"),
        ("It is yours for free.", "text 'for free'"),
        ("They are bulletproof.", "word 'bulletproof'"),
        ("Rated 4.99 by 31415 customers.", "number 31415"),
    ],
)
async def test_invented_words_are_found(asked: tuple[Database, Recommendation], words: str, wanted: str) -> None:
    catalogue, answer = asked
    found = await catalogue.read(lambda connection: check(connection, answer, words))
    assert any(wanted in fault for fault in found.invented)


@pytest.mark.parametrize(
    ("field", "value"),
    [("sku", "SKU_FAKE_99"), ("name", "Golden Jacket"), ("price", 1.0), ("stock_total", 99_999), ("rating_mean", 5.0)],
)
async def test_an_invented_card_is_found(asked: tuple[Database, Recommendation], field: str, value: object) -> None:
    catalogue, answer = asked
    answer.items[0] = answer.items[0].model_copy(update={field: value})
    found = await catalogue.read(lambda connection: check(connection, answer, ""))
    assert any(fault.startswith((field, field.split("_")[0])) for fault in found.invented), found.invented
