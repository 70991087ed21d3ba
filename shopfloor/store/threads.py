"""Who may use a conversation: the first user of a thread owns it."""

import sqlite3
from dataclasses import dataclass

from shopfloor.errors import AccessError
from shopfloor.store.database import Database
from shopfloor.store.traces import now


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation and its owner."""

    thread_id: str
    user_id: str
    created_at: str


class ThreadStore:
    """The owner rule, in the state database."""

    def __init__(self, state: Database) -> None:
        self._state = state

    async def claim(self, thread_id: str, user_id: str) -> Thread:
        """The thread, made ``user_id``'s when it is new.

        Raises:
            AccessError: it is another user's.
        """
        known = await self.get(thread_id)
        if known is None:
            known = await self._state.write(lambda connection: _claim(connection, thread_id, user_id))
        return _check(known, user_id)

    async def check(self, thread_id: str, user_id: str) -> Thread | None:
        """The thread if ``user_id`` may read it; None when nobody has used it yet.

        Raises:
            AccessError: it is another user's.
        """
        known = await self.get(thread_id)
        return None if known is None else _check(known, user_id)

    async def get(self, thread_id: str) -> Thread | None:
        """The thread, whoever owns it."""
        return await self._state.read(lambda connection: _read(connection, thread_id))

    async def of_user(self, user_id: str, *, limit: int = 50) -> list[Thread]:
        """A user's conversations, newest first."""
        rows = await self._state.read(
            lambda connection: connection.execute(
                "SELECT thread_id, user_id, created_at FROM threads WHERE user_id = ? ORDER BY created_at DESC LIMIT ?",
                (user_id, limit),
            ).fetchall()
        )
        return [Thread(**row) for row in map(dict[str, str], rows)]


def _claim(connection: sqlite3.Connection, thread_id: str, user_id: str) -> Thread:
    connection.execute(
        "INSERT INTO threads (thread_id, user_id, created_at) VALUES (?, ?, ?) ON CONFLICT (thread_id) DO NOTHING",
        (thread_id, user_id, now()),
    )
    found = _read(connection, thread_id)
    assert found is not None
    return found


def _read(connection: sqlite3.Connection, thread_id: str) -> Thread | None:
    row = connection.execute(
        "SELECT thread_id, user_id, created_at FROM threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    return None if row is None else Thread(row["thread_id"], row["user_id"], row["created_at"])


def _check(thread: Thread, user_id: str) -> Thread:
    if thread.user_id != user_id:
        raise AccessError("This conversation belongs to another user; start one of your own.")
    return thread
