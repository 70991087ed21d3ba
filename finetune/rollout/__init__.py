"""What a training that won does: go live at a share of the users first, for everybody at once, or not now.

The share grows, or is taken back, by the service's watch (:mod:`shopfloor.http.rollout_watch`); the rules and the
sequential test are in :mod:`shopfloor.evaluation.rollout` and :mod:`shopfloor.evaluation.sequential`.
"""

from dataclasses import dataclass
from typing import Literal

from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database
from shopfloor.store.rollouts import begin, cooling, hold

SHARED_KINDS = frozenset({"head"})
"""What can be served in two versions at once."""


@dataclass(frozen=True, slots=True)
class WentLive:
    """What became of it. ``share``: percent of the users from now on."""

    status: Literal["promoted", "held"]
    share: int
    reason: str


async def go_live(
    settings: Settings, state: Database, name: str, reason: str, *, shares: bool, dataset_hash: str = ""
) -> WentLive:
    """Let an artefact serve that passed its gate. Doing it again changes nothing.

    Args:
        settings: shares, and the length of the cool-down.
        state: the registry's database.
        name: the artefact's hash.
        reason: for the log of decisions.
        shares: a share of the users first, where its kind can be served beside another.
        dataset_hash: what it was trained on: not again within the cool-down after it was taken back.

    Raises:
        ArtefactRejectedError: the champion in its place is pinned.
    """
    registry = Registry(state, settings.artefacts_path)
    artefact = await registry.get(name)
    hours = settings.rollout_cooldown_hours
    cool = await state.read(lambda connection: cooling(connection, artefact.agent, artefact.kind, hours))
    if cool is not None and artefact.state != "champion" and (dataset_hash in cool.datasets or name == cool.artefact):
        why = f"what was learned from the same data was taken back; not again before {cool.until}"
        await state.write(lambda connection: hold(connection, name, why), durable=True)
        return WentLive("held", 0, why)
    if shares and artefact.kind in SHARED_KINDS and artefact.state != "champion":
        stages = settings.rollout_stages
        trial = await state.write(
            lambda connection: begin(connection, name, stages, reason, dataset_hash), durable=True
        )
        return WentLive("promoted", trial.share, reason)
    await registry.activate(name, reason)
    return WentLive("promoted", 100, reason)
