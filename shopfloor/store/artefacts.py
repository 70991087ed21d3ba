"""The registry of what was learned: which artefacts there are, and which one serves each agent.

registry = Registry(state, settings.artefacts_path)
name = await registry.add(Manifest(agent="recommendation", kind="lora", source_hash=...), {"adapter.gguf": path})
await registry.activate(name)

States: a ``candidate`` was made, a ``challenger`` is being tried, the ``champion`` serves, ``retired`` no longer does.
There is at most one champion and one challenger for an agent and kind; without a champion the base model serves alone.
Every change is one transaction, on disk before it returns.
"""

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from shopfloor.errors import NotFoundError, StoreError
from shopfloor.store.artefact_files import (
    Kind,
    Manifest,
    Progress,
    read_artefact,
    verify_artefact,
    write_artefact,
)
from shopfloor.store.artefact_rows import (
    Artefact,
    Change,
    State,
    artefact_of,
    champion_before,
    champion_row,
    end_void_trial,
    find_row,
    log_change,
    put,
    refuse_pinned,
    release_challenger,
    row_of,
)
from shopfloor.store.database import Database, connect
from shopfloor.store.rollouts import Rollout, running
from shopfloor.store.traces import now

__all__ = ["Artefact", "ChampionWatch", "Change", "Kind", "Manifest", "Registry", "State"]


class Registry:
    """Artefacts of one data folder; safe for many callers and for many processes at once."""

    def __init__(self, state: Database, folder: Path) -> None:
        """``folder`` is made when the first artefact is added."""
        self._state = state
        self.folder = folder

    @property
    def state(self) -> Database:
        """Where it is kept."""
        return self._state

    async def add(
        self,
        manifest: Manifest,
        files: Mapping[str, Path],
        *,
        state: Literal["candidate", "challenger"] = "candidate",
        reason: str = "",
        progress: Progress | None = None,
    ) -> str:
        """Copy files into the registry; returns the artefact's hash. Adding the same again changes nothing.

        The content is not looked into: ``shopfloor.local_models.artefact_check`` does that, before and after.

        Args:
            manifest: what it is.
            files: by the name they get in the artefact.
            state: where it starts.
            reason: for the log of changes.
            progress: hears the share copied, 0 to 1.

        Raises:
            ArtefactRejectedError: a name, kind, size or number of files that is not taken.
            StoreError: the disk is full or not writable.
        """
        try:
            name = await asyncio.to_thread(write_artefact, self.folder, manifest, files, progress)
        except OSError as error:
            raise StoreError(
                f"The artefact can't be written to {self.folder} ({error.strerror}): free some space, or set SHOPFLOOR_DATA."
            ) from error

        def insert(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM artefacts WHERE hash = ?", (name,)).fetchone():
                return
            connection.execute(
                """INSERT INTO artefacts (hash, agent, kind, state, source_hash, parent, metrics, created_at)
                   VALUES (?, ?, ?, 'candidate', ?, ?, ?, ?)""",
                (
                    *(name, manifest.agent, manifest.kind, manifest.source_hash, manifest.parent),
                    *(json.dumps(dict(manifest.metrics)), now()),
                ),
            )
            log_change(connection, row_of(connection, name), "add", reason)
            if state != "candidate":
                put(connection, row_of(connection, name), state, reason)

        await self._state.write(insert, durable=True)
        return name

    async def get(self, name: str) -> Artefact:
        """One artefact by its hash, or by the first digits of it.

        Raises:
            NotFoundError: there is none, or several begin so.
        """
        return self._artefact(await self._state.read(lambda connection: find_row(connection, name)))

    async def list(
        self, *, agent: str | None = None, kind: Kind | None = None, state: State | None = None
    ) -> "list[Artefact]":
        """Artefacts, the newest first."""
        wanted = {"agent": agent, "kind": kind, "state": state}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"

        def select(connection: sqlite3.Connection) -> Sequence[sqlite3.Row]:
            return connection.execute(
                f"SELECT * FROM artefacts WHERE {where} ORDER BY created_at DESC, hash", list(given.values())
            ).fetchall()

        return [self._artefact(row) for row in await self._state.read(select)]

    async def champion(self, agent: str, kind: Kind) -> Artefact | None:
        """What serves an agent; None: the base model alone."""
        found = await self.list(agent=agent, kind=kind, state="champion")
        return found[0] if found else None

    async def changes(self, limit: int = 50) -> "list[Change]":
        """The latest decisions, the newest first."""

        def select(connection: sqlite3.Connection) -> Sequence[sqlite3.Row]:
            return connection.execute(
                "SELECT * FROM artefact_changes ORDER BY change_no DESC LIMIT ?", (limit,)
            ).fetchall()

        return [
            Change(
                number=row["change_no"],
                at=row["at"],
                action=row["action"],
                hash=row["hash"],
                agent=row["agent"],
                kind=row["kind"],
                champion=row["champion"],
                reason=row["reason"],
                numbers=json.loads(row["numbers"]),
            )
            for row in await self._state.read(select)
        ]

    async def manifest(self, name: str) -> Manifest:
        """What an artefact was made from.

        Raises:
            NotFoundError: there is no such artefact.
            ArtefactRejectedError: its folder is gone or damaged.
        """
        artefact = await self.get(name)
        return (await asyncio.to_thread(read_artefact, artefact.folder))[0]

    async def verify(self, name: str) -> Artefact:
        """Read every file of an artefact and compare its hash.

        Raises:
            NotFoundError: there is no such artefact.
            ArtefactRejectedError: something is absent or damaged.
        """
        artefact = await self.get(name)
        await asyncio.to_thread(verify_artefact, artefact.folder)
        return artefact

    async def activate(self, name: str, reason: str = "") -> Artefact:
        """Make an artefact the champion; running services take it up within a second. Check its files before.

        Raises:
            NotFoundError: there is no such artefact.
            ArtefactRejectedError: the champion in its place is pinned.
        """
        return await self.set_state(name, "champion", reason)

    async def set_state(self, name: str, state: State, reason: str = "", *, force: bool = False) -> Artefact:
        """Move an artefact; whoever held the place of a champion is retired, that of a challenger is a candidate again.

        Args:
            name: its hash, or the first digits.
            state: where it goes.
            reason: for the log of changes.
            force: even where the champion is pinned (what a person asked to be forgotten must go).

        Raises:
            NotFoundError: there is no such artefact.
            ArtefactRejectedError: the champion that would lose its place is pinned.
        """

        def change(connection: sqlite3.Connection) -> sqlite3.Row:
            row = find_row(connection, name)
            if row["state"] == state:
                return row
            serving = champion_row(connection, row["agent"], row["kind"])
            if serving is not None and (state == "champion" or serving["hash"] == row["hash"]) and not force:
                refuse_pinned(serving)
            put(connection, row, state, reason)
            return row_of(connection, row["hash"])

        return self._artefact(await self._state.write(change, durable=True))

    async def rollback(self, agent: str, kind: Kind, reason: str = "") -> Artefact | None:
        """Take the champion back: the one before it serves again, or the base alone (then None is returned).

        Raises:
            NotFoundError: no artefact serves this agent.
            ArtefactRejectedError: the champion is pinned.
        """

        def change(connection: sqlite3.Connection) -> sqlite3.Row | None:
            serving = champion_row(connection, agent, kind)
            if serving is None:
                raise NotFoundError(f"No {kind} serves {agent}: there is nothing to roll back.", code="no_champion")
            refuse_pinned(serving)
            before = champion_before(connection, agent, kind)
            connection.execute("UPDATE artefacts SET state = 'retired' WHERE hash = ?", (serving["hash"],))
            if before is not None:
                connection.execute("UPDATE artefacts SET state = 'champion' WHERE hash = ?", (before,))
            log_change(connection, serving, "rollback", reason)
            end_void_trial(connection, agent, kind, reason)
            return None if before is None else row_of(connection, before)

        row = await self._state.write(change, durable=True)
        return None if row is None else self._artefact(row)

    async def pin(self, name: str, pinned: bool = True, reason: str = "") -> Artefact:
        """Hold an artefact in its place, or let it go again.

        What is tried beside a champion goes when that is pinned; a challenger that is pinned keeps its share.

        Raises:
            NotFoundError: there is no such artefact.
        """

        def change(connection: sqlite3.Connection) -> sqlite3.Row:
            row = find_row(connection, name)
            if bool(row["pinned"]) != pinned:
                connection.execute("UPDATE artefacts SET pinned = ? WHERE hash = ?", (int(pinned), row["hash"]))
                log_change(connection, row, "pin" if pinned else "unpin", reason)
                if pinned and row["state"] == "champion":
                    release_challenger(connection, row["agent"], row["kind"], reason)
            return row_of(connection, row["hash"])

        return self._artefact(await self._state.write(change, durable=True))

    async def add_metrics(self, name: str, metrics: Mapping[str, float]) -> Artefact:
        """Add figures, e.g. a gate's; those of the same name are replaced. The manifest keeps what it was made with.

        Raises:
            NotFoundError: there is no such artefact.
        """

        def change(connection: sqlite3.Connection) -> sqlite3.Row:
            row = find_row(connection, name)
            known: dict[str, float] = {**json.loads(row["metrics"]), **metrics}
            connection.execute("UPDATE artefacts SET metrics = ? WHERE hash = ?", (json.dumps(known), row["hash"]))
            return row_of(connection, row["hash"])

        return self._artefact(await self._state.write(change, durable=True))

    async def erase(self, name: str, reason: str = "") -> Artefact:
        """Retire an artefact, pinned or not, and delete its files; its row stays, for the log.

        Raises:
            NotFoundError: there is no such artefact.
        """
        artefact = await self.set_state(name, "retired", reason, force=True)
        await asyncio.to_thread(shutil.rmtree, artefact.folder, ignore_errors=True)
        return replace(artefact, state="retired")

    def _artefact(self, row: sqlite3.Row) -> Artefact:
        return artefact_of(row, self.folder)


class ChampionWatch:
    """Tells a running process cheaply, by blocking calls, that the champions changed; for one thread at a time."""

    def __init__(self, state_path: Path, folder: Path) -> None:
        """Open a connection to a state database that is there.

        Raises:
            StoreError: it can't be opened.
        """
        self._connection = connect(state_path, read_only=True)
        self._folder = folder
        self._lock = threading.Lock()
        self._seen = -1

    def changed(self) -> bool:
        """Whether any process wrote to the database since the last call (about 10 µs); True the first time."""
        with self._lock:
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
            changed, self._seen = version != self._seen, version
        return changed

    def champions(self) -> tuple[int, list[Artefact]]:
        """The number of the last change, and every champion."""
        return self.standing()[:2]

    def standing(self) -> tuple[int, list[Artefact], list[Rollout]]:
        """The number of the last change, every champion, and everything that is tried on a share of the users."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                last = self._connection.execute("SELECT coalesce(max(change_no), 0) FROM artefact_changes").fetchone()
                rows = self._connection.execute("SELECT * FROM artefacts WHERE state = 'champion'").fetchall()
                known = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'rollouts'").fetchone()
                trials = running(self._connection) if known else []  # none yet in an older version's database
            finally:
                self._connection.execute("ROLLBACK")
        return int(last[0]), [artefact_of(row, self._folder) for row in rows], trials

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
