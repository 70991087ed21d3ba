"""Gemini as the supervisor's model: tools bound, one layer of retries, a time limit, a breaker and a token budget.

Everything that can go wrong comes out as :class:`~shopfloor.errors.SupervisorError`; the local router then decides.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from langchain_core.messages import AIMessage, AnyMessage
from opentelemetry import trace
from pydantic import BaseModel, Field

from shopfloor.errors import SupervisorError
from shopfloor.graph.breaker import CircuitBreaker, TokenBudget
from shopfloor.graph.state import Tokens
from shopfloor.settings import Settings

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable
    from langchain_google_genai import ChatGoogleGenerativeAI

_RETRY_PAUSE_S = 0.2
_RETRIED_CODES = frozenset({408, 429, 500, 502, 503, 504})


class Recommend(BaseModel):
    """Find products of the shop that fit what the shopper wants. Use it for any wish, idea, comparison or "something cheaper"."""

    query: str = Field(
        min_length=1, max_length=600, description="the wish in English, with every constraint named so far"
    )
    count: int = Field(default=3, ge=1, le=10)
    city: str | None = Field(default=None, max_length=80, description="only products in stock in this city")
    refines_last: bool = Field(default=False, description="the query changes the previous request")


class ProductDetails(BaseModel):
    """Ask what products are like: price, material, care, weight, colours, sizes, what they are good for, which of several is warmer. The shopper gets the catalogue's own words."""

    question: str = Field(min_length=1, max_length=600, description="the question in English")
    skus: list[str] = Field(
        default_factory=list, max_length=6, description="the products it is about, as on the screen or in focus"
    )


class CheckInventory(BaseModel):
    """Ask about stock and stores: whether, where, how many; opening hours, services, addresses. Give the SKU when the product was named or shown before."""

    question: str = Field(min_length=1, max_length=600, description="the stock question in English")
    sku: str | None = Field(default=None, max_length=128)
    of_recommendation: bool = Field(
        default=False, description="ask about the best product of the recommend call beside it"
    )
    city: str | None = Field(default=None, max_length=80)
    size: str | None = Field(default=None, max_length=40)


TOOLS = {"recommend": Recommend, "product_details": ProductDetails, "check_inventory": CheckInventory}


class ChatModel(Protocol):
    """The part of a LangChain chat model that is used."""

    async def ainvoke(self, input: list[AnyMessage]) -> AIMessage:
        """Answer a conversation."""
        ...

    async def aclose(self) -> None:
        """Close its connections."""
        ...


class RemoteModel:
    """Google's chat model with the tools bound."""

    def __init__(self, model: "ChatGoogleGenerativeAI") -> None:
        from langchain_core.utils.function_calling import convert_to_openai_tool

        tools: list[dict[str, object]] = []
        for name, schema in TOOLS.items():
            tool = convert_to_openai_tool(schema)
            tool["function"]["name"] = name
            tools.append(tool)
        self._model = model
        self._bound = cast("Runnable[object, AIMessage]", model.bind_tools(tools))  # pyright: ignore[reportUnknownMemberType]  # a bare dict inside

    async def ainvoke(self, input: list[AnyMessage]) -> AIMessage:
        """Answer a conversation."""
        return await self._bound.ainvoke(input)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._model.async_client.aclose()


def open_chat_model(settings: Settings) -> ChatModel:
    """Build the client with its tools bound. Imports Google's library (a second or two): call it on a worker thread."""
    import httpx
    from langchain_google_genai import ChatGoogleGenerativeAI

    return RemoteModel(
        ChatGoogleGenerativeAI(
            # A transport of its own makes Google's library use httpx: beside aiohttp it drops the body of an error.
            client_args={"transport": httpx.AsyncHTTPTransport()},
            model=settings.gemini_model,
            google_api_key=settings.google_api_key,
            base_url=settings.gemini_base_url,
            temperature=0.2,
            timeout=settings.gemini_timeout_s,
            max_retries=1,  # retries have one layer: Gemini._call
            max_output_tokens=800,
        )
    )


class Gemini:
    """One remote supervisor for all turns."""

    def __init__(self, model: ChatModel, settings: Settings, budget: TokenBudget) -> None:
        self._model = model
        self._settings = settings
        self.budget = budget
        self.breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_reset_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._model.aclose()

    @property
    def usable(self) -> bool:
        """Whether a call could be made now."""
        return self.breaker.state != "open" and self.budget.left() > 0

    async def ask(self, messages: Sequence[AnyMessage]) -> tuple[AIMessage, Tokens]:
        """Get the next message: tool calls or an answer.

        Raises:
            SupervisorError: open breaker, spent budget, failure, time-out.
        """
        if self.budget.left() <= 0:
            raise SupervisorError("Gemini's token budget for today is spent.", code="budget")
        if not self.breaker.allow():
            raise SupervisorError("Gemini failed repeatedly and is left alone for a while.", code="breaker_open")
        with trace.get_tracer("shopfloor").start_as_current_span("gemini") as span:
            span.set_attribute("gen_ai.request.model", self._settings.gemini_model)
            try:
                async with asyncio.timeout(self._settings.gemini_timeout_s):
                    message = await self._call(list(messages))
            except asyncio.CancelledError:
                self.breaker.abandoned()
                raise
            except TimeoutError as error:
                self.breaker.failed()
                raise SupervisorError("Gemini did not answer in time.", code="timeout") from error
            except Exception as error:
                self.breaker.failed()
                raise SupervisorError(f"Gemini failed: {type(error).__name__}.", code="failed") from error
            self.breaker.succeeded()
            tokens = _tokens(message)
            self.budget.spend(tokens["prompt"] + tokens["completion"])
            span.set_attribute("gen_ai.usage.input_tokens", tokens["prompt"])
            span.set_attribute("gen_ai.usage.output_tokens", tokens["completion"])
            return message, tokens

    async def _call(self, messages: list[AnyMessage]) -> AIMessage:
        attempt = 0
        while True:
            try:
                return await self._model.ainvoke(messages)
            except Exception as error:
                attempt += 1
                if attempt > self._settings.gemini_retries or not retryable(error):
                    raise
                await asyncio.sleep(_RETRY_PAUSE_S * attempt)


def retryable(error: BaseException) -> bool:
    """Whether another attempt could succeed: rate limits, server errors, a broken connection; never a refusal."""
    import httpx
    from langchain_google_genai.chat_models import GoogleRateLimitError

    if isinstance(error, GoogleRateLimitError):
        return True
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return False
    if isinstance(error, (httpx.TransportError, OSError)):
        return True
    return getattr(error, "code", None) in _RETRIED_CODES


def _tokens(message: AIMessage) -> Tokens:
    usage = message.usage_metadata
    if usage is None:
        return Tokens(prompt=0, completion=0)
    return Tokens(prompt=usage["input_tokens"], completion=usage["output_tokens"])
