"""That somebody was forgotten, for processes that run: the state database says how often, never who.

``shopfloor forget`` writes a row when it begins to erase and one when it has ended; a service that sees the number grow
empties whatever it holds in memory.
"""

import sqlite3
import threading
from pathlib import Path

from shopfloor.store.database import connect
from shopfloor.store.traces import now


def record_forgetting(state: sqlite3.Connection) -> None:
    """Tell running processes that somebody is, or was, forgotten; inside the caller's transaction."""
    state.execute("INSERT INTO forgettings (at) VALUES (?)", (now(),))


class ForgetWatch:
    """Tells a running process cheaply, by blocking calls, that somebody was forgotten; for one thread at a time."""

    def __init__(self, state_path: Path) -> None:
        """Open a connection to a state database that is there.

        Raises:
            StoreError: it can't be opened.
        """
        self._connection = connect(state_path, read_only=True)
        self._lock = threading.Lock()
        self._version = -1
        self._number = self._last()

    def heard(self) -> bool:
        """Whether it happened since the last call, or since this was made (some 10 µs while nothing is written)."""
        with self._lock:
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
            if version == self._version:
                return False
            self._version = version
            number, before = self._last(), self._number
            self._number = number
        return number != before

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _last(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(forget_no), 0) FROM forgettings").fetchone()[0])
