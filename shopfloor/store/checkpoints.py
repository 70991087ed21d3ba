"""Conversations as LangGraph checkpoints in an SQLite file of their own (WAL, synchronous NORMAL).

``langgraph.json`` names :func:`create_checkpointer`; the server and embedders use :func:`open_checkpointer`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from shopfloor.errors import StoreError
from shopfloor.settings import load_settings


@asynccontextmanager
async def open_checkpointer(path: Path) -> AsyncGenerator[AsyncSqliteSaver]:
    """A saver over the SQLite file at ``path``, set up and ready; closed when the block ends.

    Raises:
        StoreError: the file can't be opened or is not a database.
    """
    try:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        connection = await aiosqlite.connect(path)
    except (aiosqlite.Error, OSError) as error:
        raise _unusable(path, error) from error
    try:
        try:
            await connection.execute("PRAGMA busy_timeout = 5000")
            await connection.execute("PRAGMA synchronous = NORMAL")
            saver = AsyncSqliteSaver(connection)
            await saver.setup()
        except aiosqlite.Error as error:
            raise _unusable(path, error) from error
        yield saver
    finally:
        await connection.close()


@asynccontextmanager
async def create_checkpointer() -> AsyncGenerator[AsyncSqliteSaver]:
    """The checkpointer for ``langgraph dev``, at the path of the settings."""
    settings = await asyncio.to_thread(load_settings)
    async with open_checkpointer(settings.checkpoint_path) as saver:
        yield saver


async def prune(saver: AsyncSqliteSaver, thread_id: str, keep: int) -> int:
    """Delete all but the newest ``keep`` checkpoints of a thread (of each of its namespaces), and their writes.

    Returns:
        How many checkpoints went.
    """
    old = """SELECT checkpoint_ns, checkpoint_id FROM (
                 SELECT checkpoint_ns, checkpoint_id,
                        row_number() OVER (PARTITION BY checkpoint_ns ORDER BY checkpoint_id DESC) AS age
                 FROM checkpoints WHERE thread_id = ?)
             WHERE age > ?"""
    async with saver.lock:
        cursor = await saver.conn.execute(old, (thread_id, max(1, keep)))
        keys = [(thread_id, str(row[0]), str(row[1])) for row in await cursor.fetchall()]
        for table in ("writes", "checkpoints"):
            await saver.conn.executemany(
                f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?", keys
            )
        await saver.conn.commit()
    return len(keys)


def _unusable(path: Path, error: Exception) -> StoreError:
    return StoreError(f"The conversations in {path.name} can't be opened ({error}); check the path, or restore a copy.")
