"""Everything a turn needs, opened once: databases, local model, agents, router, supervisor, stores."""

import asyncio
import contextlib
import sqlite3
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from shopfloor.errors import ModelError, ShopfloorError
from shopfloor.graph.breaker import TokenBudget
from shopfloor.graph.gemini import Gemini, open_chat_model
from shopfloor.graph.lexicon import Lexicon, read_lexicon
from shopfloor.graph.recorder import Recorder
from shopfloor.graph.replies import Replies, load_replies
from shopfloor.graph.supervisor import Router, Supervisor
from shopfloor.local_models.runtime import ModelInfo, Runtime
from shopfloor.observability import get_logger
from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.store.traces import TraceStore
from shopfloor.tools.matching import plain
from shopfloor.tools.places import Gazetteer
from shopfloor.tools.schemas import ModelCard

log = get_logger("shopfloor.graph")

if TYPE_CHECKING:
    from shopfloor.tools.inventory import InventoryAgent
    from shopfloor.tools.recommendation import RecommendationAgent


@dataclass(frozen=True)
class Shop:
    """One opened shop. ``problems``: what is missing, a sentence each; the assistant answers without it."""

    settings: Settings
    catalogue: Database
    state: Database
    runtime: Runtime | None
    recommendation: "RecommendationAgent"
    inventory: "InventoryAgent"
    lexicon: Lexicon
    replies: Replies
    supervisor: Supervisor
    traces: TraceStore
    recorder: Recorder
    model: ModelCard
    problems: tuple[str, ...] = ()


@dataclass
class Resources:
    """Opens a :class:`Shop` on first use, off the event loop where it blocks, and closes it.

    Safe for concurrent first uses on one loop. A failed opening is tried again on the next use.
    """

    settings: Settings
    _shop: Shop | None = field(default=None, init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack, init=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def get(self) -> Shop:
        """The opened shop.

        Raises:
            ShopfloorError: the catalogue or the state can't be opened.
        """
        if self._shop is not None:
            return self._shop
        async with self._opening:
            if self._shop is None:
                stack = AsyncExitStack()
                try:
                    self._shop = await _open(self.settings, stack)
                except BaseException:
                    await stack.aclose()
                    raise
                self._stack = stack
        return self._shop

    async def close(self) -> None:
        """Close what was opened. Idempotent."""
        async with self._opening:
            self._shop = None
            await self._stack.aclose()


async def _open(settings: Settings, stack: AsyncExitStack) -> Shop:
    from shopfloor.tools.inventory import InventoryAgent
    from shopfloor.tools.recommendation import RecommendationAgent

    problems: list[str] = []
    model_opening = asyncio.create_task(_runtime(settings, problems))
    stack.push_async_callback(_close_late, model_opening)
    await asyncio.to_thread(_make_databases, settings)
    catalogue = await stack.enter_async_context(Database(settings.catalogue_path))
    state = await stack.enter_async_context(Database(settings.state_path))
    cities = _Cities()
    lexicon = replace(await catalogue.read(read_lexicon), is_city=cities.knows)
    runtime = await model_opening
    router = await _router(settings, stack, problems)
    traces = TraceStore(state)
    await traces.fail_interrupted()
    gemini = await _gemini(settings, state)
    model = model_card(runtime)
    replies = await asyncio.to_thread(load_replies)
    # A slow model must not hold an explanation up: the agent completes it from its template.
    patience = min(settings.model_timeout_s, settings.explain_timeout_s)
    recommendation = RecommendationAgent(catalogue, runtime, settings.model_copy(update={"model_timeout_s": patience}))
    inventory = InventoryAgent(catalogue, runtime, settings)
    warming = asyncio.create_task(_warm(recommendation, inventory, cities))
    stack.push_async_callback(_cancel, warming)
    return Shop(
        settings=settings,
        catalogue=catalogue,
        state=state,
        runtime=runtime,
        recommendation=recommendation,
        inventory=inventory,
        lexicon=lexicon,
        replies=replies,
        supervisor=Supervisor(router, lexicon, replies, gemini),
        traces=traces,
        recorder=Recorder(traces, model),
        model=model,
        problems=tuple(problems),
    )


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


def _make_databases(settings: Settings) -> None:
    from shopfloor.store.catalogue import ensure_catalogue
    from shopfloor.store.migrations import open_state

    ensure_catalogue(settings)
    open_state(settings.state_path)


async def _runtime(settings: Settings, problems: list[str]) -> Runtime | None:
    from shopfloor.local_models import open_runtime

    try:
        return await open_runtime(settings)
    except ModelError as error:
        problems.append(f"The local model is not there: {error.detail}")
        return None


async def _close_late(opening: "asyncio.Task[Runtime | None]") -> None:
    """Close the runtime even where the opening around it failed or was cancelled."""
    if not opening.done():
        opening.cancel()
    with contextlib.suppress(asyncio.CancelledError, ShopfloorError):
        runtime = await opening
        if runtime is not None:
            await runtime.close()


async def _router(settings: Settings, stack: AsyncExitStack, problems: list[str]) -> Router | None:
    from shopfloor.graph.local_router import LocalRouter

    try:
        router = await LocalRouter.open(settings)
    except ShopfloorError as error:
        problems.append(f"The local router is not there: {error.detail}")
        return None
    stack.push_async_callback(router.close)
    return router


async def _gemini(settings: Settings, state: Database) -> Gemini | None:
    if settings.google_api_key is None or settings.gemini_daily_tokens == 0:
        return None
    used = await state.read(_tokens_today)
    model = await asyncio.to_thread(open_chat_model, settings)
    return Gemini(model, settings, TokenBudget(settings.gemini_daily_tokens, used))


def _tokens_today(connection: sqlite3.Connection) -> int:
    midnight = datetime.now(UTC).date().isoformat()
    row = connection.execute(
        """SELECT sum(coalesce(json_extract(usage, '$.gemini_prompt_tokens'), 0)
                    + coalesce(json_extract(usage, '$.gemini_completion_tokens'), 0))
           FROM turns WHERE created_at >= ?""",
        (midnight,),
    ).fetchone()
    return int(row[0] or 0)


def model_card(runtime: Runtime | None) -> ModelCard:
    """The local model as answers name it; without one, what answered instead."""
    if runtime is None:
        return ModelCard(name="templates", hash="", profile="none", runtime="none")
    info: ModelInfo = runtime.info
    return ModelCard(
        name=info.name, hash=info.source_hash, adapter=info.adapter, profile=info.profile, runtime=info.runtime
    )
