"""``shopfloor models pull`` against the fake Ollama."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.ollama import FakeOllama


async def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("shopfloor")), "models", "pull", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOPFLOOR_")}
    return await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


async def test_a_model_is_pulled_and_named(ollama: FakeOllama, ollama_url: str, tmp_path: Path) -> None:
    done = await run(tmp_path, "tinyllama:latest", "--url", ollama_url, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"runtime": "ollama", "model": "tinyllama:latest", "url": ollama_url}
    assert "pulling manifest" in done.stderr and "success" in done.stderr
    assert "tinyllama:latest" in ollama.models


async def test_the_profile_names_the_model(ollama: FakeOllama, ollama_url: str, tmp_path: Path) -> None:
    done = await run(tmp_path, "--url", ollama_url)
    assert done.returncode == 0, done.stderr
    assert ollama.requests[-1][1]["model"] == "smollm2:135m"
    assert "SHOPFLOOR_RUNTIME=ollama" in done.stderr


async def test_failures_are_one_sentence(ollama_url: str, tmp_path: Path) -> None:
    for arguments in (("no-such-model", "--url", ollama_url), ("tinyllama", "--url", "http://127.0.0.1:9")):
        done = await run(tmp_path, *arguments)
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
        assert "Ollama" in done.stderr
