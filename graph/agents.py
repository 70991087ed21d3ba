"""What answers from the catalogue: the local model, both agents, the router and the shop's words. Holds no conversation.

Several assistants may share one (``Resources(settings, agents=…)``): opening it is what takes time and memory.
"""

import asyncio
import contextlib
import sqlite3
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shopfloor.errors import ModelError, ShopfloorError
from shopfloor.graph.followers import fusion_follower, head_follower, without_adapters
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.live_lexicon import LiveLexicon
from shopfloor.graph.supervisor import Router
from shopfloor.local_models.adapting import Adaptable, runtime_for
from shopfloor.local_models.following import Following
from shopfloor.local_models.runtime import Message, ModelInfo, Runtime
from shopfloor.observability import get_logger
from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.tools.matching import plain
from shopfloor.tools.places import Gazetteer
from shopfloor.tools.schemas import ModelCard

if TYPE_CHECKING:
    from shopfloor.local_models.encoder import Encoder
    from shopfloor.tools.inventory import InventoryAgent
    from shopfloor.tools.recommendation import RecommendationAgent

log = get_logger("shopfloor.graph")


class Closable(Protocol):
    """A model that has to be closed."""

    async def close(self) -> None:
        """Stop what runs and free the memory."""
        ...


@dataclass(frozen=True)
class Agents:
    """An opened catalogue and what answers from it.

    Attributes:
        model: the local model as it was when it was opened; :meth:`model_of` has the adapter that serves now.
        problems: what is missing, a sentence each.
        following: keeps the adapters and heads on the registry's champions.
    """

    catalogue: Database
    runtime: Runtime | None
    recommendation: "RecommendationAgent"
    inventory: "InventoryAgent"
    router: Router | None
    words: LiveLexicon
    model: ModelCard
    problems: tuple[str, ...] = ()

    @property
    def lexicon(self) -> Lexicon:
        """The shop's words."""
        return self.words.current

    following: Following | None = None

    def model_of(self, agent: str) -> ModelCard:
        """The local model as it answers for one agent now; inside ``held``, as it is held."""
        return model_card(runtime_for(self.runtime, agent)) if self.runtime is not None else self.model


async def open_agents(settings: Settings, stack: AsyncExitStack, runtime: Runtime | None = None) -> Agents:
    """Open the catalogue (made on first start), the model, the agents and the router; ``stack`` closes them.

    Args:
        settings: what to open.
        stack: takes what has to be closed.
        runtime: a local model that the caller opened and closes; empty: one is opened.

    Raises:
        ShopfloorError: the catalogue can't be made or opened.
    """
    from shopfloor.tools.inventory import InventoryAgent
    from shopfloor.tools.recommendation import RecommendationAgent

    problems: list[str] = []
    following = await stack.enter_async_context(Following(settings))
    opening = asyncio.create_task(_runtime(settings, runtime, problems, following))
    stack.push_async_callback(_close_late, opening, runtime)
    encoding = asyncio.create_task(_encoder(settings, problems))
    stack.push_async_callback(_close_late, encoding, None)
    await asyncio.to_thread(_make_catalogue, settings)
    catalogue = await stack.enter_async_context(Database(settings.catalogue_path))
    cities = _Cities()
    words = LiveLexicon(catalogue, cities.knows)
    await words.refresh()
    model = await opening
    # A slow model must not hold an explanation up: the agent completes it from its template.
    patience = min(settings.model_timeout_s, settings.explain_timeout_s)
    patient = settings.model_copy(update={"model_timeout_s": patience})
    recommendation = RecommendationAgent(catalogue, model and runtime_for(model, "recommendation"), patient)
    inventory = InventoryAgent(catalogue, model and runtime_for(model, "inventory"), settings)
    router = await _router(settings, await encoding, problems, following, model)
    await following.follow("ranking", frozenset({"fusion"}), fusion_follower(recommendation))
    stack.push_async_callback(following.stop)
    if isinstance(model, Adaptable):
        _prepare_warming(model, settings)
    warming = asyncio.create_task(_warm(recommendation, inventory, cities))
    stack.push_async_callback(_cancel, warming)
    return Agents(
        catalogue=catalogue,
        runtime=model,
        recommendation=recommendation,
        inventory=inventory,
        router=router,
        words=words,
        model=model_card(model),
        problems=tuple(problems),
        following=following,
    )


def model_card(runtime: Runtime | None) -> ModelCard:
    """The local model as answers name it; without one, what answers instead."""
    if runtime is None:
        return ModelCard(name="templates", hash="", profile="none", runtime="none")
    info: ModelInfo = runtime.info
    return ModelCard(
        name=info.name, hash=info.source_hash, adapter=info.adapter, profile=info.profile, runtime=info.runtime
    )


def _prepare_warming(model: Adaptable, settings: Settings) -> None:
    """Say what a new adapter reads before it serves: the agents' own words, as far as their prompts begin with some."""
    from shopfloor.tools.inventory.model_slots import Form, wanted

    model.warm_with("recommendation", [Message("user", "Customer: something warm\nSuggestions:\n")])
    if wanted(settings):
        model.warm_with("inventory", Form("", (), (), ()).messages())


@dataclass
class _Cities:
    """Which names are cities; none is until the place names are read."""

    gazetteer: Gazetteer | None = None

    def knows(self, name: str) -> bool:
        """Whether ``name`` is a city."""
        return self.gazetteer is not None and plain(name) in self.gazetteer.by_name


async def _warm(recommendation: "RecommendationAgent", inventory: "InventoryAgent", cities: _Cities) -> None:
    """Read what the first questions would wait for; whatever fails here fails there again, with its reason."""
    try:
        await recommendation.warm()
        cities.gazetteer = await inventory.places()
    except (ShopfloorError, sqlite3.Error) as error:
        log.warning("warming_failed", error=type(error).__name__)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


def _make_catalogue(settings: Settings) -> None:
    from shopfloor.store.catalogue import ensure_catalogue

    ensure_catalogue(settings)


async def _runtime(
    settings: Settings, given: Runtime | None, problems: list[str], following: Following
) -> Runtime | None:
    if given is not None:
        return given
    from shopfloor.local_models.serving import open_serving

    try:
        return await open_serving(settings, following)
    except ModelError as error:
        problems.append(f"The local model is not there: {error.detail}")
        return None


async def _close_late(opening: "asyncio.Task[Closable | None]", given: object) -> None:
    """Close what was opened even where the opening around it failed or was cancelled."""
    if not opening.done():
        opening.cancel()
    with contextlib.suppress(asyncio.CancelledError, ShopfloorError):
        opened = await opening
        if opened is not None and opened is not given:
            await opened.close()


async def _encoder(settings: Settings, problems: list[str]) -> "Encoder | None":
    from shopfloor.local_models import open_encoder

    try:
        return await open_encoder(settings)
    except ModelError as error:
        problems.append(f"The router's encoder is not there: {error.detail}")
        return None


async def _router(
    settings: Settings,
    encoder: "Encoder | None",
    problems: list[str],
    following: Following,
    model: Runtime | None,
) -> Router | None:
    from shopfloor.graph.local_router import LocalRouter
    from shopfloor.graph.route_member import AdaptedMember
    from shopfloor.graph.shared_router import SharedRouter

    member = AdaptedMember(model) if isinstance(model, Adaptable) else None
    try:
        router = SharedRouter(await asyncio.to_thread(LocalRouter.open, settings, encoder, None, member))
    except ModelError as error:
        problems.append(f"The local router is not there: {error.detail}")
        return None
    await following.follow("router", frozenset({"head"}), head_follower(router, following), tries=True)
    if model is not None and member is None:
        await following.follow("adapters", frozenset({"lora"}), without_adapters)
    if router.champion.problem:
        problems.append(router.champion.problem)
    return router
