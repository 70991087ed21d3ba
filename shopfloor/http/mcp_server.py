"""The Model Context Protocol over streamable HTTP at ``/mcp``, for other agents: recommend, check_inventory, ask.

Stateless: every request stands for itself, so any number of servers can share the work. A tool that can't do what was
asked says why in its result, where the calling model can read it and mend its arguments.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import BaseModel, Field, ValidationError
from starlette.types import Receive, Scope, Send

from shopfloor.errors import ShopfloorError
from shopfloor.http.identity import identify
from shopfloor.http.problems import explain, problem_response, retry_after
from shopfloor.http.service import Service
from shopfloor.tools.schemas import (
    InventoryRequest,
    InventoryResponse,
    RecommendRequest,
    RecommendResponse,
    Reply,
    Text,
    ThreadId,
    UserId,
)

INSTRUCTIONS = "Products, prices and stock of one shop, from its own database. Quote SKUs and prices as they come back."


class RecommendArguments(BaseModel):
    """A request for products."""

    request: Text = Field(description="What the shopper wants, in plain words: 'a warm blue jacket under 120'")
    count: int = Field(default=3, ge=1, le=20)
    user_id: UserId | None = Field(default=None, description="The shopper, where known; decides whose history counts")


class AskArguments(BaseModel):
    """One message of a conversation."""

    message: Text = Field(description="What the shopper says")
    thread_id: ThreadId | None = Field(
        default=None, description="The conversation to go on with, from an earlier reply"
    )
    user_id: UserId | None = None


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool: what it takes and gives, and who does it."""

    description: str
    takes: type[BaseModel]
    gives: type[BaseModel]
    call: Callable[[Any], Awaitable[BaseModel]]


class McpEndpoint:
    """The ASGI endpoint. Works while :meth:`running` is entered."""

    def __init__(self, service: Service, version: str) -> None:
        self._tools = _tools(service)
        self._version = version
        self._max_bytes = service.settings.max_body_bytes
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Take requests."""
        server: Server[Any] = Server(
            "shopfloor",
            version=self._version,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        manager = StreamableHTTPSessionManager(
            server,
            stateless=True,
            json_response=True,
            # Host and origin are checked for every route, before this one.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=self._max_bytes,
        )
        async with manager.run():
            self._manager = manager
            try:
                yield
            finally:
                self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._manager is None:
            response = problem_response(503, "starting", "The service is still starting.", headers=retry_after(1))
            await response(scope, receive, send)
        else:
            await self._manager.handle_request(scope, receive, send)

    async def _list_tools(
        self, _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    description=tool.description,
                    input_schema=tool.takes.model_json_schema(),
                    output_schema=tool.gives.model_json_schema(mode="serialization"),
                    annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
                )
                for name, tool in self._tools.items()
            ]
        )

    async def _call_tool(
        self, _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            known = ", ".join(self._tools)
            raise MCPError(types.INVALID_PARAMS, f"There is no tool of that name; there are: {known}.")
        try:
            result = await tool.call(tool.takes.model_validate(params.arguments or {}))
        except ValidationError as error:
            return _failed(explain(error.errors()))
        except ShopfloorError as error:
            nearest = f" Nearest: {', '.join(error.matches)}." if error.matches else ""
            return _failed(error.detail + nearest)
        return types.CallToolResult(
            content=[types.TextContent(text=_words(result))], structured_content=result.model_dump(mode="json")
        )


def _tools(service: Service) -> dict[str, _Tool]:
    async def recommend(arguments: RecommendArguments) -> RecommendResponse:
        caller = identify(arguments.user_id, None)
        return await service.recommend(
            RecommendRequest(user_id=caller.user_id, context=arguments.request, count=arguments.count)
        )

    async def ask(arguments: AskArguments) -> Reply:
        caller = identify(arguments.user_id, arguments.thread_id)
        return await service.ask(arguments.message, user_id=caller.user_id, thread_id=caller.thread_id, door="mcp")

    return {
        "recommend": _Tool(
            "Recommend products of this shop for a request in plain words.",
            RecommendArguments,
            RecommendResponse,
            recommend,
        ),
        "check_inventory": _Tool(
            "Stock of one product by store or city, with alternatives when it is out. Needs the product's SKU.",
            InventoryRequest,
            InventoryResponse,
            service.check_inventory,
        ),
        "ask": _Tool(
            "Say one message to the shop's assistant, in a conversation; it recommends and answers stock questions.",
            AskArguments,
            Reply,
            ask,
        ),
    }


def _words(result: BaseModel) -> str:
    if isinstance(result, Reply):
        return result.text
    if isinstance(result, InventoryResponse):
        return result.answer
    return result.model_dump_json()


def _failed(detail: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=detail)], is_error=True)
