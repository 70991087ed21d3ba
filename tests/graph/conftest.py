"""A shop for the graph's tests: the demo shop's catalogue, made once, and a fresh state for every test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.graph.agents import Agents, open_agents
from shopfloor.graph.assistant import Assistant
from shopfloor.graph.shop import Resources
from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo shop's database."""
    data = tmp_path_factory.mktemp("catalogue")
    return ensure_catalogue(Settings(_env_file=None, data=data))  # pyright: ignore[reportCallIssue]


@pytest.fixture
def settings(tmp_path: Path, catalogue: Path, models_path: Path) -> Settings:
    """No remote supervisor, and no local model: answers come from rules, the router and templates."""
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data=tmp_path,
        shop=catalogue,
        models=models_path,
        model=tmp_path / "absent.gguf",
        google_api_key=None,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def agents(catalogue: Path, models_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agents]:
    """Agents without a local model, opened once and warm: opening reads the world's place names."""
    data = tmp_path_factory.mktemp("no-model")
    absent = data / "absent.gguf"
    given = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data=data,
        shop=catalogue,
        models=models_path,
        model=absent,
    )
    async with AsyncExitStack() as stack:
        agents = await open_agents(given, stack)
        await agents.inventory.warm()
        yield agents


@pytest_asyncio.fixture(loop_scope="session")
async def assistant(settings: Settings, agents: Agents) -> AsyncIterator[Assistant]:
    """An assistant over a fresh state."""
    resources = Resources(settings, agents)
    async with resources, Assistant.open(settings, resources=resources) as opened:
        yield opened
