"""Keeps a running process on the registry's champions: it looks every quarter of a second, and tells who serves them.

A look costs some microseconds while nothing was written. What can't be taken up (a file that is gone, made for another
model, no memory) leaves the present one serving; the reason is in :attr:`Following.problems`, and it is tried again.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from shopfloor.errors import ShopfloorError
from shopfloor.observability import get_logger
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Artefact, ChampionWatch, Kind
from shopfloor.store.rollouts import Rollout

log = get_logger("shopfloor.local_models")

POLL_S = 0.25
RETRY_S = 15.0
UNREADABLE = "The registry of adapters can't be read: what served until now goes on serving; see the state database."

Champions = Mapping[tuple[str, Kind], Artefact]
"""What serves, by agent and kind."""
Trials = Mapping[tuple[str, Kind], Rollout]
"""What is tried on a share of the users, by agent and kind."""
Use = Callable[[Champions], Awaitable[None]]
Heard = Callable[[str, str], None]


@dataclass(slots=True)
class _Follower:
    """One that takes champions up. ``due``: when it is tried again after it failed (monotonic seconds)."""

    use: Use
    kinds: frozenset[Kind]
    tries: bool = False
    present: dict[tuple[str, Kind], str] = field(default_factory=dict[tuple[str, Kind], str])
    tried: dict[tuple[str, Kind], Rollout] = field(default_factory=dict[tuple[str, Kind], Rollout])
    due: float | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Following:
    """The champions of one data folder, as this process has them. Open it with ``async with``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._followers: dict[str, _Follower] = {}
        self._heard: list[Heard] = []
        self._work: set[asyncio.Task[None]] = set()
        self._champions: dict[tuple[str, Kind], Artefact] = {}
        self._trials: dict[tuple[str, Kind], Rollout] = {}
        self._watch: ChampionWatch | None = None
        self._number = -1
        self.problems: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._look()
        self._polling = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()
        if self._watch is not None:
            await asyncio.to_thread(self._watch.close)

    async def stop(self) -> None:
        """Look no more, and let what is being taken up come to its end; before what follows is closed. Idempotent."""
        self._polling.cancel()
        await asyncio.wait([self._polling, *self._work])

    @property
    def champions(self) -> Champions:
        """What should serve now."""
        return self._champions

    @property
    def folder(self) -> Path:
        """Where the artefacts lie, a folder each, by hash."""
        return self._settings.artefacts_path

    @property
    def trials(self) -> Trials:
        """What should be tried on a share of the users now."""
        return self._trials

    async def follow(
        self, name: str, kinds: frozenset[Kind], use: Use, present: Champions | None = None, *, tries: bool = False
    ) -> None:
        """Call ``use`` with all champions now, where they are not what is present, and whenever one of them changed.

        Args:
            name: under which a problem is kept.
            kinds: what it cares for.
            use: takes them up, or raises a ShopfloorError and leaves what serves.
            present: what it has taken up already; empty: nothing.
            tries: call it also when :attr:`trials` changed.
        """
        follower = _Follower(use, kinds, tries)
        follower.present = _names(present or {}, kinds)
        await self._bring_up(name, follower)
        self._followers[name] = follower

    def on_swap(self, heard: Heard) -> None:
        """Call ``heard(agent, artefact's hash)`` after each change that was taken up; the hash is "base" for none."""
        self._heard.append(heard)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                changed = await self._look()
            except (ShopfloorError, sqlite3.Error) as error:
                if UNREADABLE not in self.problems.values():
                    log.warning("registry_unreadable", error=type(error).__name__)
                self.problems["registry"] = UNREADABLE
                continue
            self.problems.pop("registry", None)
            now = time.monotonic()
            for name, follower in self._followers.items():
                if changed or (follower.due is not None and follower.due <= now):
                    self._start(name)

    async def _look(self) -> bool:
        """Read the champions if anything was written since; says whether a decision was made."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> bool:
        """As :meth:`_look`, blocking. A state database that is not there yet, or older, has no champions."""
        if self._watch is None:
            if not self._settings.state_path.is_file():
                return False
            self._watch = ChampionWatch(self._settings.state_path, self._settings.artefacts_path)
        if not self._watch.changed():
            return False
        try:
            number, champions, trials = self._watch.standing()
        except sqlite3.OperationalError:
            return False
        if number == self._number:
            return False
        self._number = number
        self._champions = {(artefact.agent, artefact.kind): artefact for artefact in champions}
        self._trials = {(trial.agent, trial.kind): trial for trial in trials}
        return True

    def _start(self, name: str) -> None:
        task = asyncio.create_task(self._bring_up(name, self._followers[name]))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _bring_up(self, name: str, follower: _Follower) -> None:
        async with follower.lock:
            champions = self._champions
            wanted = _names(champions, follower.kinds)
            trials = {key: one for key, one in self._trials.items() if follower.tries and key[1] in follower.kinds}
            before = follower.present
            if wanted == before and trials == follower.tried:
                follower.due = None
                self.problems.pop(name, None)
                return
            try:
                await follower.use(champions)
            except (ShopfloorError, OSError) as error:
                follower.due = time.monotonic() + RETRY_S
                self.problems[name] = error.detail if isinstance(error, ShopfloorError) else f"{name}: {error.strerror}"
                log.warning("artefact_refused", follower=name, detail=self.problems[name])
                return
            follower.present, follower.tried, follower.due = wanted, trials, None
            self.problems.pop(name, None)
            for agent, kind in sorted(wanted.keys() | before.keys()):
                if wanted.get((agent, kind)) != before.get((agent, kind)):
                    self._tell(agent, kind, wanted.get((agent, kind)) or "base")

    def _tell(self, agent: str, kind: Kind, artefact: str) -> None:
        log.info("artefact_serves", agent=agent, kind=kind, artefact=artefact)
        for heard in self._heard:
            heard(agent, artefact)


def _names(champions: Champions, kinds: frozenset[Kind]) -> dict[tuple[str, Kind], str]:
    return {key: artefact.hash for key, artefact in champions.items() if key[1] in kinds}
