"""What takes the registry's champions up, other than the model: the router its head, the ranking its weights."""

import asyncio
from dataclasses import fields
from typing import TYPE_CHECKING

from shopfloor.errors import ArtefactRejectedError, ModelError
from shopfloor.local_models.following import Champions, Use

if TYPE_CHECKING:
    from shopfloor.graph.local_router import LocalRouter
    from shopfloor.tools.recommendation import RecommendationAgent


def head_follower(router: "LocalRouter") -> Use:
    """Puts the champion of the router's heads into the router; without one, the head it was opened with."""
    own = router.head

    async def use(champions: Champions) -> None:
        from shopfloor.local_models.artefact_check import check_artefact
        from shopfloor.local_models.head import LinearHead

        champion = champions.get(("router", "head"))
        if champion is None:
            router.use(own)
            return
        try:
            await asyncio.to_thread(check_artefact, champion.folder, None)
            router.use(await asyncio.to_thread(LinearHead.load, champion.folder))
        except ModelError as error:
            raise ArtefactRejectedError(
                f"The router's head {champion.hash[:12]} is not used: {error.detail}"
            ) from error

    return use


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
