"""A served process measured from outside, as its users meet it: start-up, memory, concurrent chats."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from shopfloor.bench.report import Row, quantile_rows
from shopfloor.errors import ShopfloorError

READY_TIMEOUT_S = 180.0
MEMORY_TARGET = "< 900 MB"


@dataclass(frozen=True, slots=True)
class Chat:
    """One streamed chat turn, times in milliseconds from the request."""

    first_card_ms: float | None
    first_word_ms: float | None
    total_ms: float


@asynccontextmanager
async def served(data: Path, environment: dict[str, str]) -> AsyncGenerator[tuple[str, psutil.Process, float]]:
    """Start ``shopfloor serve`` on a free port; yields (base URL, process, seconds until it answered)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    command = [sys.executable, "-m", "shopfloor", "serve", "--port", str(port)]
    process = await asyncio.to_thread(
        subprocess.Popen[bytes],
        command,
        env={**environment, "SHOPFLOOR_DATA": str(data), "SHOPFLOOR_RATE_LIMIT_PER_MINUTE": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        await _until_ready(base, process, began)
        yield base, psutil.Process(process.pid), time.perf_counter() - began
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 20)
        except subprocess.TimeoutExpired:
            process.kill()


async def _until_ready(base: str, process: subprocess.Popen[bytes], began: float) -> None:
    async with httpx.AsyncClient(timeout=2) as client:
        while time.perf_counter() - began < READY_TIMEOUT_S:
            if process.poll() is not None:
                raise ShopfloorError("The service to measure stopped while starting: run `shopfloor serve` to see why.")
            try:
                if (await client.get(f"{base}/readyz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    raise ShopfloorError(f"The service to measure was not ready within {READY_TIMEOUT_S:.0f} s.")


async def chat_once(client: httpx.AsyncClient, base: str, text: str, user: str) -> Chat:
    """Send one message to the chat page's stream and time its first card, first word and end."""
    began = time.perf_counter()
    card: float | None = None
    word: float | None = None
    async with client.stream("POST", f"{base}/api/chat", json={"text": text, "user_id": user}) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data:"):
                continue
            kind = json.loads(line[5:])["type"]
            now = (time.perf_counter() - began) * 1000
            if kind == "items" and card is None:
                card = now
            elif kind == "token" and word is None:
                word = now
            elif kind == "error":
                raise ShopfloorError(f"A chat failed during the benchmark: {line[5:]}")
    return Chat(card, word, (time.perf_counter() - began) * 1000)


def resident_mb(process: psutil.Process) -> float:
    """Resident memory of the process and its children, in MB (2**20 bytes)."""
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        total += child.memory_info().rss
    return total / 2**20


async def concurrent_chats(
    base: str, process: psutil.Process, texts: Sequence[str], clients: int
) -> tuple[list[Chat], float, float]:
    """Keep ``clients`` chats in flight until ``texts`` are answered; returns (chats, seconds, peak MB)."""
    waiting = list(enumerate(texts))
    chats: list[Chat] = []
    peak = 0.0
    began = time.perf_counter()

    async def one_client(client: httpx.AsyncClient) -> None:
        nonlocal peak
        while waiting:
            number, text = waiting.pop()
            chats.append(await chat_once(client, base, text, f"bench-{number}"))
            peak = max(peak, resident_mb(process))

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(one_client(client) for _ in range(clients)))
    return chats, time.perf_counter() - began, peak


async def service_rows(data: Path, environment: dict[str, str], texts: Sequence[str]) -> list[Row]:
    """First and second start, memory at rest and under eight chats, chats a second."""
    rows: list[Row] = []
    async with served(data, environment) as (_, _, seconds):
        rows.append(Row(id="start_first_s", value=round(seconds, 2), unit="s"))
    async with served(data, environment) as (base, process, seconds):
        rows.append(Row(id="start_second_s", value=round(seconds, 2), unit="s", target="< 5 s"))
        async with httpx.AsyncClient(timeout=60) as client:
            await chat_once(client, base, texts[0], "bench-warm")
        await asyncio.sleep(1)
        rows.append(Row(id="memory_rest_mb", value=round(resident_mb(process)), unit="MB", target=MEMORY_TARGET))
        single = 0.0
        for clients in (1, 8):
            chats, seconds, peak = await concurrent_chats(base, process, texts, clients)
            rate = len(chats) / seconds
            row = Row(id=f"chats_per_s_{clients}", value=round(rate, 2), unit="1/s", n=len(chats))
            if clients == 1:
                single = rate
            else:
                row = row.model_copy(update={"baseline": round(single, 2), "ratio": round(rate / single, 2)})
                rows.append(Row(id="memory_8_chats_mb", value=round(peak), unit="MB", target=MEMORY_TARGET))
            rows.append(row)
            words = [chat.first_word_ms for chat in chats if chat.first_word_ms is not None]
            rows.extend(quantile_rows(f"http_first_word_{clients}_ms", words, "ms"))
    return rows
