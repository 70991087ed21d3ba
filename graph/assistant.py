"""The one class behind every front door.

async with Assistant.open() as assistant:
    reply = await assistant.ask("a warm blue jacket under 120", user_id="ada")
    async for event in assistant.stream("do you have it in Berlin?", user_id="ada", thread_id=reply.thread_id): ...

A message without a thread begins a fresh one. A thread belongs to its first user. Turns of one thread run one after
another, in the order they came; different threads run side by side. One process owns a thread at a time.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from shopfloor.errors import InputError, ModelError, NotFoundError, TooLargeError
from shopfloor.graph import direct
from shopfloor.graph.builder import build_graph
from shopfloor.graph.forgetting import Forgetting
from shopfloor.graph.locks import ThreadLocks
from shopfloor.graph.shop import Resources, Shop
from shopfloor.graph.state import text_of
from shopfloor.graph.stats import Readiness, model_stats_of, readiness_of
from shopfloor.graph.turn import Graph, TurnRequest, run_turn
from shopfloor.settings import Settings, load_settings
from shopfloor.store.checkpoints import open_checkpointer, prune
from shopfloor.store.feedback import FeedbackStore, NewFeedback
from shopfloor.store.threads import ThreadStore
from shopfloor.tools.schemas import (
    DoneEvent,
    ErrorEvent,
    FeedbackRequest,
    FeedbackResponse,
    HistoryMessage,
    InventoryRequest,
    InventoryResponse,
    ModelStats,
    RecommendRequest,
    RecommendResponse,
    Reply,
    TurnEvent,
)


class Assistant:
    """A shop assistant over one opened shop. Make one with :meth:`open`; safe for many callers on one event loop."""

    def __init__(self, shop: Shop, graph: Graph, saver: BaseCheckpointSaver[Any]) -> None:
        self._shop = shop
        self._saver = saver
        self._locks = ThreadLocks()
        self._threads = ThreadStore(shop.state)
        self._feedback = FeedbackStore(shop.state, shop.catalogue)
        self._started_at = time.monotonic()
        self._chores: set[asyncio.Task[object]] = set()
        self._forgetting = Forgetting(shop.settings, shop.agents)
        self.graph = graph

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings | None = None,
        checkpointer: BaseCheckpointSaver[Any] | None = None,
        *,
        resources: Resources | None = None,
    ) -> AsyncGenerator["Assistant"]:
        """Open the shop, its models and the conversations; closed when the block ends.

        Args:
            settings: empty: from the environment.
            checkpointer: where conversations are kept; empty: an SQLite file in the data folder.
            resources: opened by the caller, who closes them.

        Raises:
            ShopfloorError: the shop or its databases can't be opened.
        """
        settings = settings or (resources.settings if resources is not None else await asyncio.to_thread(load_settings))
        async with AsyncExitStack() as stack:
            if resources is None:
                resources = await stack.enter_async_context(Resources(settings))
            shop = await resources.get()
            saver = checkpointer
            if saver is None:
                saver = await stack.enter_async_context(open_checkpointer(settings.checkpoint_path))
            graph = build_graph(settings=settings, checkpointer=saver, resources=resources)
            assistant = cls(shop, graph, saver)
            await stack.enter_async_context(assistant._forgetting.running())
            try:
                yield assistant
            finally:
                await assistant._finish_chores()

    @property
    def settings(self) -> Settings:
        """What it was opened with."""
        return self._shop.settings

    # Conversation ----------------------------------------------------------------------------------------------------

    async def ask(self, text: str, *, user_id: str, thread_id: str | None = None, door: str = "ask") -> Reply:
        """Answer one message.

        Raises:
            AccessError: the thread is another user's.
            ShopfloorError: the turn failed.
        """
        async with aclosing(self.stream(text, user_id=user_id, thread_id=thread_id, door=door)) as events:
            async for event in events:
                if isinstance(event, DoneEvent):
                    return event.reply
                if isinstance(event, ErrorEvent):
                    raise ModelError(event.detail, code=event.code)
        raise ModelError("The turn ended without an answer; ask again.")

    async def stream(
        self, text: str, *, user_id: str, thread_id: str | None = None, door: str = "ask"
    ) -> AsyncGenerator[TurnEvent]:
        """Answer one message, event by event: route, items, stock, tokens, then done or error.

        Closing the iterator stops the generation and marks the turn cancelled.

        Raises:
            InputError: the text is empty or too long, before the first event.
            AccessError: the thread is another user's, before the first event.
        """
        request = TurnRequest(self._checked(text), user_id, thread_id or uuid.uuid4().hex, door)
        await self._threads.claim(request.thread_id, user_id)
        async with aclosing(run_turn(self.graph, self._shop, self._locks, request)) as events:
            async for event in events:
                yield event
        self._tidy(request.thread_id)

    async def history(self, thread_id: str, user_id: str) -> list[HistoryMessage]:
        """A conversation's messages as far as they are kept, oldest first.

        Raises:
            NotFoundError: there is no such thread.
            AccessError: it is another user's.
        """
        if await self._threads.check(thread_id, user_id) is None:
            raise NotFoundError("There is no such conversation; start one by sending a message.", code="unknown_thread")
        snapshot = await self.graph.aget_state({"configurable": {"thread_id": thread_id}})
        messages = cast(list[AnyMessage], snapshot.values.get("messages") or [])
        return [_history(message) for message in messages if isinstance(message, HumanMessage | AIMessage)]

    # The agents, asked directly --------------------------------------------------------------------------------------

    async def recommend(self, request: RecommendRequest) -> RecommendResponse:
        """Recommend products.

        Raises:
            AccessError: the thread is another user's.
        """
        self._checked(request.context)
        if request.thread_id is None:
            return await direct.recommend(self._shop, self.graph, request)
        await self._threads.claim(request.thread_id, request.user_id)
        async with self._locks.hold(request.thread_id):
            return await direct.recommend(self._shop, self.graph, request)

    async def check_inventory(self, request: InventoryRequest) -> InventoryResponse:
        """Check one product's stock.

        Raises:
            NotFoundError: the product, store or city is not known; the nearest matches are offered.
            AccessError: the thread is another user's.
        """
        if request.thread_id is None:
            return await direct.check_inventory(self._shop, self.graph, request)
        await self._threads.claim(request.thread_id, request.user_id or "anonymous")
        async with self._locks.hold(request.thread_id):
            return await direct.check_inventory(self._shop, self.graph, request)

    # Feedback and figures --------------------------------------------------------------------------------------------

    async def feedback(self, request: FeedbackRequest) -> FeedbackResponse:
        """Store a reaction.

        Raises:
            NotFoundError: what it is about is not known; the nearest matches are offered.
            AccessError: the answer was made for another user.
        """
        stored = await self._feedback.add(NewFeedback(**request.model_dump(), source="api"))
        return FeedbackResponse(
            feedback_id=stored.feedback_id,
            trace_id=stored.trace_id,
            agent=stored.agent,
            duplicate=stored.duplicate,
        )

    async def model_stats(self) -> ModelStats:
        """Figures of the local models."""
        return await model_stats_of(self._shop, self._feedback, self._started_at)

    async def readiness(self) -> Readiness:
        """Whether requests are answered, and with everything there is."""
        return readiness_of(self._shop)

    def on_swap(self, heard: Callable[[str, str], None]) -> None:
        """Call ``heard(agent, artefact's hash)`` after each change of an adapter or head that serves; "base" for none."""
        following = self._shop.agents.following
        if following is not None:
            following.on_swap(heard)

    def on_forget(self, heard: Callable[[], Awaitable[None]]) -> None:
        """Call ``heard()`` when somebody was forgotten, so that what the caller remembers of them goes too."""
        self._forgetting.on_forget(heard)

    # -----------------------------------------------------------------------------------------------------------------

    def _checked(self, text: str) -> str:
        text = text.strip()
        if not text:
            raise InputError("The message is empty; say what you are looking for.", code="empty_message")
        limit = self._shop.settings.max_text_chars
        if len(text) > limit:
            raise TooLargeError(f"The message has {len(text)} characters; at most {limit} are read. Shorten it.")
        return text

    def _tidy(self, thread_id: str) -> None:
        """Drop a thread's old checkpoints, after the answer and out of its way."""
        if isinstance(self._saver, AsyncSqliteSaver):
            chore = asyncio.create_task(prune(self._saver, thread_id, self._shop.settings.checkpoints_kept))
            self._chores.add(chore)
            chore.add_done_callback(self._chores.discard)

    async def _finish_chores(self) -> None:
        if self._chores:
            await asyncio.gather(*self._chores, return_exceptions=True)


def _history(message: HumanMessage | AIMessage) -> HistoryMessage:
    if isinstance(message, HumanMessage):
        return HistoryMessage(role="user", text=text_of(message))
    metadata: dict[str, Any] = message.response_metadata
    shown = {name: metadata[name] for name in HistoryMessage.model_fields if metadata.get(name) is not None}
    return HistoryMessage.model_validate({**shown, "role": "assistant", "text": text_of(message)})
