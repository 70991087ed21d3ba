"""Two local routers at once: the champion, and beside it one that is tried on a share of the users.

Which side a user is on is decided by a keyed hash, so it is the same in every process and after a restart, and those
who got the new one early keep it as the share grows. A turn keeps the side it began with.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from shopfloor.graph.local_router import LocalRouter
from shopfloor.local_models.head import LinearHead
from shopfloor.store.rollouts import Rollout
from shopfloor.store.traces import Exposure
from shopfloor.tools.schemas import RouteInfo


@runtime_checkable
class SharesUsers(Protocol):
    """A router that may answer one user otherwise than another."""

    def side_for(self, who: str) -> "tuple[LocalRouter, Exposure | None]":
        """The router of a user, and which side that is; None where nothing is tried."""
        ...


@dataclass(frozen=True, slots=True)
class _Trial:
    """What is tried, replaced as a whole."""

    router: LocalRouter
    rollout: Rollout


class SharedRouter:
    """The router that serves, and perhaps one more."""

    def __init__(self, champion: LocalRouter) -> None:
        """``champion``: its head is changed in its place when another becomes champion."""
        self.champion = champion
        self._trial: _Trial | None = None

    @property
    def trial_id(self) -> str | None:
        """Of the trial that is on here."""
        return self._trial.rollout.rollout_id if self._trial is not None else None

    def try_beside(self, head: LinearHead, rollout: Rollout) -> None:
        """Decide by ``head`` for the users in the trial's share from now on."""
        self._trial = _Trial(self.champion.beside(head), rollout)

    def try_none(self) -> None:
        """Decide by the champion for everybody."""
        self._trial = None

    async def forget_texts(self) -> None:
        """Let go of the messages that were embedded; both sides share one encoder."""
        await self.champion.forget_texts()

    async def decide(self, text: str) -> RouteInfo:
        """Who handles a message that is nobody's: by the champion."""
        return await self.champion.decide(text)

    def side_for(self, who: str) -> tuple[LocalRouter, Exposure | None]:
        """The router that decides for a user, and which side that is; None where nothing is tried.

        Args:
            who: the user, or the conversation of a user without a name.
        """
        trial = self._trial
        if trial is None:
            return self.champion, None
        rollout = trial.rollout
        side = rollout.side(who)
        if side == "challenger":
            return trial.router, Exposure(rollout.rollout_id, rollout.stage, side, rollout.artefact)
        return self.champion, Exposure(rollout.rollout_id, rollout.stage, side, rollout.champion or "")
