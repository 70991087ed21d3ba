"""The demo shop's database, made once, and agents over it."""

import shutil
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.evaluation.suites.request_cases import Row, load_rows
from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import Database, connect
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.snapshot import Snapshot, load_snapshot
from shopfloor.tools.recommendation.vocabulary import Vocabulary, build_vocabulary


@pytest.fixture(scope="session")
def demo_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo shop; tests that write take a copy (``own_path``)."""
    return ensure_catalogue(Settings(_env_file=None, data=tmp_path_factory.mktemp("shop")))  # pyright: ignore[reportCallIssue]


@pytest.fixture
def own_path(demo_path: Path, tmp_path: Path) -> Path:
    """A copy of the demo shop to write into."""
    with closing(connect(demo_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copy(demo_path, tmp_path / "own.db"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data=tmp_path)  # pyright: ignore[reportCallIssue]


@pytest.fixture(scope="session")
def facets(demo_path: Path) -> tuple[Snapshot, Vocabulary]:
    """The demo shop's facets and vocabulary."""
    with closing(connect(demo_path, read_only=True)) as connection:
        snapshot = load_snapshot(connection)
    return snapshot, build_vocabulary(snapshot)


@pytest.fixture(scope="session")
def rows(demo_path: Path) -> list[Row]:
    """The demo shop as the independent check sees it."""
    with closing(connect(demo_path, read_only=True)) as connection:
        return load_rows(connection)


@pytest_asyncio.fixture
async def agent(demo_path: Path, settings: Settings) -> AsyncIterator[RecommendationAgent]:
    """An agent without a model."""
    async with Database(demo_path) as catalogue:
        yield RecommendationAgent(catalogue, None, settings)
