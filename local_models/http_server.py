"""Talks to a model server over HTTP: one small client for all runtimes that live in another process.

Closing a stream, or cancelling the task that reads it, closes the connection, which is how such servers learn that
nobody waits any longer. Clients are kept for each event loop, because a connection belongs to the loop that opened it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx

from shopfloor.errors import ConfigError, ContextOverflowError, ModelError, ModelMissingError
from shopfloor.local_models.openai_wire import Json

CONNECT_S = 5.0
TELL_S = 60.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OVERFLOW_WORDS = (
    "exceed_context_size",
    "context length",
    "context size",
    "context window",
    "maximum context",
    "too large to process",
    "physical batch size",
)


class HttpServer:
    """A server at an address. ``what`` names it in errors, ``start_hint`` says how to start it."""

    def __init__(self, url: str, *, what: str, start_hint: str, key: str | None = None) -> None:
        """Name the server; nothing is opened yet.

        Raises:
            ConfigError: the address is none.
        """
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"SHOPFLOOR_MODEL_URL: {url!r} is no address such as http://127.0.0.1:8080")
        self._what = what
        self._start_hint = start_hint
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._local = parts.hostname in LOOPBACK  # a proxy can't reach this machine's own servers
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._closed = False

    async def get(self, path: str) -> Json:
        """A JSON object read from the server.

        Raises:
            ModelError: it doesn't answer, or refuses.
        """
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Json) -> Json:
        """A JSON object answered to a body.

        Raises:
            ModelError: it doesn't answer, or refuses.
        """
        return await self._ask("POST", path, body)

    def tell(self, path: str, body: Json) -> None:
        """Send a body whose answer says no more than that all went well (blocking).

        Raises:
            ModelError: it doesn't answer, or refuses.
        """
        with self._translated():
            response = httpx.post(
                self.url + path, json=body, headers=self._headers, timeout=TELL_S, trust_env=not self._local
            )
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise self.failure(response.status_code, response.text)

    async def lines(self, path: str, body: Json) -> AsyncGenerator[str]:
        """The lines of a streamed answer.

        Raises:
            ModelError: it doesn't answer, or refuses.
        """
        with self._translated():
            async with self._client().stream("POST", path, json=body) as response:
                if response.status_code >= HTTPStatus.BAD_REQUEST:
                    raise self.failure(response.status_code, (await response.aread()).decode("utf-8", "replace"))
                async for line in response.aiter_lines():
                    yield line

    def failure(self, status: int, text: str) -> ModelError:
        """The server's refusal as an error of ours."""
        message = _message(text)
        if any(word in text.lower() for word in OVERFLOW_WORDS):
            return ContextOverflowError(
                f"the prompt is longer than the model's context ({message}): shorten it, or serve the model with a larger one"
            )
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return ModelError(f"{self._what} at {self.url} wants a key ({message}): set SHOPFLOOR_MODEL_API_KEY")
        if status == HTTPStatus.NOT_FOUND:
            return ModelMissingError(f"{self._what} at {self.url} knows no such model or route ({message})")
        return ModelError(f"{self._what} refused the request (status {status}: {message})")

    def unreachable(self, error: Exception) -> ModelError:
        """What to say when the server does not answer."""
        reason = str(error) or type(error).__name__
        return ModelError(f"{self._what} at {self.url} doesn't answer ({reason}): {self._start_hint}")

    async def close(self) -> None:
        """Close this loop's connections. Idempotent; calls made afterwards are refused."""
        self._closed = True
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _ask(self, method: str, path: str, body: Json | None) -> Json:
        with self._translated():
            response = await self._client().request(method, path, json=body)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise self.failure(response.status_code, response.text)
        try:
            answer = response.json()
        except ValueError as error:
            raise ModelError(f"{self._what} at {self.url} answered with no JSON: is it a model server?") from error
        if not isinstance(answer, dict):
            raise ModelError(f"{self._what} at {self.url} answered in an unknown shape: is it a model server?")
        return cast(Json, answer)

    def _client(self) -> httpx.AsyncClient:
        if self._closed:
            raise ModelError("the local model is shut down")
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = httpx.AsyncClient(
                base_url=self.url,
                headers=self._headers,
                timeout=httpx.Timeout(None, connect=CONNECT_S),  # each call has a deadline of its own
                # A kept connection may be closed by the server in the very moment it is used again.
                limits=httpx.Limits(max_keepalive_connections=0),
                trust_env=not self._local,
            )
            self._clients[loop] = client
        return client

    def _translated(self) -> "contextlib.AbstractContextManager[None]":
        return _Translated(self.unreachable)


class _Translated(contextlib.AbstractContextManager[None]):
    """Turns errors of the connection into ours."""

    def __init__(self, translate: Callable[[Exception], ModelError]) -> None:
        self._translate = translate

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            raise self._translate(error) from error


def _message(text: str) -> str:
    """The sentence inside an error's body, whatever its shape."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return " ".join(text.split())[:300]
    for key in ("error", "message", "detail"):
        if isinstance(found, dict):
            found = cast(Json, found).get(key, cast(object, found))
    return str(found)[:300]
