"""A running assistant takes up what is made champion, answers by it, names it, and goes back; what is broken changes nothing."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.graph.assistant import Assistant
from shopfloor.local_models.adapting import Adaptable
from shopfloor.local_models.artefact_check import find_files
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.migrations import open_state
from shopfloor.tools.schemas import InventoryRequest, RecommendRequest
from tests.local_models.loras import write_lora

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0
ASK = RecommendRequest(user_id="ada", context="a warm blue jacket")


@pytest.fixture
def live_settings(settings: Settings, model_settings: Settings) -> Settings:
    """With the embedded model, small."""
    update = {"model": None, "model_ctx": 512, "model_slots": 2, "model_form": "prepared", "model_timeout_s": 60}
    return settings.model_copy(update=update)


@pytest_asyncio.fixture
async def registry(live_settings: Settings) -> AsyncIterator[Registry]:
    open_state(live_settings.state_path)
    async with Database(live_settings.state_path) as state:
        yield Registry(state, live_settings.artefacts_path)


async def add_lora(registry: Registry, settings: Settings, seed: int, agent: str = "recommendation") -> str:
    source = open_model_file(find_model(settings), settings.models_path)
    path = write_lora(settings.data / f"{seed}.gguf", source.header, seed=seed, strength=0.2, source_hash=source.sha256)
    return await registry.add(*find_files(path, agent, None))


async def until(true: Callable[[], bool]) -> float:
    """Wait for it; returns the seconds."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < WAIT_S, "it did not come"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def test_a_champion_serves_without_a_restart(live_settings: Settings, registry: Registry) -> None:
    one = await add_lora(registry, live_settings, 1)
    two = await add_lora(registry, live_settings, 2, agent="inventory")
    await registry.activate(one)
    swaps: list[tuple[str, str]] = []
    async with Assistant.open(live_settings) as assistant:
        assistant.on_swap(lambda agent, artefact: swaps.append((agent, artefact)))
        stats = (await assistant.model_stats()).agents
        assert (stats["recommendation"].adapter, stats["inventory"].adapter) == (one, None)
        first = await assistant.recommend(ASK)
        assert first.model.adapter == one

        await registry.activate(two)
        await until(lambda: bool(swaps))
        stock = await assistant.check_inventory(InventoryRequest(product_id=first.items[0].sku))
        assert stock.model.adapter == two
        assert (await assistant.recommend(ASK)).model.adapter == one

        await registry.rollback("recommendation", "lora")
        await until(lambda: len(swaps) == 2)
        reply = await assistant.ask("a warm blue jacket", user_id="ada")
        assert reply.model.adapter is None
        assert swaps == [("inventory", two), ("recommendation", "base")]
        assert (await assistant.model_stats()).agents["inventory"].adapter == two
    with closing(connect(live_settings.state_path, read_only=True)) as connection:
        rows = connection.execute("SELECT agent, model FROM answers ORDER BY created_at").fetchall()
    traced = [(row["agent"], json.loads(row["model"])["adapter"]) for row in rows]
    assert traced[:4] == [
        ("recommendation", one),
        ("inventory", two),
        ("recommendation", one),
        ("recommendation", None),
    ]


async def test_what_can_not_be_served_leaves_what_serves(live_settings: Settings, registry: Registry) -> None:
    one, two = await add_lora(registry, live_settings, 1), await add_lora(registry, live_settings, 2)
    await registry.activate(one)
    shutil.rmtree(registry.folder / two)
    async with Assistant.open(live_settings) as assistant:
        await registry.activate(two)  # as another version's command might, without looking at the files
        problems: list[str] = []
        started = time.monotonic()
        while not problems and time.monotonic() - started < WAIT_S:
            await asyncio.sleep(0.1)
            problems = [reason for reason in (await assistant.readiness()).reasons if two[:12] in reason]
        assert problems and "import it again" in problems[0]
        assert (await assistant.recommend(ASK)).model.adapter == one
        await registry.rollback("recommendation", "lora")
        started = time.monotonic()
        while (await assistant.readiness()).degraded and time.monotonic() - started < WAIT_S:
            await asyncio.sleep(0.1)
        assert (await assistant.recommend(ASK)).model.adapter == one
    async with Assistant.open(live_settings) as again:  # at a start, too
        await registry.activate(two)
        assert (await again.recommend(ASK)).items


SWAPPING = """
import asyncio, sys
from shopfloor.graph.assistant import Assistant
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database

async def main(settings, name):
    async with Assistant.open(settings) as assistant, Database(settings.state_path) as state:
        following = assistant._shop.agents.following
        use = following._followers["adapters"].use
        async def told(champions):
            print("swapping", flush=True)
            await use(champions)
        following._followers["adapters"].use = told
        await Registry(state, settings.artefacts_path).activate(name)
        await asyncio.sleep(60)

asyncio.run(main(Settings.model_validate_json(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.slow
async def test_killed_while_it_changes_it_starts_with_the_champion(live_settings: Settings, registry: Registry) -> None:
    one, two = await add_lora(registry, live_settings, 1), await add_lora(registry, live_settings, 2)
    await registry.activate(one)
    given = live_settings.model_dump_json(exclude={"google_api_key", "api_keys", "model_api_key"})

    def killed() -> None:
        with subprocess.Popen(
            [sys.executable, "-c", SWAPPING, given, two], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            while "swapping" not in (line := process.stdout.readline()):
                assert line, "it ended before it changed anything"
            process.kill()

    await asyncio.to_thread(killed)
    async with Assistant.open(live_settings) as assistant:
        answered = await assistant.recommend(ASK)
        assert (answered.model.adapter, answered.degraded) == (two, False)


async def test_a_head_is_taken_up_at_once_and_without_a_model(settings: Settings, tmp_path: Path) -> None:
    from shopfloor.local_models.head import LinearHead

    folder = tmp_path / "head"
    shutil.copytree(ROOT / "local_models/artefacts/router", folder)
    head = LinearHead.load(folder)
    head.weights.text_only_bias[:] = [100.0 if label == "inventory" else 0.0 for label in head.card.labels]
    head.weights.bias[:] = head.weights.text_only_bias
    head.save(folder)
    open_state(settings.state_path)
    async with Database(settings.state_path) as state, Assistant.open(settings) as assistant:
        registry = Registry(state, settings.artefacts_path)
        text = "please recommend me something lovely for my sister"
        assert (await assistant.ask(text, user_id="ada")).route.route == "recommendation"
        heard: list[tuple[str, str]] = []
        assistant.on_swap(lambda agent, artefact: heard.append((agent, artefact)))
        name = await registry.add(*find_files(folder, "router", None))
        await registry.activate(name)
        assert await until(lambda: heard == [("router", name)]) < 1.0
        router = assistant._shop.agents.router
        assert router is not None
        assert (await router.decide(text)).route == "inventory"
        await registry.rollback("router", "head")
        assert await until(lambda: len(heard) == 2) < 1.0
        assert (await router.decide(text)).route == "recommendation"


async def test_fusion_weights_are_taken_up_and_unknown_ones_refused(settings: Settings, tmp_path: Path) -> None:
    open_state(settings.state_path)
    async with Database(settings.state_path) as state, Assistant.open(settings) as assistant:
        registry = Registry(state, settings.artefacts_path)
        agent = assistant._shop.agents.recommendation
        own = agent.weights
        broad = RecommendRequest(user_id="ada", context="a jacket")

        async def activate(text: str) -> None:
            (tmp_path / "weights.json").write_text(text)
            await registry.activate(await registry.add(*find_files(tmp_path / "weights.json", "recommendation", None)))

        first = [item.sku for item in (await assistant.recommend(broad)).items]
        await activate('{"popular": -50}')
        await until(lambda: agent.weights.popular == -50)
        assert agent.weights.text == own.text
        assert [item.sku for item in (await assistant.recommend(broad)).items] != first
        await activate('{"charm": 1}')
        await until(lambda: bool(assistant._shop.problems[len(assistant._shop.agents.problems) :]))
        assert agent.weights.popular == -50
        for _ in range(2):
            await registry.rollback("recommendation", "fusion")
        await until(lambda: agent.weights == own)
        assert [item.sku for item in (await assistant.recommend(broad)).items] == first


async def test_agents_have_views_of_one_model(live_settings: Settings) -> None:
    async with Assistant.open(live_settings) as assistant:
        assert isinstance(assistant._shop.runtime, Adaptable)
        assert assistant._shop.model.adapter is None
