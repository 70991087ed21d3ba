"""The catalogue's ``meta`` table: a few facts about the shop and its last import, by key."""

import sqlite3
from collections.abc import Mapping


def read_meta(connection: sqlite3.Connection) -> dict[str, str]:
    """Every key and its value."""
    return {str(row[0]): str(row[1]) for row in connection.execute("SELECT key, value FROM meta")}


def write_meta(connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Set the given keys, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        list(values.items()),
    )
