"""Reads a request's body once, checks it, and stops the work when the client has gone.

Every route that takes a body takes JSON, so what no route can use is refused here, before any of them: too many bytes
(also without a Content-Length), not JSON, NaN and numbers no database holds, NUL characters and lone surrogates,
nesting deeper than anything we define.
"""

import asyncio
import contextlib
import json
import math
from typing import Any, NoReturn, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopfloor.errors import InputError, ShopfloorError, TooLargeError
from shopfloor.http.problems import error_response, problem_response

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
BODY_TIMEOUT_S = 30.0


class BodyGuard:
    """Buffers and checks bodies; cancels a route whose client disconnects before its answer starts."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await read_body(Headers(scope=scope), receive, self._max_bytes)
            if body is None:
                return
            check_body(Headers(scope=scope), body)
        except ShopfloorError as error:
            await error_response(error, path)(scope, receive, send)
        except TimeoutError:
            await problem_response(408, "slow_body", "The body did not arrive in time.", path=path)(
                scope, receive, send
            )
        else:
            await self._serve(scope, body, receive, send)

    async def _serve(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        started = False
        delivered = False

        async def receive_again() -> Message:
            nonlocal delivered
            if not delivered:
                delivered = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send_noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        async def watch(work: asyncio.Task[None]) -> None:
            while (await receive())["type"] != "http.disconnect":
                continue
            gone.set()
            # A stream that has begun hears of it by receive() and closes itself in order; a route that is still
            # working on its answer has nobody to answer.
            if not started:
                work.cancel("client disconnected")

        work = asyncio.ensure_future(self._run(scope, receive_again, send_noting))
        watcher = asyncio.ensure_future(watch(work))
        try:
            await work
        except asyncio.CancelledError:
            if not gone.is_set():
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
                raise
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def read_body(headers: Headers, receive: Receive, max_bytes: int) -> bytes | None:
    """Collect the body; None if the client left first.

    Raises:
        TooLargeError: over ``max_bytes``, said or sent.
    """
    said = headers.get("content-length", "")
    if said.isdigit() and int(said) > max_bytes:
        raise TooLargeError(f"The body is over {max_bytes} bytes; send less.")
    pieces: list[bytes] = []
    total = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece: bytes = message.get("body", b"")
        total += len(piece)
        if total > max_bytes:
            raise TooLargeError(f"The body is over {max_bytes} bytes; send less.")
        pieces.append(piece)
        more = message.get("more_body", False)
    return b"".join(pieces)


def check_body(headers: Headers, body: bytes) -> None:
    """Refuse what no route can use.

    Raises:
        InputError: with the reason.
    """
    if not body:
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise MediaTypeError("Send JSON, with the header Content-Type: application/json.")
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded)
    except RecursionError as error:
        raise InputError("The JSON is nested too deeply.", code="bad_json") from error
    except UnicodeDecodeError as error:
        raise InputError("The body is not UTF-8.", code="bad_json") from error
    except json.JSONDecodeError as error:
        raise InputError(f"The body is not JSON: {error.msg} at character {error.pos}.", code="bad_json") from error
    except ValueError as error:
        raise InputError("The JSON holds a number that is not finite or too large.", code="bad_json") from error
    check_value(value)


def check_value(value: object) -> None:
    """Walk a JSON value and refuse NUL characters, lone surrogates and deep nesting.

    Raises:
        InputError: with the reason.
    """
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict | list):
            if depth >= MAX_DEPTH:
                raise InputError("The JSON is nested too deeply.", code="bad_json")
            if isinstance(item, dict):
                fields = cast("dict[str, object]", item)
                for name in fields:
                    _check_text(name)
                waiting.extend((inner, depth + 1) for inner in fields.values())
            else:
                waiting.extend((inner, depth + 1) for inner in cast("list[object]", item))


class MediaTypeError(InputError):
    """The body is of a kind that no route takes."""

    code = "not_json"
    status = 415


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise InputError("A text holds a NUL character; leave it out.", code="bad_text")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError("A text holds half a character (a lone surrogate).", code="bad_text") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(digits)
    return value


def _bounded(digits: str) -> Any:
    value = int(digits)
    if abs(value) > MAX_INTEGER:
        raise ValueError(digits)
    return value
