"""What the routes stand on: one assistant, opened in the background, and its figures.

The server listens at once and says by ``/readyz`` when the assistant is there; a request that comes earlier waits a
little for it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import anyio

from shopfloor.errors import ModelError, ShopfloorError
from shopfloor.observability import Metrics, TokenCounts, TurnLabels, get_logger
from shopfloor.settings import Settings
from shopfloor.tools.schemas import (
    DoneEvent,
    ErrorEvent,
    FeedbackRequest,
    FeedbackResponse,
    HistoryMessage,
    InventoryRequest,
    InventoryResponse,
    ModelCard,
    ModelStats,
    RecommendRequest,
    RecommendResponse,
    Reply,
    TokenEvent,
    TurnEvent,
)

log = get_logger("shopfloor.http")

WAIT_FOR_OPENING_S = 20.0


class ReadinessLike(Protocol):
    """How the assistant says whether it can answer."""

    @property
    def ready(self) -> bool:
        """It answers."""
        ...

    @property
    def degraded(self) -> bool:
        """It answers, but not with everything it has."""
        ...

    @property
    def reasons(self) -> Sequence[str]:
        """What is missing, a sentence each."""
        ...


@runtime_checkable
class ShopAssistant(Protocol):
    """The part of :class:`shopfloor.graph.assistant.Assistant` that the front doors call."""

    def stream(
        self, text: str, *, user_id: str, thread_id: str | None = None, door: str = "ask"
    ) -> AsyncIterator[TurnEvent]:
        """Answer one message, event by event."""
        ...

    async def recommend(self, request: RecommendRequest) -> RecommendResponse:
        """Answer one recommendation request."""
        ...

    async def check_inventory(self, request: InventoryRequest) -> InventoryResponse:
        """Answer one stock question."""
        ...

    async def feedback(self, request: FeedbackRequest) -> FeedbackResponse:
        """Store one reaction."""
        ...

    async def model_stats(self) -> ModelStats:
        """Figures of the local models."""
        ...

    async def history(self, thread_id: str, user_id: str) -> Sequence[HistoryMessage]:
        """A conversation's messages, for its owner."""
        ...

    async def readiness(self) -> ReadinessLike:
        """Whether requests are answered."""
        ...


@runtime_checkable
class TellsOfSwaps(Protocol):
    """An assistant whose adapters and heads change while it serves."""

    def on_swap(self, heard: Callable[[str, str], None]) -> None:
        """Call ``heard(agent, artefact)`` after each change."""
        ...


@runtime_checkable
class TellsOfForgetting(Protocol):
    """An assistant that hears when somebody was forgotten."""

    def on_forget(self, heard: Callable[[], Awaitable[None]]) -> None:
        """Call ``heard()`` each time."""
        ...


Opener = Callable[[Settings], AbstractAsyncContextManager[ShopAssistant]]


class StartingError(ModelError):
    """The assistant is not there yet."""

    code = "starting"


class Service:
    """Keeps one assistant open, passes requests to it, and files the figures.

    Args:
        settings: the process's settings.
        metrics: where the figures go.
        opener: makes the assistant; empty: :meth:`shopfloor.graph.assistant.Assistant.open`.
    """

    def __init__(self, settings: Settings, metrics: Metrics, opener: Opener | None = None) -> None:
        self.settings = settings
        self.metrics = metrics
        self._opener = opener or _open_assistant
        self._assistant: ShopAssistant | None = None
        self._failure: ShopfloorError | None = None
        self._settled = asyncio.Event()
        self._stop = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._forgetters: list[Callable[[], Awaitable[None]]] = []
        self.started_at = time.monotonic()
        self.opened_after_s: float | None = None

    async def start(self) -> None:
        """Begin to open the assistant; returns at once."""
        self._settled.clear()
        self._stop.clear()
        self._failure = None
        self.started_at = time.monotonic()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Close the assistant."""
        self._stop.set()
        if self._keeper is None:
            return
        if not self._settled.is_set():
            self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        self._keeper = None

    async def _keep(self) -> None:
        # One task opens and closes: what the assistant holds may insist on that.
        try:
            async with self._opener(self.settings) as assistant:
                self._assistant = assistant
                if isinstance(assistant, TellsOfSwaps):
                    assistant.on_swap(self._count_swap)
                if isinstance(assistant, TellsOfForgetting):
                    assistant.on_forget(self._forget)
                self.opened_after_s = time.monotonic() - self.started_at
                self._settled.set()
                await self._stop.wait()
        except ShopfloorError as error:
            log.error("opening_failed", code=error.code, detail=error.detail)
            self._failure = error
        except Exception as error:
            # Whatever broke, the process must say so at /readyz rather than hang its callers.
            log.error("opening_failed", code="internal", exc_info=error)
            self._failure = ModelError(f"The assistant could not start ({type(error).__name__}); see the log.")
        finally:
            self._assistant = None
            self._settled.set()

    def on_forget(self, heard: Callable[[], Awaitable[None]]) -> None:
        """Call ``heard()`` when somebody was forgotten, for what a door remembers."""
        self._forgetters.append(heard)

    async def _forget(self) -> None:
        for heard in self._forgetters:
            await heard()

    async def opened(self) -> ShopAssistant:
        """Wait for the assistant, however long it takes.

        Raises:
            ShopfloorError: it could not be opened.
        """
        await self._settled.wait()
        if self._assistant is None:
            raise self._failure or StartingError("The service is shutting down; try again.")
        return self._assistant

    async def assistant(self) -> ShopAssistant:
        """The assistant, after a short wait while it is being opened.

        Raises:
            StartingError: it is still being opened.
            ModelError: it could not be opened.
        """
        try:
            async with asyncio.timeout(WAIT_FOR_OPENING_S):
                return await self.opened()
        except TimeoutError as error:
            raise StartingError("The service is still starting; try again in a moment.") from error
        except ModelError:
            raise
        except ShopfloorError as error:
            raise ModelError(error.detail, code=error.code) from error

    async def state(self) -> tuple[bool, bool, list[str]]:
        """Whether it is ready, whether it is degraded, and the reasons; never waits for the opening."""
        if not self._settled.is_set():
            return False, False, ["The assistant is being opened."]
        if self._assistant is None:
            return False, False, [self._failure.detail if self._failure else "The service is shutting down."]
        readiness = await self._assistant.readiness()
        return readiness.ready, readiness.degraded, list(readiness.reasons)

    # Doors -----------------------------------------------------------------------------------------------------------

    async def begin(
        self, text: str, *, user_id: str, thread_id: str | None, door: str
    ) -> AsyncGenerator[TurnEvent, None]:
        """Start a turn and wait for its first event, so that what is wrong from the start can still be a status.

        Returns:
            All events of the turn, the first one included. Close it to stop the turn.

        Raises:
            ShopfloorError: the turn failed before it said anything.
        """
        assistant = await self.assistant()
        turn = _Turn(assistant.stream(text, user_id=user_id, thread_id=thread_id, door=door))
        try:
            first = await turn.next()
        except BaseException:
            await turn.stop()
            raise
        if first is None:
            raise ModelError("The turn ended without an answer; try again.")
        if isinstance(first, ErrorEvent):
            await turn.stop()
            raise error_of(first)
        return self._follow(first, turn)

    async def ask(self, text: str, *, user_id: str, thread_id: str | None, door: str) -> Reply:
        """Run a turn to its end.

        Raises:
            ShopfloorError: the turn failed.
        """
        return await reply_of(await self.begin(text, user_id=user_id, thread_id=thread_id, door=door))

    async def _follow(self, first: TurnEvent, turn: "_Turn") -> AsyncGenerator[TurnEvent, None]:
        first_token: float | None = None
        try:
            event: TurnEvent | None = first
            while event is not None:
                if isinstance(event, TokenEvent) and first_token is None:
                    first_token = turn.seconds()
                elif isinstance(event, DoneEvent):
                    self._count(event.reply, turn.seconds(), first_token)
                elif isinstance(event, ErrorEvent):
                    self.metrics.errors.labels(route="turn", code=event.code).inc()
                yield event
                event = await turn.next()
        finally:
            await turn.stop()

    def _count(self, reply: Reply, seconds: float, first_token: float | None) -> None:
        usage = reply.usage
        tokens = TokenCounts(
            local_prompt=usage.local_prompt_tokens,
            local_completion=usage.local_completion_tokens,
            gemini_prompt=usage.gemini_prompt_tokens,
            gemini_completion=usage.gemini_completion_tokens,
        )
        self.metrics.turn(_labels(reply.model, reply.route.route), seconds, first_token=first_token, tokens=tokens)

    def _count_swap(self, agent: str, artefact: str) -> None:
        self.metrics.swaps.labels(agent=agent, adapter=artefact).inc()

    async def recommend(self, request: RecommendRequest) -> RecommendResponse:
        """Recommend, and file the time."""
        started = time.perf_counter()
        response = await (await self.assistant()).recommend(request)
        self.metrics.turn(_labels(response.model, "recommendation"), time.perf_counter() - started)
        return response

    async def check_inventory(self, request: InventoryRequest) -> InventoryResponse:
        """Answer a stock question, and file the time."""
        started = time.perf_counter()
        response = await (await self.assistant()).check_inventory(request)
        self.metrics.turn(_labels(response.model, "inventory"), time.perf_counter() - started)
        return response

    async def feedback(self, request: FeedbackRequest) -> FeedbackResponse:
        """Store a reaction, and count it once."""
        response = await (await self.assistant()).feedback(request)
        if not response.duplicate:
            self.metrics.feedback.labels(agent=response.agent).inc()
        return response


class _Turn:
    """A turn in a task of its own.

    The server cancels a stream's task again at every await once its client has gone; the turn is cancelled once, and
    has the time to write down that it was.
    """

    def __init__(self, events: AsyncIterator[TurnEvent]) -> None:
        self._started = time.perf_counter()
        self._queue: asyncio.Queue[TurnEvent | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._pump(events))

    async def _pump(self, events: AsyncIterator[TurnEvent]) -> None:
        try:
            async for event in events:
                self._queue.put_nowait(event)
        finally:
            self._queue.put_nowait(None)

    async def next(self) -> TurnEvent | None:
        """The next event; None at the end. Raises what the turn raised."""
        event = await self._queue.get()
        if event is None:
            await self._task
        return event

    async def stop(self) -> None:
        """Stop the turn, if it goes on, and wait until it has stopped."""
        if not self._task.done():
            self._task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._task])
        if not self._task.cancelled():
            # Seen here, so that an error nobody waited for is not reported as forgotten.
            self._task.exception()

    def seconds(self) -> float:
        """Seconds since the message came."""
        return time.perf_counter() - self._started


async def reply_of(events: AsyncGenerator[TurnEvent, None]) -> Reply:
    """Follow a turn to its end: the events after the reply belong to it too.

    Raises:
        ShopfloorError: the turn failed.
    """
    reply: Reply | None = None
    async with contextlib.aclosing(events):
        async for event in events:
            if isinstance(event, DoneEvent):
                reply = event.reply
            elif isinstance(event, ErrorEvent):
                raise error_of(event)
    if reply is None:
        raise ModelError("The turn ended without an answer; try again.")
    return reply


def error_of(event: ErrorEvent) -> ShopfloorError:
    """The error that an event tells of, with the status its code has in the tree of errors."""
    waiting: list[type[ShopfloorError]] = [ShopfloorError]
    while waiting:
        kind = waiting.pop()
        if kind.code == event.code:
            return kind(event.detail)
        waiting.extend(kind.__subclasses__())
    return ModelError(event.detail, code=event.code)


def _labels(model: ModelCard, route: str) -> TurnLabels:
    agent = route if route in {"recommendation", "inventory", "both"} else "supervisor"
    return TurnLabels(agent=agent, route=route, runtime=model.runtime, adapter=model.adapter or "base")


def _open_assistant(settings: Settings) -> AbstractAsyncContextManager[ShopAssistant]:
    # Imported here: the graph's libraries take longer to import than the server to listen.
    from shopfloor.graph.assistant import Assistant

    return Assistant.open(settings)
