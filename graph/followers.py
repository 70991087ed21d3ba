"""What takes the registry's champions up, other than the model: the router its head, the ranking its weights."""

import asyncio
from dataclasses import fields
from typing import TYPE_CHECKING

from shopfloor.errors import ArtefactRejectedError, ModelError
from shopfloor.local_models.following import Champions, Use
from shopfloor.store.artefacts import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from shopfloor.graph.shared_router import SharedRouter
    from shopfloor.local_models.following import Following
    from shopfloor.local_models.head import LinearHead
    from shopfloor.tools.recommendation import RecommendationAgent

ROUTER_HEAD: tuple[str, Kind] = ("router", "head")


def head_follower(router: "SharedRouter", following: "Following") -> Use:
    """Puts the champion of the router's heads into the router, and beside it what is tried on a share of the users.

    Without a champion it has the head it was opened with. A head that can't be tried leaves everybody on the champion.
    """
    own = router.champion.head

    async def use(champions: Champions) -> None:
        champion, trial = champions.get(ROUTER_HEAD), following.trials.get(ROUTER_HEAD)
        if trial is None or trial.rollout_id != router.trial_id:
            router.try_none()
        router.champion.use(own if champion is None else await _head(champion.folder, champion.hash))
        if trial is not None:
            # Its folder lies beside the champion's: the registry names folders by their hash.
            router.try_beside(await _head(following.folder / trial.artefact, trial.artefact), trial)

    return use


async def _head(folder: "Path", name: str) -> "LinearHead":
    from shopfloor.local_models.artefact_check import check_artefact
    from shopfloor.local_models.head import LinearHead

    try:
        await asyncio.to_thread(check_artefact, folder, None)
        return await asyncio.to_thread(LinearHead.load, folder)
    except ModelError as error:
        raise ArtefactRejectedError(f"The router's head {name[:12]} is not used: {error.detail}") from error


async def without_adapters(champions: Champions) -> None:
    """Says that the model that serves can't carry adapters, so that the agents are served without theirs.

    Raises:
        ArtefactRejectedError: one should serve.
    """
    agents = sorted(agent for agent, kind in champions if kind == "lora")
    if agents:
        raise ArtefactRejectedError(
            f"The local model carries no adapters, so {' and '.join(agents)} serve without theirs: "
            "the router decides by its head alone; SHOPFLOOR_RUNTIME=embedded carries them."
        )


def fusion_follower(agent: "RecommendationAgent") -> Use:
    """Gives the ranking the champion's weights; without one, those it was opened with. A weight not named stays as it was."""
    own = agent.weights

    async def use(champions: Champions) -> None:
        from shopfloor.local_models.artefact_check import FUSION_FILE, check_artefact, read_numbers
        from shopfloor.tools.recommendation.ranking import RankingWeights

        champion = champions.get(("recommendation", "fusion"))
        if champion is None:
            agent.weights = own
            return
        await asyncio.to_thread(check_artefact, champion.folder, None)
        numbers = await asyncio.to_thread(read_numbers, {FUSION_FILE: champion.folder / FUSION_FILE})
        known = {field.name: getattr(own, field.name) for field in fields(RankingWeights)}
        if unknown := sorted(numbers.keys() - known.keys()):
            raise ArtefactRejectedError(
                f"The weights {champion.hash[:12]} are not used: the ranking has no signal {unknown[0]!r}.",
                matches=list(known),
            )
        agent.weights = RankingWeights(**{**known, **numbers})

    return use
