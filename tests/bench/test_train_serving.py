"""How the open loop counts, and what becomes of its figures; the whole runs by ``shopfloor bench --only train-serving``."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shopfloor.bench import train_serving as module
from shopfloor.bench.train_serving import Load, Texts, Trained
from shopfloor.errors import ShopfloorError

ANSWER = b'data: {"type": "token", "text": "Hello"}\n\n'


@asynccontextmanager
async def slow_service(seconds: float, *, status: bytes = b"200 OK") -> AsyncIterator[str]:
    """Answers one message after another, each after some seconds: a queue, as a busy service has."""
    turn = asyncio.Lock()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        async with turn:
            await asyncio.sleep(seconds)
        writer.write(
            b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(ANSWER), ANSWER)
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_waiting_counts_and_messages_do_not_wait_for_answers() -> None:
    """At five times what it can answer, the queue grows, and with it the latencies."""
    async with slow_service(0.05) as url:
        load = await module._load(url, Texts(["a coat"] * 5), 100.0, seconds=0.6)  # pyright: ignore[reportPrivateUsage]
    assert len(load.latencies) > 20
    assert max(load.latencies) > 5 * 50
    assert load.failed == 0


async def test_a_load_lasts_until_something_ends_and_counts_refusals() -> None:
    began = time.perf_counter()
    async with slow_service(0.0, status=b"503 Busy") as url:
        load = await module._load(url, Texts(["a coat"]), 30.0, until=lambda: asyncio.sleep(0.5))  # pyright: ignore[reportPrivateUsage]
    assert time.perf_counter() - began >= 0.5
    assert load.failed > 0 and not load.latencies


def test_no_message_is_sent_twice() -> None:
    texts = Texts(["a coat", "a hat"])
    sent = [texts.take() for _ in range(2 * len(module.HELLOS) * len(module.MOODS) * len(module.GOODBYES))]
    assert len(set(sent)) == len(sent)
    with pytest.raises(ShopfloorError, match="ran out of messages"):
        texts.take()


def test_the_figures_compare_with_the_untrained_service_and_the_lone_training() -> None:
    quiet, busy = Load([10.0] * 50 + [20.0] * 50), Load([12.0] * 50 + [25.0] * 50, failed=1)
    alone, beside = Trained([0.0, 1.0, 2.0, 3.0], True), Trained([0.0, 2.0, 4.0], True)
    rows = {row.id: row for row in module._rows(0.2, quiet, busy, alone, beside)}  # pyright: ignore[reportPrivateUsage]
    assert rows["training_at_20_latency_p95"].value == 1.25
    assert rows["training_at_20_failed"].value == 1
    assert rows["training_at_20_steps_per_s"].ratio == 0.5
    assert rows["training_at_20_finished"].value == 1
