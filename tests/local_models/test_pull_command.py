"""``shopfloor models pull`` against the fake Ollama."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.ollama import FakeOllama


async def run(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("shopfloor")), "models", "pull", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOPFLOOR_")}
    environment |= {f"SHOPFLOOR_{name.upper()}": value for name, value in settings.items()}
    return await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


async def test_a_model_is_pulled_and_named(ollama: FakeOllama, ollama_url: str, tmp_path: Path) -> None:
    done = await run(tmp_path, "tinyllama:latest", "--url", ollama_url, "--json")
    assert done.returncode == 0, done.stderr
    rest = {"models": ["tinyllama:latest"], "url": ollama_url}
    assert json.loads(done.stdout) == {"runtime": "ollama", "model": "tinyllama:latest", **rest}
    assert "pulling manifest" in done.stderr and "success" in done.stderr
    assert "tinyllama:latest" in ollama.models


async def test_the_profile_names_the_model(ollama: FakeOllama, ollama_url: str, tmp_path: Path) -> None:
    done = await run(tmp_path, "--url", ollama_url)
    assert done.returncode == 0, done.stderr
    assert ollama.requests[-1][1]["model"] == "smollm2:135m"
    assert "SHOPFLOOR_RUNTIME=ollama" in done.stderr


async def test_both_models_of_a_profile_are_pulled(ollama: FakeOllama, ollama_url: str, tmp_path: Path) -> None:
    done = await run(tmp_path, "--url", ollama_url, "--json", profile="m1-8gb", accepted_licences="stability")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"] == ["tinyllama", "stablelm2:1.6b"]
    assert {"tinyllama:latest", "stablelm2:1.6b"} <= set(ollama.models)


async def test_failures_are_one_sentence(ollama_url: str, tmp_path: Path) -> None:
    for arguments in (("no-such-model", "--url", ollama_url), ("tinyllama", "--url", "http://127.0.0.1:9")):
        done = await run(tmp_path, *arguments)
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
        assert "Ollama" in done.stderr
