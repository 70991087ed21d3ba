"""The door of ``/mcp``: loads the protocol's library when its first client comes.

Importing ``mcp`` takes about a fifth of the whole service's start, and most shops never have such a client.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from shopfloor.http.problems import problem_response, retry_after
from shopfloor.http.service import Service

if TYPE_CHECKING:
    from shopfloor.http.mcp_server import McpEndpoint


class McpDoor:
    """An ASGI endpoint. Works while :meth:`running` is entered."""

    def __init__(self, service: Service, version: str) -> None:
        self._service = service
        self._version = version
        self._wanted = asyncio.Event()
        self._opened: asyncio.Future[McpEndpoint] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Take requests; a task of its own keeps the endpoint open, since it must be closed by who opened it."""
        self._opened = asyncio.get_running_loop().create_future()
        keeper = asyncio.create_task(self._keep(self._opened))
        try:
            yield
        finally:
            self._opened = None
            keeper.cancel()
            await asyncio.wait([keeper])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._opened is None:
            response = problem_response(503, "starting", "The service is still starting.", headers=retry_after(1))
            await response(scope, receive, send)
            return
        self._wanted.set()
        endpoint = await asyncio.shield(self._opened)
        await endpoint(scope, receive, send)

    async def _keep(self, opened: "asyncio.Future[McpEndpoint]") -> None:
        await self._wanted.wait()
        try:
            endpoint = await asyncio.to_thread(self._load)
            async with endpoint.running():
                opened.set_result(endpoint)
                await asyncio.Event().wait()
        except Exception as error:
            # Whoever waits hears of it; the next requests too.
            if not opened.done():
                opened.set_exception(error)
            raise

    def _load(self) -> "McpEndpoint":
        from shopfloor.http.mcp_server import McpEndpoint

        return McpEndpoint(self._service, self._version)
