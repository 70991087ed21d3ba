"""Following the registry: what is heard, what is retried, and what an absent or broken database does."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.errors import ModelError
from shopfloor.local_models import following as module
from shopfloor.local_models.following import UNREADABLE, Champions, Following
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Kind, Manifest, Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.migrations import open_state

FUSION: frozenset[Kind] = frozenset({"fusion"})


class Taker:
    """Takes champions up, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[list[str]] = []
        self.refuses: Exception | None = None

    async def __call__(self, champions: Champions) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.taken.append(sorted(artefact.hash for artefact in champions.values()))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data=tmp_path)  # pyright: ignore[reportCallIssue]


async def make_champion(settings: Settings, text: str) -> str:
    path = settings.data / "weights.json"
    path.write_text(text)
    async with Database(settings.state_path) as state:
        registry = Registry(state, settings.artefacts_path)
        name = await registry.add(Manifest("recommendation", "fusion"), {"weights.json": path})
        await registry.activate(name)
    return name


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


async def test_a_database_that_comes_later_is_found(settings: Settings) -> None:
    async with Following(settings) as following:
        taker, heard = Taker(), list[tuple[str, str]]()
        following.on_swap(lambda agent, artefact: heard.append((agent, artefact)))
        await following.follow("ranking", FUSION, taker)
        assert taker.taken == [] and following.champions == {}
        open_state(settings.state_path)
        name = await make_champion(settings, '{"text": 1}')
        await until(lambda: len(heard) == 1)
        assert (taker.taken, heard) == ([[name]], [("recommendation", name)])
        async with Database(settings.state_path) as state:
            await Registry(state, settings.artefacts_path).rollback("recommendation", "fusion")
        await until(lambda: len(heard) == 2)
        assert heard[1] == ("recommendation", "base")


@pytest.mark.parametrize("error", [ModelError("no memory"), OSError(28, "No space left on device")])
async def test_what_is_refused_is_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.3)
    open_state(settings.state_path)
    name = await make_champion(settings, '{"text": 1}')
    async with Following(settings) as following:
        taker = Taker()
        taker.refuses = error
        await following.follow("ranking", FUSION, taker)
        assert "ranking" in following.problems and taker.taken == []
        taker.refuses = None
        await until(lambda: following.problems == {})
        assert taker.taken == [[name]]


async def test_other_writes_wake_nobody(settings: Settings) -> None:
    open_state(settings.state_path)
    await make_champion(settings, '{"text": 1}')
    async with Following(settings) as following:
        taker = Taker()
        await following.follow("ranking", FUSION, taker)
        await following.follow("heads", frozenset({"head"}), taker)
        with closing(connect(settings.state_path)) as connection:
            connection.execute("INSERT INTO threads VALUES ('t', 'u', '2025-01-01')")
        await asyncio.sleep(3 * module.POLL_S)
        assert len(taker.taken) == 1


async def test_a_registry_that_breaks_leaves_what_serves(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_state(settings.state_path)
    async with Following(settings) as following:
        watch = following._watch
        assert watch is not None

        def broken() -> bool:
            raise sqlite3.DatabaseError("disk image is malformed")

        with monkeypatch.context() as patched:
            patched.setattr(watch, "changed", broken)
            await until(lambda: following.problems == {"registry": UNREADABLE})
        await until(lambda: following.problems == {})
