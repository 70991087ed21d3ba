"""The chat page's routes: one turn as server-sent events, and a conversation's past."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from shopfloor.errors import ShopfloorError
from shopfloor.http.identity import identify
from shopfloor.http.openapi import EVENT_STREAM
from shopfloor.http.service import Service
from shopfloor.observability import current_trace_id
from shopfloor.tools.schemas import ErrorEvent, HistoryMessage, Text, ThreadId, TurnEvent, UserId

PING_S = 15


class ChatRequest(BaseModel):
    """One message. Without ``thread_id`` a new conversation begins; its id comes with the first event."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "a warm blue jacket", "user_id": "test"}]})

    text: Text
    thread_id: ThreadId | None = None
    user_id: UserId | None = None


class ThreadHistory(BaseModel):
    """A conversation, oldest message first."""

    thread_id: str
    user_id: str
    messages: list[HistoryMessage] = Field(default_factory=list[HistoryMessage])


def chat_routes(service: Service) -> APIRouter:
    """The router of ``/api/chat`` and ``/api/threads``."""
    router = APIRouter(prefix="/api", tags=["page"])

    @router.post(
        "/chat",
        summary="One turn, streamed",
        response_class=EventSourceResponse,
        responses={
            200: {
                "description": "Server-sent events; the data of each is one TurnEvent as JSON. First route, last done "
                "or error; items, stock and token events between.",
                "content": EVENT_STREAM,
            }
        },
    )
    async def chat(request: ChatRequest) -> EventSourceResponse:  # pyright: ignore[reportUnusedFunction]
        """Answer one message of the chat page."""
        caller = identify(request.user_id, request.thread_id)
        events = await service.begin(request.text, user_id=caller.user_id, thread_id=caller.thread_id, door="page")
        return EventSourceResponse(_as_sse(events), ping=PING_S, headers={"X-Accel-Buffering": "no"})

    @router.get("/threads/{thread_id}", summary="A conversation's past")
    async def thread(  # pyright: ignore[reportUnusedFunction]
        thread_id: Annotated[ThreadId, Path()], user_id: Annotated[UserId | None, Query()] = None
    ) -> ThreadHistory:
        """The messages of a conversation, for the user it belongs to; 403 for anybody else."""
        caller = identify(user_id, thread_id)
        messages = await (await service.assistant()).history(caller.thread_id, caller.user_id)
        return ThreadHistory(thread_id=caller.thread_id, user_id=caller.user_id, messages=list(messages))

    return router


async def _as_sse(events: AsyncGenerator[TurnEvent, None]) -> AsyncIterator[ServerSentEvent]:
    async with contextlib.aclosing(events):
        try:
            async for event in events:
                yield ServerSentEvent(data=event.model_dump_json())
        except ShopfloorError as error:
            # The status is sent already; the stream's own last event tells of the error.
            last = ErrorEvent(code=error.code, detail=error.detail, trace_id=current_trace_id() or "")
            yield ServerSentEvent(data=last.model_dump_json())
