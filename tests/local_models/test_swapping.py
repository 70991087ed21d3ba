"""Changing the adapter under load: nothing fails, nothing comes from the other adapter's cache."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.local_models.adapter_file import AdapterFile, open_adapter
from shopfloor.local_models.adapting import Adapters, held, runtime_for
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.opening import open_embedded
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.local_models.swapping import SwappingRuntime
from shopfloor.settings import Settings
from tests.local_models.loras import write_lora

AGENT = "recommendation"
ASK = [Message("user", "What is a rain jacket for?")]
PROMPTS = ["Is fire hot? Answer:", "The first letter of the alphabet is"]
LABELS = [" yes", " no", " A", " the"]
TOLERANCE = 0.1
GREEDY = GenerateOptions(max_tokens=8, timeout_s=60)


@dataclass
class Opener:
    """Opens sides of the embedded model and keeps them for a look."""

    settings: Settings
    sides: list[EmbeddedRuntime] = field(default_factory=list[EmbeddedRuntime])

    async def __call__(self, adapters: Adapters) -> EmbeddedRuntime:
        side = await open_embedded(self.settings, adapters=adapters)
        self.sides.append(side)
        return side


@pytest.fixture(scope="module")
def adapters(model_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[AdapterFile]:
    source = open_model_file(find_model(model_settings), model_settings.models_path)
    folder = tmp_path_factory.mktemp("adapters")
    paths = [write_lora(folder / f"{seed}.gguf", source.header, seed=seed, strength=0.2) for seed in (1, 2)]
    return [open_adapter(path) for path in paths]


@pytest.fixture
def opener(model_settings: Settings) -> Opener:
    return Opener(model_settings.model_copy(update={"model_ctx": 512, "model_slots": 2, "model_threads": 1}))


@pytest_asyncio.fixture
async def swapping(opener: Opener) -> AsyncIterator[SwappingRuntime]:
    runtime = SwappingRuntime.over(await opener({}), opener, has_room=lambda: True, timeout_s=60).for_agent(AGENT)
    runtime.warm_with(AGENT, ASK)
    yield runtime
    await runtime.close()


async def test_a_b_a(swapping: SwappingRuntime, adapters: list[AdapterFile]) -> None:
    base = (await swapping.chat(ASK, GREEDY)).text
    answers: list[str] = []
    for adapter in (adapters[0], adapters[1], adapters[0]):
        await swapping.use_adapters({AGENT: adapter})
        assert swapping.info.adapter == adapter.sha256
        answers.append((await swapping.chat(ASK, GREEDY)).text)
    assert answers[0] == answers[2] != answers[1]
    await swapping.use_adapters({})
    assert swapping.info.adapter is None
    assert (await swapping.chat(ASK, GREEDY)).text == base
    assert base not in answers


async def test_nothing_fails_and_each_call_keeps_its_side(
    swapping: SwappingRuntime, opener: Opener, adapters: list[AdapterFile]
) -> None:
    """Scores tell the sides apart; texts would too, were it not for batches, which change their last bits."""
    base = await swapping.score(PROMPTS, LABELS)
    await swapping.use_adapters({AGENT: adapters[0]})
    adapted = await swapping.score(PROMPTS, LABELS)
    assert np.abs(base - adapted).max() > 10 * TOLERANCE
    scores: list[NDArray[np.float32]] = []
    ended = asyncio.Event()

    async def scorer() -> None:
        while not ended.is_set():
            scores.append(await swapping.score(PROMPTS, LABELS))

    async def talker() -> None:
        while not ended.is_set():
            chunks = [chunk async for chunk in swapping.stream(ASK, GREEDY)]
            assert chunks[-1].completion is not None

    clients = [asyncio.create_task(client()) for client in (scorer, scorer, talker)]
    for turn in range(3):
        await asyncio.sleep(0.2)
        await swapping.use_adapters({AGENT: adapters[0]} if turn % 2 else {})
    ended.set()
    await asyncio.gather(*clients)
    assert len(scores) >= 3
    for found in scores:
        assert min(np.abs(found - base).max(), np.abs(found - adapted).max()) < TOLERANCE
    stats = await swapping.stats()
    assert stats.failed == 0 and stats.active == 0 and stats.requests >= len(scores)
    for side in opener.sides[:-1]:
        with pytest.raises(ModelError, match="shut down"):
            await side.chat(ASK)


async def test_an_adapter_that_does_not_open_changes_nothing(
    swapping: SwappingRuntime, adapters: list[AdapterFile], tmp_path: Path
) -> None:
    before = await swapping.chat(ASK, GREEDY)
    broken = AdapterFile(tmp_path / "gone.gguf", "0" * 64, "llama", 4, 4.0, ("attn_q",), "")
    with pytest.raises(ModelError):
        await swapping.use_adapters({AGENT: broken})
    assert (await swapping.chat(ASK, GREEDY)).text == before.text
    await swapping.use_adapters({AGENT: adapters[0]})
    assert swapping.info.adapter == adapters[0].sha256


async def test_without_room_for_two_calls_wait_for_the_new_side(
    opener: Opener, adapters: list[AdapterFile], tmp_path: Path
) -> None:
    whole = SwappingRuntime.over(await opener({}), opener, has_room=lambda: False, timeout_s=60)
    runtime = whole.for_agent(AGENT)
    base = (await runtime.chat(ASK, GREEDY)).text
    swap = asyncio.create_task(runtime.use_adapters({AGENT: adapters[0]}))
    await asyncio.sleep(0)
    with pytest.raises(ModelError, match="already"):
        await runtime.use_adapters({})
    waited = await runtime.chat(ASK, GREEDY)
    await swap
    assert waited.text != base and runtime.info.adapter == adapters[0].sha256
    with pytest.raises(ModelError):
        await runtime.use_adapters({AGENT: AdapterFile(tmp_path / "gone.gguf", "0" * 64, "llama", 4, 4.0, (), "")})
    assert runtime.info.adapter == adapters[0].sha256
    assert (await runtime.chat(ASK, GREEDY)).text == waited.text
    await runtime.close()
    with pytest.raises(ModelError, match="shut down"):
        await runtime.chat(ASK)
    with pytest.raises(ModelError):
        await runtime.use_adapters({})


async def test_several_adapters_over_one_base_at_once(
    swapping: SwappingRuntime, adapters: list[AdapterFile], runtime: Runtime
) -> None:
    """Three agents, two adapters and the base, asked at the same time: each scores as it does alone."""
    await swapping.use_adapters(dict(zip(("recommendation", "inventory"), adapters, strict=True)))
    views = {agent: runtime_for(swapping, agent) for agent in ("none", "recommendation", "inventory")}
    assert [view.info.adapter for view in views.values()] == [None, adapters[0].sha256, adapters[1].sha256]
    scores = {agent: await view.score(PROMPTS, LABELS) for agent, view in views.items()}
    assert np.abs(scores["recommendation"] - scores["inventory"]).max() > 10 * TOLERANCE
    assert np.abs(scores["recommendation"] - scores["none"]).max() > 10 * TOLERANCE

    async def ask(agent: str) -> float:
        await views[agent].chat(ASK, GREEDY)
        return float(np.abs(await views[agent].score(PROMPTS, LABELS) - scores[agent]).max())

    assert max(await asyncio.gather(*(ask(agent) for agent in list(views) * 3))) < TOLERANCE
    base = await views["none"].embed(["a coat"])
    assert np.allclose(await views["inventory"].embed(["a coat"]), base, atol=1e-3)
    assert runtime_for(runtime, "inventory") is runtime


async def test_an_answer_of_several_calls_stays_with_what_it_began_with(
    swapping: SwappingRuntime, adapters: list[AdapterFile]
) -> None:
    base = (await swapping.chat(ASK, GREEDY)).text
    with held(swapping):
        swap = asyncio.create_task(swapping.use_adapters({AGENT: adapters[0]}))
        while not swapping.adapters:
            await asyncio.sleep(0.02)
        assert swapping.info.adapter is None
        assert (await asyncio.create_task(swapping.chat(ASK, GREEDY))).text == base
        assert not swap.done()
    await swap
    assert swapping.info.adapter == adapters[0].sha256
    assert (await swapping.chat(ASK, GREEDY)).text != base
    with held(None):
        pass


async def test_an_adapter_keeps_its_prefix_while_others_are_served(
    swapping: SwappingRuntime, adapters: list[AdapterFile]
) -> None:
    """Two slots, two adapters: each is read once, then found again, whatever the other asked in between."""
    await swapping.use_adapters({"recommendation": adapters[0], "inventory": adapters[1]})
    views = [swapping.for_agent(agent) for agent in ("recommendation", "inventory")]
    long = [Message("user", " ".join(f"Product {number} is a coat." for number in range(40)))]
    cold = [(await view.chat(long, GREEDY)).first_token_s for view in views]
    warm = [(await view.chat(long, GREEDY)).first_token_s for view in views * 2]
    assert max(warm) < min(cold) / 2
