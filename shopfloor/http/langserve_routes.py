"""LangServe at ``/shop`` (typed input, default playground) and ``/shop/chat`` (chat playground).

``config.configurable`` takes ``thread_id`` and ``user_id``. With a thread only the last message counts. Without one the
client is taken to send the whole conversation, as the chat playground does, and its past finds the thread.
"""

import asyncio
import contextlib
import contextvars
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Request
from langchain_core.callbacks import AsyncCallbackManagerForChainRun as AsyncRun
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage, BaseMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.runnables.utils import ConfigurableFieldSpec
from langserve import add_routes  # pyright: ignore[reportUnknownVariableType]
from langserve.schema import CustomUserType
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError

from shopfloor.errors import InputError, NotFoundError, ShopfloorError, TooLargeError
from shopfloor.http.continuity import Continuity, Said
from shopfloor.http.identity import identify
from shopfloor.http.service import Service, error_of
from shopfloor.tools.schemas import DoneEvent, ErrorEvent, Reply, ThreadId, TokenEvent, UserId

T = TypeVar("T")

BATCH_MAX = 16
MESSAGES_MAX = 200

_ROLES = {"user": "human", "assistant": "ai"}


def _with_type(message: object) -> object:
    """Accept ``{"role": "user"}`` beside LangChain's own ``{"type": "human"}``."""
    if isinstance(message, dict):
        fields = cast("dict[str, Any]", message)
        role = fields.get("role")
        if "type" not in fields and isinstance(role, str):
            return {**fields, "type": _ROLES.get(role, role)}
    return cast(object, message)


def _whole(message: AnyMessage) -> AnyMessage:
    """Refuse pieces of messages: they belong to a stream, not to what was said."""
    if isinstance(message, BaseMessageChunk):
        raise ValueError("a piece of a message can't be sent; send the whole message")  # noqa: TRY004  # pydantic's way
    return message


LooseMessage = Annotated[AnyMessage, BeforeValidator(_with_type), AfterValidator(_whole)]


class ShopInput(CustomUserType):
    """The conversation so far; its last message is the shopper's."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"messages": [{"type": "human", "content": "a warm blue jacket"}]}]}
    )

    messages: list[LooseMessage] = Field(min_length=1, max_length=MESSAGES_MAX)
    user_id: UserId | None = None


class ChatInput(CustomUserType):
    """What the chat playground sends: a list of messages and nothing else."""

    messages: list[LooseMessage] = Field(min_length=1, max_length=MESSAGES_MAX)


class ShopRunnable(Runnable[Any, AIMessage]):
    """The assistant as a Runnable: a message in, an AIMessage out, in pieces when streamed.

    ``response_metadata`` carries trace_id, thread_id, user_id, route, items, recommendation_id and model.
    """

    def __init__(self, service: Service, continuity: Continuity) -> None:
        self.name = "shop"
        self._service = service
        self._continuity = continuity

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """What ``config.configurable`` takes."""
        return [
            ConfigurableFieldSpec(
                id="thread_id",
                annotation=ThreadId | None,
                name="Thread",
                description="The conversation; empty: a new one, or the one that the messages continue.",
                default=None,
            ),
            ConfigurableFieldSpec(
                id="user_id",
                annotation=UserId | None,
                name="User",
                description="The shopper; decides whose history counts.",
                default=None,
            ),
        ]

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """Not offered: the assistant is asynchronous throughout."""
        raise NotImplementedError("use ainvoke or astream")

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """Answer the last message."""
        return await self._acall_with_config(self._answer, input, config, **kwargs)

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessage]:
        """Answer the last message, piece by piece; the last piece carries the metadata."""

        async def inputs() -> AsyncIterator[Any]:
            yield input

        pieces = self._atransform_stream_with_config(inputs(), self._pieces, config, **kwargs)
        async for piece in pieces:
            yield piece

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer several conversations at once, at most :data:`BATCH_MAX`."""
        if len(inputs) > BATCH_MAX:
            raise TooLargeError(f"A batch takes at most {BATCH_MAX} inputs.")
        return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def _answer(self, input: Any, run_manager: AsyncRun, config: RunnableConfig) -> AIMessage:
        turn = _Turn.of(input, config, self._continuity)
        caller = turn.caller
        reply = await _detached(
            self._service.ask(turn.text, user_id=caller.user_id, thread_id=caller.thread_id, door="langserve")
        )
        turn.finish(reply)
        return AIMessage(content=reply.text, id=f"run-{reply.trace_id}", response_metadata=_metadata(reply))

    async def _pieces(
        self, inputs: AsyncIterator[Any], run_manager: AsyncRun, config: RunnableConfig
    ) -> AsyncIterator[AIMessage]:
        async for input in inputs:
            turn = _Turn.of(input, config, self._continuity)
            caller = turn.caller
            try:
                events = await _detached(
                    self._service.begin(turn.text, user_id=caller.user_id, thread_id=caller.thread_id, door="langserve")
                )
                async with contextlib.aclosing(events):
                    async for event in events:
                        if isinstance(event, TokenEvent):
                            yield AIMessageChunk(content=event.text)
                        elif isinstance(event, ErrorEvent):
                            raise error_of(event)
                        elif isinstance(event, DoneEvent):
                            turn.finish(event.reply)
                            yield AIMessageChunk(content="", response_metadata=_metadata(event.reply))
            except ShopfloorError as error:
                # LangServe would turn it into "Internal Server Error"; the shopper can use the sentence.
                problem = {"code": error.code, "detail": error.detail, "status": error.status}
                yield AIMessageChunk(content=error.detail, response_metadata={"error": problem})


async def _detached(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` outside the caller's run.

    LangChain would otherwise take the graph for a part of it, and send its inner states, prompts included, to whoever
    reads ``stream_log`` or ``stream_events``.
    """
    context = contextvars.copy_context()
    context.run(var_child_runnable_config.set, None)
    return await asyncio.create_task(work, context=context)


class _Turn:
    """One message to answer, who sent it, and the conversation it ends."""

    def __init__(self, said: Sequence[Said], user_id: str | None, thread_id: str | None, kept: Continuity) -> None:
        *past, last = said
        self.text = last.text
        self.caller = kept.find(user_id, thread_id, past)
        self._said = said
        self._user = user_id
        self._kept = kept

    @classmethod
    def of(cls, input: Any, config: RunnableConfig, kept: Continuity) -> "_Turn":
        given = input if isinstance(input, ShopInput | ChatInput) else ShopInput.model_validate(input)
        configurable = config.get("configurable", {})
        user_id = configurable.get("user_id") or (given.user_id if isinstance(given, ShopInput) else None)
        return cls(said_in(given.messages), user_id, configurable.get("thread_id"), kept)

    def finish(self, reply: Reply) -> None:
        self._kept.keep(self._user, [*self._said, Said("assistant", reply.text)], self.caller)


def said_in(messages: Sequence[BaseMessage]) -> list[Said]:
    """What was said, oldest first; other kinds of message mean nothing here.

    Raises:
        InputError: the last message is not a human's, or has no text, or too much of it.
    """
    said = [
        Said("user" if isinstance(message, HumanMessage) else "assistant", message.text.strip())
        for message in messages
        if isinstance(message, HumanMessage | AIMessage)
    ]
    if not said or said[-1].role != "user" or not said[-1].text:
        raise InputError("The last message must be a human message with a text.")
    return said


def _metadata(reply: Reply) -> dict[str, Any]:
    fields = {"trace_id", "thread_id", "user_id", "route", "items", "recommendation_id", "options", "model", "degraded"}
    return reply.model_dump(mode="json", include=fields)


def langserve_routes(service: Service, continuity: Continuity) -> APIRouter:
    """The router of ``/shop``."""
    router = APIRouter()

    async def check_access(config: dict[str, Any], request: Request) -> dict[str, Any]:
        # A stream's errors come too late for a status, so what can be refused is refused before it begins.
        assistant = await service.assistant()
        configurable = cast("dict[str, str | None]", config.get("configurable") or {})
        thread_id = configurable.get("thread_id")
        body = json.loads(await request.body() or b"null")
        _check_said(body)
        if thread_id:
            user_id = configurable.get("user_id") or _user_in(body)
            caller = identify(user_id, thread_id)
            with contextlib.suppress(NotFoundError):
                await assistant.history(caller.thread_id, caller.user_id)
        return config

    shop = ShopRunnable(service, continuity)
    add_routes(
        router,
        shop.with_types(input_type=ShopInput, output_type=AIMessage),
        path="/shop",
        per_req_config_modifier=check_access,
        enable_feedback_endpoint=False,
    )
    add_routes(
        router,
        (shop | StrOutputParser()).with_types(input_type=ChatInput, output_type=str),
        path="/shop/chat",
        playground_type="chat",
        per_req_config_modifier=check_access,
        enable_feedback_endpoint=False,
    )
    return router


def _check_said(body: object) -> None:
    """Refuse a conversation with nothing to answer; LangServe itself refuses one of a wrong shape."""
    given: object = body.get("input") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    with contextlib.suppress(ValidationError):
        said_in(ChatInput.model_validate(given).messages)


def _user_in(body: object) -> str | None:
    given: object = body.get("input") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    user = cast("dict[str, object]", given).get("user_id") if isinstance(given, dict) else None
    return user if isinstance(user, str) else None
