"""A fake of Gemini's HTTP interface: generateContent and streamGenerateContent over a real socket, scripted per test.

async with FakeGemini([calls(("recommend", {"query": "a jacket"})), says("Here is a jacket.")]) as gemini:
    settings = load_settings(google_api_key="test", gemini_base_url=gemini.url)
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


@dataclass(frozen=True)
class Step:
    """One scripted reply. ``delay_s`` passes before anything is sent."""

    parts: Sequence[dict[str, Any]] = ()
    status: int = 200
    delay_s: float = 0.0
    finish: str = "STOP"
    body: dict[str, Any] | None = None


def says(text: str) -> Step:
    """Gemini answers in words."""
    return Step(parts=[{"text": text}])


def calls(*functions: tuple[str, Any]) -> Step:
    """Gemini calls functions, several at once if several are given."""
    return Step(parts=[{"functionCall": {"name": name, "args": args}} for name, args in functions])


def fails(status: int) -> Step:
    """Gemini answers with an error."""
    return Step(status=status)


def hangs(seconds: float) -> Step:
    """Gemini takes its time."""
    return Step(parts=[{"text": "too late"}], delay_s=seconds)


def empty() -> Step:
    """Gemini answers with no candidates."""
    return Step(body={"candidates": [], "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}})


def malformed() -> Step:
    """Gemini stops over a call that it could not write."""
    return Step(parts=[], finish="MALFORMED_FUNCTION_CALL")


@dataclass
class FakeGemini:
    """The server. Replies come in the script's order; its last is repeated. ``requests`` holds every body received."""

    script: Sequence[Step]
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    paths: list[str] = field(default_factory=list[str])
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def step(self, body: dict[str, Any]) -> Step:
        """What answers a request."""
        return self.script[min(len(self.requests), len(self.script) - 1)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path = lines[0].split(" ")[1]
        received = json.loads(body or b"{}")
        step = self.step(received)
        self.requests.append(received)
        self.paths.append(path)
        await asyncio.sleep(step.delay_s)
        payload, kind = _payload(step, streamed=":streamGenerateContent" in path)
        reason = "OK" if step.status == 200 else STATUS.get(step.status, "ERROR")
        writer.write(
            f"HTTP/1.1 {step.status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len(payload)}\r\n\r\n".encode()
        )
        writer.write(payload)
        await writer.drain()
        return True


def _payload(step: Step, *, streamed: bool) -> tuple[bytes, str]:
    if step.status != 200:
        error = {"code": step.status, "message": "scripted", "status": STATUS.get(step.status, "UNKNOWN")}
        return json.dumps({"error": error}).encode(), "application/json"
    if not streamed:
        return json.dumps(_chunk(step, list(step.parts), last=True)).encode(), "application/json"
    pieces = [_chunk(step, [part], last=number == len(step.parts) - 1) for number, part in enumerate(step.parts)]
    events = "".join(f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces or [_chunk(step, [], last=True)])
    return events.encode(), "text/event-stream"


def _chunk(step: Step, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    if step.body is not None:
        return step.body
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = step.finish
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 50, "candidatesTokenCount": 10, "totalTokenCount": 60},
        "modelVersion": "fake",
    }
