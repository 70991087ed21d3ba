"""Runs one turn of the graph and gives its events, whatever happens: an answer, an error, or the caller going away."""
# LangGraph is a namespace package: its py.typed is not found from its subpackages.
# pyright: reportMissingTypeStubs=false

# LangGraph leaves parts of these signatures untyped.
# pyright: reportUnknownMemberType=false

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from opentelemetry import trace
from pydantic import TypeAdapter

from shopfloor.errors import ShopfloorError
from shopfloor.graph.locks import ThreadLocks
from shopfloor.graph.recorder import active_trace_id
from shopfloor.graph.shop import Shop
from shopfloor.graph.state import ShopContext
from shopfloor.observability import get_logger
from shopfloor.tools.schemas import DoneEvent, ErrorEvent, Reply, RouteEvent, TurnEvent

log = get_logger("shopfloor.graph")

_EVENT: TypeAdapter[TurnEvent] = TypeAdapter(TurnEvent)
TIMED_OUT = "I ran out of time on that one. Please ask again, perhaps in fewer words."

Graph = CompiledStateGraph[Any, ShopContext, Any, Any]


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """A message in a thread that its user may use."""

    text: str
    user_id: str
    thread_id: str
    door: str


async def run_turn(graph: Graph, shop: Shop, locks: ThreadLocks, request: TurnRequest) -> AsyncGenerator[TurnEvent]:
    """Answer a message, event by event; the last is done or error.

    Closing the generator, or cancelling the task that reads it, stops the generation and marks the turn cancelled.
    """
    # A task of its own, so that a caller who forgets to close this generator can't hold the thread's lock.
    events: asyncio.Queue[TurnEvent | None] = asyncio.Queue()
    state = _Running()
    task = asyncio.create_task(_drive(graph, shop, locks, request, state, events))
    try:
        while (event := await events.get()) is not None:
            yield event
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if state.status != "answered" and state.trace_id:
            ending = "failed" if state.status == "failed" else "cancelled"
            await asyncio.shield(shop.traces.end_turn(state.trace_id, ending, timings_ms=state.timings()))


class _Running:
    """A turn in progress."""

    def __init__(self) -> None:
        self.trace_id = ""
        self.status = "started"
        self._started = time.perf_counter()

    def timings(self) -> dict[str, float]:
        """Milliseconds so far."""
        return {"total": round((time.perf_counter() - self._started) * 1000, 2)}


async def _drive(
    graph: Graph,
    shop: Shop,
    locks: ThreadLocks,
    request: TurnRequest,
    state: _Running,
    events: "asyncio.Queue[TurnEvent | None]",
) -> None:
    try:
        async with locks.hold(request.thread_id):
            with trace.get_tracer("shopfloor").start_as_current_span("turn") as span:
                span.set_attribute("shopfloor.door", request.door)
                state.trace_id = active_trace_id() or uuid.uuid4().hex
                async with asyncio.timeout(shop.settings.turn_timeout_s):
                    reply = await _stream(graph, request, state, events)
                state.status = "answered"
        await events.put(DoneEvent(reply=reply))
    except TimeoutError:
        state.status = "failed"
        await events.put(ErrorEvent(code="turn_timeout", detail=TIMED_OUT, trace_id=state.trace_id))
    except ShopfloorError as error:
        state.status = "failed"
        await events.put(ErrorEvent(code=error.code, detail=error.detail, trace_id=state.trace_id))
    except Exception as error:
        # Whatever broke inside a node: the shopper gets a sentence, the log the cause.
        state.status = "failed"
        log.error("turn_failed", trace_id=state.trace_id, exc_info=error)
        detail = "Something went wrong while answering. Please ask again."
        await events.put(ErrorEvent(code="internal", detail=detail, trace_id=state.trace_id))
    finally:
        events.put_nowait(None)


async def _stream(
    graph: Graph, request: TurnRequest, state: _Running, events: "asyncio.Queue[TurnEvent | None]"
) -> Reply:
    context = ShopContext(user=request.user_id, thread=request.thread_id, door=request.door, trace_id=state.trace_id)
    config: RunnableConfig = {"configurable": {"thread_id": request.thread_id}}
    last: dict[str, Any] = {}
    stream = graph.astream(
        {"messages": [HumanMessage(request.text, id=uuid.uuid4().hex)]},
        config,
        context=context,
        stream_mode=["custom", "values"],
        durability="exit",
    )
    async with aclosing(cast(AsyncGenerator[tuple[str, Any]], stream)) as parts:
        async for mode, part in parts:
            if mode == "values":
                last = cast(dict[str, Any], part)
                continue
            event = _EVENT.validate_python(part)
            if isinstance(event, RouteEvent):
                state.trace_id = event.trace_id
            await events.put(event)
    return reply_of(last["messages"][-1], request)


def reply_of(message: AIMessage, request: TurnRequest) -> Reply:
    """The finished turn, as the graph's last message carries it."""
    carried: dict[str, Any] = {
        **message.response_metadata,
        "text": message.text,
        "thread_id": request.thread_id,
        "user_id": request.user_id,
    }
    return Reply.model_validate(carried)
