"""A model for each agent: which answers whom, whose adapters go where, and what happens when one is not there."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.errors import ConfigError, ModelError
from shopfloor.graph.assistant import Assistant
from shopfloor.local_models.adapting import held, runtime_for
from shopfloor.local_models.artefact_check import find_files
from shopfloor.local_models.choosing import inventory_settings
from shopfloor.local_models.files import file_hash, find_model, open_model_file
from shopfloor.local_models.fit_random import write_random
from shopfloor.local_models.fit_shapes import Shape
from shopfloor.local_models.following import Following
from shopfloor.local_models.gguf_file import read_header
from shopfloor.local_models.opening import model_need
from shopfloor.local_models.paired import PairedRuntime
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.local_models.serving import open_serving
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database
from shopfloor.store.migrations import open_state
from tests.fakes.ollama import FakeOllama
from tests.local_models.loras import write_lora

SMALL = Shape("small", "llama", 2, 256, 4, 2, 64, 512, 1024)
SHORT = GenerateOptions(max_tokens=4)
ASK = [Message("user", "Tell me about the tent.")]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second model: random weights, another shape."""
    return write_random(SMALL, "Q8_0", tmp_path_factory.mktemp("second") / "small.gguf")


@pytest.fixture
def settings(model_settings: Settings, small: Path, tmp_path: Path) -> Settings:
    changes = {"data": tmp_path, "inventory_model": small, "model_ctx": 512, "model_slots": 2}
    return model_settings.model_copy(update=changes)


@pytest_asyncio.fixture
async def following(settings: Settings) -> AsyncIterator[Following]:
    open_state(settings.state_path)
    async with Following(settings) as opened:
        yield opened


async def add(settings: Settings, path: Path, agent: str) -> str:
    async with Database(settings.state_path) as state:
        registry = Registry(state, settings.artefacts_path)
        name = await registry.add(*find_files(path, agent, "lora"))
        await registry.activate(name)
    return name


async def until_serves(view: Runtime, name: str) -> None:
    async with asyncio.timeout(20):
        while view.info.adapter != name:
            await asyncio.sleep(0.05)


async def test_each_agent_has_its_model_and_its_adapters(
    settings: Settings, small: Path, following: Following, tmp_path: Path
) -> None:
    runtime = await open_serving(settings, following)
    try:
        assert isinstance(runtime, PairedRuntime)
        first, second = runtime_for(runtime, "recommendation"), runtime_for(runtime, "inventory")
        assert (first.info.name, second.info.name) == (find_model(settings).stem, "small")
        assert runtime.info == first.info
        answers = await asyncio.gather(*(one.chat(ASK, SHORT) for one in (first, second, runtime)))
        assert answers[0].text == answers[2].text != answers[1].text

        source = open_model_file(find_model(settings), settings.models_path)
        of_first = write_lora(tmp_path / "one.gguf", source.header, seed=1, source_hash=source.sha256, strength=0.2)
        of_second = write_lora(
            tmp_path / "two.gguf",
            read_header(small),
            seed=2,
            source_hash=file_hash(small, settings.models_path),
            strength=0.2,
        )
        names = {
            "recommendation": await add(settings, of_first, "recommendation"),
            "inventory": await add(settings, of_second, "inventory"),
        }
        for agent, name in names.items():
            await until_serves(runtime_for(runtime, agent), name)
        assert {agent: one.artefact for agent, one in runtime.adapters.items()} == names
        assert following.problems == {}
        with held(runtime):
            changed = await asyncio.gather(*(one.chat(ASK, SHORT) for one in (first, second)))
            assert all(new.text != old.text for new, old in zip(changed, answers, strict=False))
            await runtime.use_adapters({}, drained=False)
            kept = await asyncio.gather(*(one.chat(ASK, SHORT) for one in (first, second)))
            assert [one.text for one in kept] == [one.text for one in changed]  # of both models what was held
        back = await asyncio.gather(*(one.chat(ASK, SHORT) for one in (first, second)))
        assert [one.text for one in back] == [one.text for one in answers[:2]]
    finally:
        await runtime.close()


async def test_an_agent_whose_model_is_not_there_leaves_the_other_its_own(
    settings: Settings, following: Following, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"inventory_model": tmp_path / "none.gguf"})
    runtime = await open_serving(settings, following)
    try:
        assert "inventory agent's model is not there" in following.problems["inventory model"]
        assert (await runtime_for(runtime, "recommendation").chat(ASK, SHORT)).completion_tokens > 0
        absent = runtime_for(runtime, "inventory")
        assert absent.info.name == "none"
        for refused in (absent.chat(ASK), absent.score(["a"], ["b"]), absent.embed(["a"]), absent.count_tokens("a")):
            with pytest.raises(ModelError, match="none.gguf"):
                await refused
        with pytest.raises(ModelError, match="none.gguf"):
            async for _chunk in absent.stream(ASK):
                pass
    finally:
        await runtime.close()


async def test_what_is_missing_is_said_and_answers_go_on(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"inventory_model": tmp_path / "none.gguf"})
    async with Assistant.open(settings) as assistant:
        readiness = await assistant.readiness()
        assert readiness.ready and readiness.degraded
        assert any("inventory agent's model" in reason for reason in readiness.reasons)
        reply = await assistant.ask("do you have the trail runner in size 42 in Berlin?", user_id="u")
        assert reply.text
        stats = await assistant.model_stats()
        assert stats.agents["inventory"].model == "none"
        assert stats.agents["recommendation"].model == find_model(settings).stem


async def test_a_limit_holds_for_both_together(settings: Settings, following: Following) -> None:
    first = round(model_need(settings).total / 1e6)
    with pytest.raises(ConfigError, match="small needs"):
        await open_serving(settings.model_copy(update={"model_memory_mb": first + 10}), following)


async def test_the_command_holds_an_adapter_against_its_agents_model(
    settings: Settings, small: Path, following: Following, tmp_path: Path
) -> None:
    of_small = write_lora(tmp_path / "two.gguf", read_header(small), seed=2)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SHOPFLOOR_")},
        "SHOPFLOOR_DATA": str(settings.data),
        "SHOPFLOOR_MODELS": str(settings.models_path),
        "SHOPFLOOR_INVENTORY_MODEL": str(small),
    }
    command = [str(Path(sys.executable).with_name("shopfloor")), "adapters", "import", str(of_small), "--agent"]
    for agent, code in (("inventory", 0), ("recommendation", 2)):
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, agent],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


def test_who_has_a_model_of_its_own(model_settings: Settings) -> None:
    def own(**changes: object) -> str | None:
        found = inventory_settings(model_settings.model_copy(update=changes))
        return found and found.model_name

    assert inventory_settings(model_settings) is None
    assert own(profile="m1-8gb", runtime="ollama", accepted_licences=("stability",)) == "stablelm2:1.6b"
    assert own(profile="m1-8gb", runtime="ollama") == "qwen3:1.7b"
    assert own(profile="rtx3060-6gb", runtime="hf") == "microsoft/Phi-3-mini-4k-instruct"
    assert own(profile="m1-8gb", runtime="ollama", model_name="tinyllama") is None  # one was named for both
    assert own(model_url="http://127.0.0.1:1", inventory_model_name="phi3") == "phi3"
    assert own(profile="m1-8gb", runtime="embedded") is None


async def test_a_profile_is_served_by_two_of_ollamas_models(
    model_settings: Settings, ollama: FakeOllama, ollama_url: str, following: Following
) -> None:
    ollama.models |= {"tinyllama:latest": ollama.models["smollm2:135m"], "qwen3:1.7b": ollama.models["smollm2:135m"]}
    changes = {"profile": "m1-8gb", "runtime": "ollama", "model_url": ollama_url}
    runtime = await open_serving(model_settings.model_copy(update=changes), following)
    try:
        names = [runtime_for(runtime, agent).info.name for agent in ("recommendation", "inventory", "router")]
        assert names == ["tinyllama:latest", "qwen3:1.7b", "tinyllama:latest"]
        assert (await runtime_for(runtime, "inventory").chat(ASK, SHORT)).completion_tokens > 0
    finally:
        await runtime.close()
