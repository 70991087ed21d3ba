"""OpenAI's chat shapes, so that existing chat pages and clients can talk to the shop.

``user`` is the user's id and ``metadata.thread_id`` the conversation. With a thread only the last message counts; without
one the client sends the whole conversation each time, and :class:`~shopfloor.http.continuity.Continuity` finds the
thread it belongs to. Sampling parameters are accepted and ignored: the answer's facts come from the database.
"""

import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent

from shopfloor.errors import InputError, NotFoundError, ShopfloorError
from shopfloor.http.continuity import Continuity, Said
from shopfloor.http.identity import Caller
from shopfloor.http.service import Service, reply_of
from shopfloor.tools.schemas import DoneEvent, ErrorEvent, Reply, ThreadId, TokenEvent, TurnEvent, UserId

MODEL = "shopfloor"
PING_S = 15


class ContentPart(BaseModel):
    """A part of a message; only text can be read here."""

    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    """A message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None


class StreamOptions(BaseModel):
    """What a stream carries besides the text."""

    include_usage: bool = False


class ChatCompletionRequest(BaseModel):
    """OpenAI's request, as far as it means something here; other fields are ignored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": MODEL, "messages": [{"role": "user", "content": "a warm blue jacket"}]}]
        }
    )

    model: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    messages: list[ChatMessage] = Field(min_length=1, max_length=200)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    user: UserId | None = None
    metadata: dict[str, str] | None = None


class AnswerMessage(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one answer."""

    index: int = 0
    message: AnswerMessage
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class CompletionUsage(BaseModel):
    """Tokens read and written, by the local model and by Gemini together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """OpenAI's answer; ``shopfloor`` adds trace_id, thread_id, route, items and recommendation_id."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = MODEL
    choices: list[Choice]
    usage: CompletionUsage
    shopfloor: dict[str, Any]


class ModelEntry(BaseModel):
    """A model that can be named in a request."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "shopfloor"


class ModelList(BaseModel):
    """The models there are."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


def openai_routes(service: Service, continuity: Continuity) -> APIRouter:
    """The router of ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["openai"])
    created = int(time.time())

    @router.get("/models", summary="Models")
    async def models() -> ModelList:  # pyright: ignore[reportUnusedFunction]
        """The one model: the shop's assistant."""
        return ModelList(data=[ModelEntry(id=MODEL, created=created)])

    @router.post(
        "/chat/completions",
        summary="Chat",
        response_model=ChatCompletion,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def chat_completions(  # pyright: ignore[reportUnusedFunction]
        request: Annotated[ChatCompletionRequest, Body()],
    ) -> ChatCompletion | EventSourceResponse:
        """Answer the last user message; with ``stream`` in OpenAI's chunks."""
        if request.model != MODEL:
            raise NotFoundError(
                f"There is no model of that name; use {MODEL}.", code="model_not_found", matches=[MODEL]
            )
        *past, last = conversation_of(request.messages)
        if last.role != "user":
            raise InputError("The last message must be the user's.")
        caller = continuity.find(request.user, _thread_of(request), past)
        events = await service.begin(last.text, user_id=caller.user_id, thread_id=caller.thread_id, door="openai")
        turn = _Turn(caller, request.user, [*past, last], continuity)
        if request.stream:
            usage = request.stream_options is not None and request.stream_options.include_usage
            return EventSourceResponse(_chunks(events, turn, usage=usage), ping=PING_S)
        return _completion(turn.finish(await reply_of(events)))

    return router


def conversation_of(messages: list[ChatMessage]) -> list[Said]:
    """What the user and the assistant said; other roles mean nothing here.

    Raises:
        InputError: no such message, or one without text.
    """
    said: list[Said] = []
    for message in messages:
        if message.role not in {"user", "assistant"}:
            continue
        if isinstance(message.content, list):
            text = " ".join(part.text for part in message.content if part.text)
        else:
            text = message.content or ""
        said.append(Said("user" if message.role == "user" else "assistant", text.strip()))
    if not said:
        raise InputError("Send at least one user message.")
    if not said[-1].text:
        raise InputError("The last message has no text; only text can be read here.")
    return said


def _thread_of(request: ChatCompletionRequest) -> str | None:
    thread = (request.metadata or {}).get("thread_id")
    if thread is None:
        return None
    try:
        return TypeAdapter(ThreadId).validate_python(thread)
    except ValidationError as error:
        raise InputError("metadata.thread_id must have 1 to 128 characters.") from error


class _Turn:
    """A turn's place in its conversation, remembered once it is answered."""

    def __init__(self, caller: Caller, user: str | None, said: list[Said], continuity: Continuity) -> None:
        self._caller = caller
        self._user = user
        self._said = said
        self._continuity = continuity

    def finish(self, reply: Reply) -> Reply:
        """Remember the conversation as the client will send it back."""
        self._continuity.keep(self._user, [*self._said, Said("assistant", reply.text.strip())], self._caller)
        return reply


def _completion(reply: Reply) -> ChatCompletion:
    return ChatCompletion(
        id=f"chatcmpl-{reply.trace_id}",
        created=int(time.time()),
        choices=[Choice(message=AnswerMessage(content=reply.text))],
        usage=_usage(reply),
        shopfloor=_extras(reply),
    )


async def _chunks(
    events: AsyncGenerator[TurnEvent, None], turn: _Turn, *, usage: bool
) -> AsyncIterator[ServerSentEvent]:
    created = int(time.time())
    name = f"chatcmpl-{created}"

    def chunk(delta: dict[str, Any], finish: str | None = None, **extra: Any) -> ServerSentEvent:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
        return _event(
            {"id": name, "object": "chat.completion.chunk", "created": created, "model": MODEL, "choices": choices}
            | extra
        )

    async with contextlib.aclosing(events):
        yield chunk({"role": "assistant", "content": ""})
        try:
            async for event in events:
                if isinstance(event, TokenEvent):
                    yield chunk({"content": event.text})
                elif isinstance(event, ErrorEvent):
                    yield _error_event(event.code, event.detail)
                    return
                elif isinstance(event, DoneEvent):
                    reply = turn.finish(event.reply)
                    yield chunk({}, "stop", shopfloor=_extras(reply))
                    if usage:
                        yield _event(
                            {"id": name, "object": "chat.completion.chunk", "created": created, "model": MODEL}
                            | {"choices": [], "usage": _usage(reply).model_dump()}
                        )
        except ShopfloorError as error:
            yield _error_event(error.code, error.detail)
            return
        yield ServerSentEvent(data="[DONE]")


def _event(value: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(value, ensure_ascii=False))


def _error_event(code: str, detail: str) -> ServerSentEvent:
    return _event({"error": {"message": detail, "type": "server_error", "code": code, "param": None}})


def _usage(reply: Reply) -> CompletionUsage:
    prompt = reply.usage.local_prompt_tokens + reply.usage.gemini_prompt_tokens
    completion = reply.usage.local_completion_tokens + reply.usage.gemini_completion_tokens
    return CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _extras(reply: Reply) -> dict[str, Any]:
    return reply.model_dump(
        mode="json", include={"trace_id", "thread_id", "user_id", "route", "items", "recommendation_id", "degraded"}
    )
