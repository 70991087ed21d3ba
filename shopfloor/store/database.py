"""One SQLite file for asynchronous callers.

Reads run side by side on a few threads, each with a connection of its own; writes go one after another through a
single thread, each in a transaction. A read sees one state of the database from its first statement to its last,
whatever is written meanwhile. Nothing here runs on the event loop.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Literal, Self, TypeVar

from opentelemetry import trace

from shopfloor.errors import StoreError

T = TypeVar("T")

BUSY_S = 5.0


def connect(
    path: Path, *, read_only: bool = False, synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
) -> sqlite3.Connection:
    """Open one connection: WAL, foreign keys on, rows by name, 5 s busy time-out.

    Raises:
        StoreError: the file is absent (read-only), not a database, or not readable.
    """
    try:
        if read_only:
            address = f"{path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA busy_timeout = 5000")
        if not read_only:
            _write_ahead(connection)
            connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"The database {path.name} can't be opened ({error}); check the path, or restore a copy."
        ) from error
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn WAL on; where several open a new file at once, SQLite does not wait by itself here."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


class Database:
    """Asynchronous access to one SQLite file whose schema is already in place.

    ``read`` and ``write`` take a function of a :class:`sqlite3.Connection`; it runs on a worker thread, must not
    keep the connection, and its exceptions reach the caller.
    """

    def __init__(self, path: Path, *, readers: int = 4, synchronous: Literal["NORMAL", "FULL"] = "NORMAL") -> None:
        self.path = path
        self._synchronous: Literal["NORMAL", "FULL"] = synchronous
        self._local = threading.local()
        self._tracer = trace.get_tracer("shopfloor")
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix=f"read-{path.stem}")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"write-{path.stem}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on a read-only connection, in one snapshot of the database."""
        loop = asyncio.get_running_loop()
        with self._span("read"):
            return await loop.run_in_executor(self._readers, self._in_snapshot, work)

    async def write(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        """Run ``work`` inside one transaction: committed when it returns, rolled back when it raises.

        ``durable``: on disk before this returns (synchronous FULL), so that not even a power cut loses it.
        """
        loop = asyncio.get_running_loop()
        with self._span("write"):
            return await loop.run_in_executor(self._writer, self._in_transaction, work, durable)

    def read_sync(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """``read`` for callers that are on a thread of their own already."""
        with closing(connect(self.path, read_only=True)) as connection:
            return work(connection)

    async def close(self) -> None:
        """Wait for what runs and close every connection."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        with self._lock:
            while self._connections:
                self._connections.pop().close()

    def _span(self, kind: str) -> AbstractContextManager[trace.Span]:
        attributes = {"db.system.name": "sqlite", "db.namespace": self.path.stem, "db.operation.name": kind}
        return self._tracer.start_as_current_span(f"sql {kind} {self.path.stem}", attributes=attributes)

    def _in_snapshot(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def snapshot(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("ROLLBACK")

        return self._on_connection(snapshot, True)

    def _on_connection(self, work: Callable[[sqlite3.Connection], T], read_only: bool) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.path, read_only=read_only, synchronous=self._synchronous)
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return work(connection)

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T], durable: bool) -> T:
        level = "FULL" if durable else self._synchronous

        def transaction(connection: sqlite3.Connection) -> T:
            connection.execute(f"PRAGMA synchronous = {level}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result

        return self._on_connection(transaction, False)
