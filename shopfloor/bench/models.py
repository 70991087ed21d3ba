"""The local model against what it is built on: the same file by the bare library, by its own HTTP server, and shipped.

Both sides of a comparison take turns, so that another busy program slows both down alike. Only finished tokens count.
"""

import asyncio
import json
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from shopfloor.bench.python_server import python_server_rows
from shopfloor.bench.report import Row, against
from shopfloor.errors import ModelError
from shopfloor.local_models.divergence import paces
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.llama_server import LlamaServer, ServerOptions, usable_cores
from shopfloor.local_models.openai_wire import read_piece
from shopfloor.local_models.opening import BATCH, open_embedded
from shopfloor.local_models.preparing import prepared_form
from shopfloor.local_models.runtime import GenerateOptions, Message
from shopfloor.local_models.tune import apply_tuning, read_tuning
from shopfloor.settings import Settings

ROUNDS = 6
CLIENTS = 8
TOKENS = 64
TIMEOUT_S = 120.0
SUBJECTS = ("rain jackets", "tents", "running shoes", "gloves", "backpacks", "lamps", "stoves", "hats")


@dataclass(frozen=True, slots=True)
class Streamed:
    """One streamed answer: its tokens, and when the first and the last came, in seconds from the call."""

    tokens: int
    first_s: float
    last_s: float

    @property
    def decode(self) -> float:
        """Tokens a second between the first and the last."""
        return (self.tokens - 1) / (self.last_s - self.first_s)


async def model_rows(settings: Settings, rounds: int = ROUNDS) -> list[Row]:
    """Every row of this module."""
    source = await asyncio.to_thread(lambda: open_model_file(find_model(settings), settings.models_path))
    path = prepared_form(source, settings.models_path) or source.path
    rows = await asyncio.to_thread(_tuned_rows, settings)
    # Both sides load the same file in the same way; what was found by tuning is not for this comparison.
    patience = max(settings.model_timeout_s, TIMEOUT_S)
    plain = settings.model_copy(update={"model": path, "model_form": "shipped", "model_timeout_s": patience})
    runtime = await open_embedded(plain)
    try:
        rows += await _one_client(plain, runtime, path, rounds)
        rows += await _many_clients(plain, runtime, path, rounds)
    finally:
        await runtime.close()
    return rows + await python_server_rows(settings)


def _tuned_rows(settings: Settings) -> list[Row]:
    """The form in use against the shipped file."""
    folder = settings.models_path
    source = open_model_file(find_model(settings), folder)
    shipped = ServerOptions(source.path, 512, 1, settings.model_threads or usable_cores(), BATCH)
    tuning = read_tuning(source, folder)
    form = prepared_form(source, folder)
    if tuning is not None:
        best = apply_tuning(shipped, tuning, source, folder)
    elif form is not None:
        best = ServerOptions(form, 512, 1, shipped.threads, BATCH)
    else:
        return []
    one, other = LlamaServer(shipped), LlamaServer(best)
    try:
        found = [paces(one, other) for _ in range(2)]
    finally:
        one.close()
        other.close()
    return [
        _faster("tuned_prompt_tok_s", [(now.prompt, before.prompt) for before, now in found], ">= 1.4 x"),
        _faster("tuned_answer_tok_s", [(now.answer, before.answer) for before, now in found], ">= 1.0 x"),
    ]


def _faster(name: str, pairs: Sequence[tuple[float, float]], target: str) -> Row:
    """The best of what is now, against the best of what was before."""
    value, baseline = max(now for now, _ in pairs), max(before for _, before in pairs)
    return against(Row(id=name, value=round(value, 1), unit="1/s", target=target, n=len(pairs)), baseline)


async def _one_client(settings: Settings, runtime: EmbeddedRuntime, path: Path, rounds: int) -> list[Row]:
    options = ServerOptions(
        path, settings.model_ctx, settings.model_slots, settings.model_threads or usable_cores(), BATCH
    )
    bare = await asyncio.to_thread(LlamaServer, options)
    ours: list[Streamed] = []
    theirs: list[Streamed] = []
    try:
        for number in range(rounds + 1):
            text = _prompt(number)
            mine = await _by_runtime(runtime, text)
            its = await asyncio.to_thread(_by_library, bare, text)
            if number:  # the first warms both
                ours.append(mine)
                theirs.append(its)
    finally:
        await asyncio.to_thread(bare.close)
    row = _compared("chat_decode_1_tok_s", [one.decode for one in ours], [one.decode for one in theirs])
    return [row.model_copy(update={"target": ">= 0.95 x the bare library"})]


async def _many_clients(settings: Settings, runtime: EmbeddedRuntime, path: Path, rounds: int) -> list[Row]:
    ours: list[float] = []
    theirs: list[float] = []
    async with _peer(settings, path) as (client, url):
        for number in range(max(2, rounds // 2) + 1):
            texts = [_prompt(number * CLIENTS + place) for place in range(CLIENTS)]
            mine = await _rate([_by_runtime(runtime, text) for text in texts])
            its = await _rate([_by_http(client, url, text) for text in texts])
            if number:
                ours.append(mine)
                theirs.append(its)
    row = _compared(f"chat_aggregate_{CLIENTS}_tok_s", ours, theirs)
    return [row.model_copy(update={"target": ">= 0.95 x its HTTP server"})]


def _compared(name: str, ours: Sequence[float], theirs: Sequence[float]) -> Row:
    """The medians; ``ci`` is the range of the rounds."""
    value, baseline = statistics.median(ours), statistics.median(theirs)
    row = Row(id=name, value=round(value, 1), unit="1/s", n=len(ours), ci=(round(min(ours), 1), round(max(ours), 1)))
    return against(row, baseline)


async def _rate(calls: Sequence[Awaitable[Streamed]]) -> float:
    """Finished tokens a second over all calls at once."""
    began = time.perf_counter()
    answers = await asyncio.gather(*calls)
    return sum(answer.tokens for answer in answers) / (time.perf_counter() - began)


async def _by_runtime(runtime: EmbeddedRuntime, text: str) -> Streamed:
    began = time.perf_counter()
    first = last = 0.0
    tokens = 0
    options = GenerateOptions(max_tokens=TOKENS, timeout_s=TIMEOUT_S)
    async with aclosing(runtime.stream([Message("user", text)], options)) as chunks:
        async for chunk in chunks:
            if chunk.completion is not None:
                tokens = chunk.completion.completion_tokens
            else:
                last = time.perf_counter() - began
                first = first or last
    return Streamed(tokens, first, last)


def _body(text: str) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": TOKENS,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


class _Watch:
    """Reads streamed events: when words came, and how many tokens there were."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._first = self._last = 0.0
        self._tokens = 0

    def see(self, event: dict[str, Any]) -> None:
        """One event, read by the same code as the service's."""
        piece = read_piece(event)
        if piece.text:
            self._last = time.perf_counter() - self._began
            self._first = self._first or self._last
        self._tokens = piece.completion_tokens or self._tokens

    def result(self) -> Streamed:
        """What was seen."""
        return Streamed(self._tokens, self._first, self._last)


def _by_library(server: LlamaServer, text: str) -> Streamed:
    """The bare library: its own call with a callback, nothing of ours around it."""
    watch = _Watch()

    def callback(event: dict[str, Any] | None) -> bool:
        if event is not None:
            watch.see(event)
        return False

    server.bare.handle_chat_completions(_body(text), callback)
    return watch.result()


@asynccontextmanager
async def _peer(settings: Settings, path: Path) -> AsyncGenerator[tuple[httpx.AsyncClient, str]]:
    key = secrets.token_hex(16)
    threads = settings.model_threads or usable_cores()
    numbers = [settings.model_slots, settings.model_ctx, BATCH, threads]
    command = [sys.executable, "-m", "shopfloor.bench.llama_http", str(path), key, *map(str, numbers)]
    process = await asyncio.to_thread(
        subprocess.Popen[str], command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        url = (await asyncio.to_thread(process.stdout.readline)).strip()
        if not url.startswith("http://"):
            raise ModelError("the library's own HTTP server did not start: see `shopfloor doctor`")
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S) as client:
            yield client, url
    finally:
        process.stdin.close()
        await asyncio.to_thread(process.wait, 30)
        process.stdout.close()


async def _by_http(client: httpx.AsyncClient, url: str, text: str) -> Streamed:
    watch = _Watch()
    async with client.stream("POST", f"{url}/v1/chat/completions", json=_body(text)) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                watch.see(json.loads(line[6:]))
    return watch.result()


def _prompt(number: int) -> str:
    """A prompt whose answer is long; no two are alike, so that no cache helps."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    return f"Request {number}: write a long advert of ten sentences for our {subject}. Describe every detail."
