"""Everything a turn needs, opened once: the agents, the state database with its stores, the supervisor."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from shopfloor.graph.agents import Agents, open_agents
from shopfloor.graph.breaker import TokenBudget
from shopfloor.graph.gemini import Gemini, open_chat_model
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.recorder import Recorder
from shopfloor.graph.replies import Replies, load_replies
from shopfloor.graph.supervisor import Supervisor
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.store.traces import TraceStore
from shopfloor.tools.schemas import ModelCard

if TYPE_CHECKING:
    from shopfloor.tools.inventory import InventoryAgent
    from shopfloor.tools.recommendation import RecommendationAgent


@dataclass(frozen=True)
class Shop:
    """One opened shop and its conversations' traces."""

    settings: Settings
    agents: Agents
    state: Database
    replies: Replies
    supervisor: Supervisor
    traces: TraceStore
    recorder: Recorder

    @property
    def catalogue(self) -> Database:
        """The catalogue."""
        return self.agents.catalogue

    @property
    def runtime(self) -> Runtime | None:
        """The local model."""
        return self.agents.runtime

    @property
    def recommendation(self) -> "RecommendationAgent":
        """The recommendation agent."""
        return self.agents.recommendation

    @property
    def inventory(self) -> "InventoryAgent":
        """The inventory agent."""
        return self.agents.inventory

    @property
    def lexicon(self) -> Lexicon:
        """The shop's words."""
        return self.agents.lexicon

    async def refresh(self) -> None:
        """Take up the shop's words anew where an import has changed the catalogue."""
        self.supervisor.lexicon = await self.agents.words.refresh()

    @property
    def model(self) -> ModelCard:
        """The local model as answers name it that no agent gave."""
        return self.agents.model

    def model_of(self, agent: str) -> ModelCard:
        """The local model as it answers for one agent now; inside ``held``, as it is held."""
        return self.agents.model_of(agent)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is missing, a sentence each; the assistant answers without it."""
        following = self.agents.following
        return (*self.agents.problems, *(following.problems.values() if following is not None else ()))


@dataclass
class Resources:
    """Opens a :class:`Shop` on first use, off the event loop where it blocks, and closes it.

    Safe for concurrent first uses on one loop. A failed opening is tried again on the next use.

    Attributes:
        settings: what is opened.
        agents: opened by the caller, who closes them; empty: they are opened too.
    """

    settings: Settings
    agents: Agents | None = None
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
                    self._shop = await _open(self.settings, self.agents, stack)
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


async def _open(settings: Settings, agents: Agents | None, stack: AsyncExitStack) -> Shop:
    if agents is None:
        agents = await open_agents(settings, stack)
    await asyncio.to_thread(_make_state, settings)
    state = await stack.enter_async_context(Database(settings.state_path))
    traces = TraceStore(state)
    await traces.fail_interrupted()
    gemini = await _gemini(settings, state, stack)
    replies = await asyncio.to_thread(load_replies)
    return Shop(
        settings=settings,
        agents=agents,
        state=state,
        replies=replies,
        supervisor=Supervisor(agents.router, agents.lexicon, replies, gemini, gemini_below=settings.gemini_below),
        traces=traces,
        recorder=Recorder(traces, agents.model),
    )


def _make_state(settings: Settings) -> None:
    from shopfloor.store.migrations import open_state

    open_state(settings.state_path)


async def _gemini(settings: Settings, state: Database, stack: AsyncExitStack) -> Gemini | None:
    if settings.google_api_key is None or settings.gemini_daily_tokens == 0:
        return None
    used = await state.read(_tokens_today)
    model = await asyncio.to_thread(open_chat_model, settings)
    gemini = Gemini(model, settings, TokenBudget(settings.gemini_daily_tokens, used))
    stack.push_async_callback(gemini.close)
    return gemini


def _tokens_today(connection: sqlite3.Connection) -> int:
    midnight = datetime.now(UTC).date().isoformat()
    row = connection.execute(
        """SELECT sum(coalesce(json_extract(usage, '$.gemini_prompt_tokens'), 0)
                    + coalesce(json_extract(usage, '$.gemini_completion_tokens'), 0))
           FROM turns WHERE created_at >= ?""",
        (midnight,),
    ).fetchone()
    return int(row[0] or 0)
