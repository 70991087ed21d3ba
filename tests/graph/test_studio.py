"""LangGraph Studio's server over langgraph.json, offline: a turn through langgraph-sdk, kept in its thread."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from langgraph_sdk import get_client

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_up(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(240):
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            try:
                if (await client.get(f"{url}/ok")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


def start(command: list[str], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as out:
        return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=out, stderr=subprocess.STDOUT)


@pytest.mark.slow
async def test_a_turn_in_studio(tmp_path: Path, catalogue: Path, models_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "SHOPFLOOR_DATA": str(tmp_path / "data"),
        "SHOPFLOOR_SHOP": str(catalogue),
        "SHOPFLOOR_MODELS": str(models_path),
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    }
    command = [
        str(Path(sys.executable).parent / "langgraph"),
        "dev",
        "--no-browser",
        "--no-reload",
        "--port",
        str(port),
    ]
    log = tmp_path / "log"
    process = start(command, environment, log)
    try:
        url = f"http://127.0.0.1:{port}"
        await until_up(url, process, log)
        async with get_client(url=url) as client:
            thread = await client.threads.create()
            for text in ("a warm jacket", "is it in Tokyo?"):
                question = {"messages": [{"role": "user", "content": text}]}
                await client.runs.wait(thread["thread_id"], "shop", input=question)  # pyright: ignore
            state = await client.threads.get_state(thread["thread_id"])
        messages = state["values"]["messages"]  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert [message["type"] for message in messages] == ["human", "ai", "human", "ai"], log.read_text()[-3000:]
        assert messages[1]["response_metadata"]["items"]
        assert messages[3]["response_metadata"]["inventory"]["product"]
    finally:
        process.terminate()
        process.wait(20)
