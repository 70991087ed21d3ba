"""Reads beside one writer, whole transactions, and what is said when a file can't be opened."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from shopfloor.errors import StoreError
from shopfloor.store.database import Database, connect


@pytest.fixture
async def counter(tmp_path: Path) -> Database:
    """A table of one number."""
    database = Database(tmp_path / "c.db")
    await database.write(lambda connection: connection.execute("CREATE TABLE c (n INTEGER)"))
    await database.write(lambda connection: connection.execute("INSERT INTO c VALUES (0)"))
    return database


def value(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT n FROM c").fetchone()[0])


def add_one(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE c SET n = ?", (value(connection) + 1,))


async def test_read_and_change_loses_no_update(counter: Database) -> None:
    await asyncio.gather(*(counter.write(add_one) for _ in range(100)))
    assert await counter.read(value) == 100
    await counter.close()


async def test_two_databases_over_one_file_lose_no_update(counter: Database) -> None:
    async with Database(counter.path) as other:
        await asyncio.gather(*(database.write(add_one) for _ in range(50) for database in (counter, other)))
        assert await other.read(value) == 100
    await counter.close()


async def test_what_raises_is_rolled_back(counter: Database) -> None:
    def half(connection: sqlite3.Connection) -> None:
        add_one(connection)
        raise KeyError("stop")

    with pytest.raises(KeyError):
        await counter.write(half)
    assert await counter.read(value) == 0
    await counter.close()


async def test_readers_run_beside_a_long_write(counter: Database) -> None:
    written, go_on = threading.Event(), threading.Event()

    def long_write(connection: sqlite3.Connection) -> None:
        add_one(connection)
        written.set()
        assert go_on.wait(10)

    writing = asyncio.create_task(counter.write(long_write))
    await asyncio.to_thread(written.wait, 10)
    assert await asyncio.gather(*(counter.read(value) for _ in range(8))) == [0] * 8
    go_on.set()
    await writing
    assert await counter.read(value) == 1
    await counter.close()


async def test_a_reader_can_not_write(counter: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await counter.read(add_one)
    await counter.close()


async def test_durable_writes_are_synced_and_others_not(counter: Database) -> None:
    def level(connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    assert [await counter.write(level, durable=durable) for durable in (False, True, False)] == [1, 2, 1]
    await counter.close()


def test_an_absent_or_foreign_file_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"absent\.db"):
        connect(tmp_path / "absent.db", read_only=True)
    (tmp_path / "letter.db").write_bytes(b"dear grandmother" * 200)
    with pytest.raises(StoreError, match=r"letter\.db"):
        connect(tmp_path / "letter.db")


async def test_a_read_sees_one_state_whatever_is_written(counter: Database) -> None:
    first, go_on = threading.Event(), threading.Event()

    def twice(connection: sqlite3.Connection) -> tuple[int, int]:
        before = value(connection)
        first.set()
        assert go_on.wait(10)
        return before, value(connection)

    reading = asyncio.create_task(counter.read(twice))
    await asyncio.to_thread(first.wait, 10)
    await counter.write(add_one)
    go_on.set()
    assert await reading == (0, 0)
    assert await counter.read(value) == 1
    await counter.close()
