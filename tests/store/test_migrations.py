"""Both databases from nothing, from the oldest schema, and of a newer version."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.errors import StoreError
from shopfloor.store.database import connect
from shopfloor.store.migrations import CATALOGUE, STATE, Schema, migrate, open_catalogue, open_state


def names_in(path: Path) -> set[str]:
    with closing(connect(path, read_only=True)) as connection:
        return {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}


def steps_done(path: Path) -> list[str]:
    with closing(connect(path, read_only=True)) as connection:
        return [row["name"] for row in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]


def test_catalogue_from_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "shop.db"
    open_catalogue(path)
    assert {"meta", "products", "variants", "stores", "stock", "events", "product_fts"} <= names_in(path)
    assert steps_done(path) == [step.__name__ for step in CATALOGUE.steps]


def test_state_from_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    open_state(path)
    assert {"turns", "answers", "shown", "feedback", "feedback_keys", "threads"} <= names_in(path)


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    open_state(path)
    before = steps_done(path)
    open_state(path)
    assert steps_done(path) == before


def test_state_from_the_oldest_schema_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    migrate(path, Schema("state", STATE.steps[:1]))
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO threads VALUES ('t', 'u', '2025-01-01')")
    open_state(path)
    assert steps_done(path) == [step.__name__ for step in STATE.steps]
    with closing(connect(path, read_only=True)) as connection:
        assert connection.execute("SELECT user_id FROM threads").fetchone()["user_id"] == "u"


def test_a_newer_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"

    def from_the_future(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE hologram (id INTEGER)")

    migrate(path, Schema("catalogue", (*CATALOGUE.steps, from_the_future)))
    with pytest.raises(StoreError, match="newer version.*from_the_future") as caught:
        open_catalogue(path)
    assert "\n" not in caught.value.detail


def test_a_failing_step_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    open_catalogue(path)

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (id INTEGER)")
        connection.execute("SELECT * FROM nowhere")

    with pytest.raises(StoreError, match="nowhere"):
        migrate(path, Schema("catalogue", (*CATALOGUE.steps, broken)))
    assert "half" not in names_in(path)
    open_catalogue(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_bytes(b"this is a letter to my grandmother, not a database" * 40)
    with pytest.raises(StoreError, match=r"shop\.db"):
        open_catalogue(path)


def test_many_starting_together_do_each_step_once(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: open_state(path), range(8)))
    assert steps_done(path) == [step.__name__ for step in STATE.steps]
