"""Eight clients at once, here and at llama-cpp-python's own server, where its environment was made.

That server answers one request after another; it is started so that none cuts another off, and only whole answers count.
Both load the same file with as many threads, and take turns, so that another busy program slows both down alike.
"""

import asyncio
import importlib.util
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from shopfloor.bench.report import Row, against
from shopfloor.errors import ModelError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.llama_server import usable_cores
from shopfloor.local_models.preparing import prepared_form
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.settings import Settings

CLIENTS = 8
TOKENS = 64
ROUNDS = 4
START_S = 60.0
ENVIRONMENT = Path(".venvs/llama-cpp/bin/python")
SUBJECTS = ("rain jackets", "tents", "running shoes", "gloves", "backpacks", "lamps", "stoves", "hats")


def find_python() -> str | None:
    """The interpreter that has the server: this one, or that of ``scripts/env.sh llama-cpp`` in a checkout."""
    if importlib.util.find_spec("llama_cpp") is not None:
        return sys.executable
    return str(ENVIRONMENT.absolute()) if ENVIRONMENT.exists() else None


async def python_server_rows(settings: Settings, rounds: int = ROUNDS) -> list[Row]:
    """One row, or none where the server is not installed."""
    python = find_python()
    if python is None:
        return []
    source = await asyncio.to_thread(lambda: open_model_file(find_model(settings), settings.models_path))
    path = prepared_form(source, settings.models_path) or source.path
    plain = settings.model_copy(
        update={"model": path, "model_form": "shipped", "model_slots": CLIENTS, "model_timeout_s": 120.0}
    )
    runtime = await open_runtime(plain)
    ours: list[float] = []
    theirs: list[float] = []
    try:
        async with _server(python, path, plain) as client:
            for number in range(rounds + 1):
                texts = [_prompt(number * CLIENTS + place) for place in range(CLIENTS)]
                mine = await _rate([_by_runtime(runtime, text) for text in texts])
                its = await _rate([_by_http(client, text) for text in texts])
                if number:  # the first warms both
                    ours.append(mine)
                    theirs.append(its)
    finally:
        await runtime.close()
    value, baseline = statistics.median(ours), statistics.median(theirs)
    row = Row(
        id=f"chat_aggregate_{CLIENTS}_python_server_tok_s",
        value=round(value, 1),
        unit="1/s",
        target=">= 1.5 x llama_cpp.server",
        n=rounds,
        ci=(round(min(ours), 1), round(max(ours), 1)),  # the range of the rounds
    )
    return [against(row, baseline)]


async def _rate(calls: "list[Any]") -> float:
    """Tokens of whole answers a second over all calls at once."""
    began = time.perf_counter()
    counts: list[int] = await asyncio.gather(*calls)
    return sum(counts) / (time.perf_counter() - began)


async def _by_runtime(runtime: Runtime, text: str) -> int:
    answer = await runtime.chat([Message("user", text)], GenerateOptions(max_tokens=TOKENS, timeout_s=120))
    return answer.completion_tokens


async def _by_http(client: httpx.AsyncClient, text: str) -> int:
    body = {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": TOKENS,
        "temperature": 0.0,
        "repeat_penalty": 1.0,
    }
    answer = await client.post("/v1/chat/completions", json=body)
    answer.raise_for_status()
    return int(answer.json()["usage"]["completion_tokens"])


@asynccontextmanager
async def _server(python: str, path: Path, settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    threads = str(settings.model_threads or usable_cores())
    command = [python, "-m", "llama_cpp.server", "--model", str(path), "--interrupt_requests", "False"]
    command += ["--n_ctx", str(settings.model_ctx), "--n_threads", threads, "--n_threads_batch", threads]
    command += ["--port", str(port), "--verbose", "False"]
    process = await asyncio.to_thread(
        subprocess.Popen[bytes], command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=240, trust_env=False) as client:
            await _ready(client, process)
            yield client
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def _ready(client: httpx.AsyncClient, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            await client.get("/v1/models")
            return
        except httpx.TransportError:
            await asyncio.sleep(0.2)
    raise ModelError("llama_cpp.server did not start: make its environment by `bash scripts/env.sh llama-cpp`")


def _prompt(number: int) -> str:
    """A prompt whose answer is long; no two are alike, so that no cache helps."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    return f"Request {number}: write a long advert of ten sentences for our {subject}. Describe every detail."
