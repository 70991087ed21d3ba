"""Schemas of the two databases, as ordered small steps recorded by name.

``open_catalogue`` and ``open_state`` create a database or bring an older one up to date. A step that has shipped is
never edited: a change is a new step below it. The steps done are in the table ``_sqlite_migrations``.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from shopfloor.errors import StoreError
from shopfloor.store.database import connect

Step = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True)
class Schema:
    """One database's steps, in order. ``name`` is the migration set in ``_sqlite_migrations``."""

    name: str
    steps: tuple[Step, ...]


def catalogue_first(connection: sqlite3.Connection) -> None:
    """Products, variants, stores, stock, events, ratings, co-purchase and the full-text index."""
    _run_script(connection, "catalogue.sql")


def state_first(connection: sqlite3.Connection) -> None:
    """Turns, answers, what was shown, feedback and thread owners."""
    _run_script(connection, "state.sql")


def state_feedback_keys(connection: sqlite3.Connection) -> None:
    """Idempotency keys by user, several to one reaction."""
    _run_script(connection, "state_feedback_keys.sql")


def state_loop(connection: sqlite3.Connection) -> None:
    """Datasets, training runs with their steps, and the gate's cases from feedback."""
    _run_script(connection, "state_loop.sql")


def state_artefacts(connection: sqlite3.Connection) -> None:
    """Learned artefacts, where each stands, and every decision about them."""
    _run_script(connection, "state_artefacts.sql")


def state_rollouts(connection: sqlite3.Connection) -> None:
    """What is tried on a share of the users, which side decided a turn, and the numbers behind each decision."""
    _run_script(connection, "state_rollouts.sql")


def state_owner(connection: sqlite3.Connection) -> None:
    """That somebody was forgotten, for processes that run; and what the owner made of corrections."""
    _run_script(connection, "state_owner.sql")


CATALOGUE = Schema("catalogue", (catalogue_first,))
STATE = Schema("state", (state_first, state_feedback_keys, state_loop, state_artefacts, state_rollouts, state_owner))


def open_catalogue(path: Path) -> None:
    """Create the catalogue database at ``path``, or bring it up to date.

    Raises:
        StoreError: it is of a newer version, damaged, or not a catalogue.
    """
    migrate(path, CATALOGUE)


def open_state(path: Path) -> None:
    """Create the state database (traces, feedback, threads) at ``path``, or bring it up to date.

    Raises:
        StoreError: it is of a newer version, damaged, or not a state database.
    """
    migrate(path, STATE)


def migrate(path: Path, schema: Schema) -> None:
    """Apply the steps of ``schema`` that ``path`` lacks, all in one transaction.

    Raises:
        StoreError: see :func:`open_catalogue`.
    """
    with closing(connect(path)) as connection:
        try:
            if _is_current(connection, schema, path):
                return
            _apply(connection, schema, path)
        except sqlite3.Error as error:
            raise StoreError(
                f"The database {path.name} can't be used as a {schema.name} database ({error}); "
                "check the path, or restore a copy."
            ) from error


def _is_current(connection: sqlite3.Connection, schema: Schema, path: Path) -> bool:
    done = _applied(connection, schema)
    known = [step.__name__ for step in schema.steps]
    newer = [name for name in done if name not in known]
    if newer:
        raise StoreError(
            f"The database {path.name} was made by a newer version of shopfloor (step {newer[0]}): "
            "update shopfloor, or use another data folder."
        )
    return len(done) == len(known)


def _applied(connection: sqlite3.Connection, schema: Schema) -> list[str]:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if there is None:
        return []
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (schema.name,))
    return [str(row["name"]) for row in rows]


def _apply(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    # sqlite-utils takes 0.2 s to import: only a database that needs a step pays for it.
    from sqlite_utils import Database, Migrations

    migrations = Migrations(schema.name)
    for step in schema.steps:
        migrations(name=step.__name__)(_on_database(step))
    connection.execute("PRAGMA busy_timeout = 30000")
    # The write lock first: two processes that start together do each step once.
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_current(connection, schema, path):
            migrations.apply(Database(connection, execute_plugins=False))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _on_database(step: Step) -> Callable[..., None]:
    def run(db: object) -> None:
        connection: object = getattr(db, "conn", None)
        assert isinstance(connection, sqlite3.Connection)
        step(connection)

    run.__name__ = step.__name__
    return run


def _run_script(connection: sqlite3.Connection, name: str) -> None:
    """Run the package's ``schema/name`` inside the open transaction (``executescript`` would commit it)."""
    text = (files("shopfloor.store") / "schema" / name).read_text(encoding="utf-8")
    for statement in _statements(text):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
