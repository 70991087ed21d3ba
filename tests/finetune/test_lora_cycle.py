"""The router's adapter: what it needs before it starts, what it learns from, and how it is asked beside the head."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shopfloor.errors import ArtefactRejectedError, ConfigError, InputError
from shopfloor.finetune.cycle import TrainResult
from shopfloor.finetune.gate.members import Decider, ask, opened_members
from shopfloor.finetune.head_lessons import Lesson
from shopfloor.finetune.lora.environment import trainer_python
from shopfloor.finetune.lora.job import LoraRecipe, read_examples
from shopfloor.finetune.lora.memory import TooLittleMemoryError, ceiling, estimate_mb
from shopfloor.finetune.lora_cycle import LoraCycle
from shopfloor.finetune.lora_lessons import examples, write_examples
from shopfloor.finetune.router_learning import check_learn, has_room, learn_router
from shopfloor.finetune.routing.rows import Row, shipped_rows
from shopfloor.graph.local_router import LocalRouter, shipped_head
from shopfloor.graph.route_member import (
    MAX_CHARS,
    UNSURE_BELOW,
    WORDS,
    AdaptedMember,
    Chances,
    blended,
    prompt_of,
    prompt_version,
)
from shopfloor.local_models import open_encoder
from shopfloor.local_models.adapter_file import open_adapter
from shopfloor.local_models.adapting import Adaptable
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.following import Following
from shopfloor.local_models.runtime import Runtime
from shopfloor.local_models.serving import open_serving
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database, connect
from tests.local_models.loras import write_lora

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venvs/hf/bin/python"
TINY = LoraRecipe(rank=4, alpha=8, learning_rate=2e-3, batch=8, epochs=1)
UNSURE = "and what of the other one"


def lines() -> list[Row]:
    return [row for row in shipped_rows() if row.source == "line"]


class Saying:
    """A member that always says the same; ``None``: it can't say."""

    def __init__(self, chances: list[float] | None) -> None:
        self.chances = chances
        self.asked: list[str] = []

    async def ask(self, text: str) -> Chances | None:
        self.asked.append(text)
        return None if self.chances is None else np.array(self.chances)


def test_a_prompt_is_short_whatever_the_message() -> None:
    long = prompt_of("a " * 900 + "END")
    assert prompt_of("hello\n there").splitlines()[1] == "Customer: hello there" and prompt_of("x").endswith("Answer:")
    assert len(long) < MAX_CHARS + 120 and "END" in long
    assert prompt_of("{text}") != prompt_of("x") and len(prompt_version()) == 16


async def test_the_answers_are_single_tokens(runtime: Runtime) -> None:
    scores = await runtime.score([prompt_of("is it in Oslo?")], list(WORDS.values()))
    assert scores.shape == (1, 4) and np.isfinite(scores).all()


def test_few_lessons_are_seen_more_often(tmp_path: Path) -> None:
    few = examples([Lesson("a red hat", "recommendation", 1.0), Lesson("in Oslo?", "inventory", 0.5)], 3)
    many = examples([Lesson(f"hat {number}", "recommendation", 1.0) for number in range(400)], 3)
    assert [row.completion for row in few[:2]] == [" product", " stock"] and len(few) == 2 * 4 + 3
    assert few[1].weight == 0.5 and len(many) == 403
    write_examples(few, tmp_path / "run" / "rows.jsonl")
    assert read_examples(tmp_path / "run" / "rows.jsonl") == few


async def test_an_adapter_is_asked_only_where_the_head_is_unsure() -> None:
    head, member = shipped_head(), Saying([0.0, 1.0, 0.0, 0.0])
    alone = LocalRouter(head, None)
    sure, unsure = await alone.weigh("a warm red jacket for winter please"), await alone.weigh(UNSURE)
    assert sure.confidence >= UNSURE_BELOW > unsure.confidence
    both = LocalRouter(head, None, member)
    assert await both.weigh("a warm red jacket for winter please") == sure and not member.asked
    second = await both.weigh(UNSURE)
    assert second.seconded and member.asked == [UNSURE] and "adapter" in second.info().reason
    assert second.probabilities["inventory"] == pytest.approx((unsure.probabilities["inventory"] + 1) / 2)
    assert sum(second.probabilities.values()) == pytest.approx(1)
    assert await LocalRouter(head, None, Saying(None)).weigh(UNSURE) == unsure


async def test_the_gate_asks_as_the_service_does() -> None:
    head, member = shipped_head(), Saying([0.0, 0.0, 1.0, 0.0])
    texts = ["a warm red jacket for winter please", UNSURE]
    decider = await ask(head, member, "abc", texts, np.zeros((2, 0), np.float32))
    assert member.asked == [UNSURE] and list(decider.opinions) == [UNSURE] and "abc" in decider.name
    router = LocalRouter(head, None, member)
    for text in texts:
        served = list((await router.weigh(text)).probabilities.values())
        np.testing.assert_allclose(decider.probabilities(text, None), served)
    alone = await ask(head, None, "", texts, np.zeros((2, 0), np.float32))
    np.testing.assert_allclose(alone.probabilities(UNSURE, None), Decider(head).probabilities(UNSURE, None))


async def test_each_member_of_the_gate_answers_with_its_own_adapter(models_path: Path, tmp_path: Path) -> None:
    own = Settings(_env_file=None, models=models_path, model_ctx=512, model_slots=1, model_threads=1)  # pyright: ignore[reportCallIssue]
    header = open_model_file(find_model(own), models_path).header
    made = {
        name: open_adapter(write_lora(tmp_path / f"{name}.gguf", header, seed=seed, strength=strength))
        for name, seed, strength in (("nothing", 1, 0.0), ("one", 1, 0.2), ("two", 2, 0.2))
    }
    async with opened_members(own, made) as members:
        said = {name: await member.ask("is it in Oslo?") for name, member in members.items()}
    for one, other in (("nothing", "one"), ("nothing", "two"), ("one", "two")):
        first, second = said[one], said[other]
        assert first is not None and second is not None and np.abs(first - second).max() > 0.02


def test_both_count_alike_in_the_order_of_the_head() -> None:
    turned = list(WORDS)[::-1]
    found = blended(np.array([0.4, 0.3, 0.2, 0.1]), np.array([1.0, 0.0, 0.0, 0.0]), turned)
    np.testing.assert_allclose(found, [0.2, 0.15, 0.1, 0.55])


def test_memory_is_asked_for_before_the_start(models_path: Path) -> None:
    settings = Settings(_env_file=None, models=models_path)  # pyright: ignore[reportCallIssue]
    header = open_model_file(find_model(settings), models_path).header
    needed = estimate_mb(header, LoraRecipe(), 84)
    assert 1_500 < needed < 2_500
    assert estimate_mb(header, LoraRecipe(together=16), 84) > needed + 500
    with pytest.raises(TooLittleMemoryError, match="SHOPFLOOR_TRAIN_MEMORY_MB"):
        ceiling(header, LoraRecipe(), 84, limit_mb=600)


async def test_too_little_memory_starts_nothing(learning_shop: Any) -> None:
    settings = learning_shop.settings.model_copy(update={"train_memory_mb": 100})
    with pytest.raises(TooLittleMemoryError):
        await LoraCycle(settings, python=Path(sys.executable)).run()
    assert runs(settings) == []


async def test_without_its_environment_it_says_how_to_make_one(
    learning_shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="shopfloor train --install hf"):
        trainer_python(tmp_path)
    monkeypatch.setattr("shopfloor.finetune.trainers.install.root_folder", lambda: tmp_path)
    with pytest.raises(ConfigError, match="--install hf"):
        await learn_router(learning_shop.settings, "lora")
    assert runs(learning_shop.settings) == []


def test_what_to_learn_by_has_a_name() -> None:
    assert check_learn("lora") == "lora"
    with pytest.raises(InputError, match="auto, head, lora"):
        check_learn("tree")


def test_an_adapter_is_tried_only_where_a_gain_could_show() -> None:
    gate = {"suites": [{"champion": 0.90, "mde": 0.02}]}
    result = TrainResult("r", "rejected", None, 1.0, 1.0, gate, "d", 60)
    assert has_room(result)
    assert not has_room(replace(result, gate={"suites": [{"champion": 0.99, "mde": 0.02}]}))


def runs(settings: Settings) -> list[tuple[Any, ...]]:
    with closing(connect(settings.state_path)) as state:
        found = state.execute("SELECT run_id, status, artefact FROM training_runs").fetchall()
        return [tuple(row) for row in found]


def steps(settings: Settings) -> dict[str, str]:
    with closing(connect(settings.state_path)) as state:
        return dict(tuple(row) for row in state.execute("SELECT step, finished_at FROM training_steps"))


CYCLE = """
import asyncio, sys
from pathlib import Path
from shopfloor.finetune.lora.job import LoraRecipe
from shopfloor.finetune.lora_cycle import LoraCycle
from shopfloor.settings import Settings
data, models, python, recipe = sys.argv[1:]
settings = Settings(_env_file=None, data=Path(data), models=Path(models), google_api_key=None)
cycle = LoraCycle(
    settings, lora=LoraRecipe.model_validate_json(recipe), rehearsed=24, python=Path(python), say=print
)
print(asyncio.run(cycle.run()).to_json())
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not PYTHON.exists(), reason="needs the environment made by `shopfloor train --install hf`")
async def test_from_corrections_to_an_adapter_that_is_asked(learning_shop: Any, models_path: Path) -> None:
    """Killed between two steps it goes on (while it trains: test_lora_environment); what it made serves beside the head."""
    shop = learning_shop
    shop.correct_routes([(row.text, row.label) for row in lines()[:72]], users=30)
    settings = shop.settings
    command = [sys.executable, "-c", CYCLE, str(settings.data), str(models_path), str(PYTHON), TINY.model_dump_json()]
    await asyncio.to_thread(kill_when, command, settings.data / "runs", "made/adapter.gguf")
    before = steps(settings)
    assert "train" in before and "gate" not in before
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    after = steps(settings)
    assert before.items() <= after.items(), "what was done is not done again"
    assert set(after) == {"train", "convert", "parity", "gate", "register", "promote"}
    ((_, status, artefact),) = runs(settings)
    assert status in {"promoted", "rejected", "not_enough_evidence"} and artefact
    report = json.loads(next(settings.data.glob("runs/*/gate/report.json")).read_text())
    assert "adapter" in report["about"]["challenger"] and "adapter" not in report["about"]["champion"]
    with closing(connect(settings.state_path)) as state:
        parity = json.loads(state.execute("SELECT result FROM training_steps WHERE step = 'parity'").fetchone()[0])
    assert parity["adapter"] - parity["base"] < 0.03
    print(status, report["reason"], parity)
    await serve_with(settings, artefact)


async def serve_with(settings: Settings, artefact: str) -> None:
    """The service's own runtime with the adapter: asked where the head is unsure, and no more once it is taken back."""
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(Database(settings.state_path, readers=1))
        registry = Registry(state, settings.artefacts_path)
        await registry.activate(artefact, "for this test")
        following = await stack.enter_async_context(Following(settings))
        runtime = await open_serving(settings, following)
        stack.push_async_callback(runtime.close)
        encoder = await open_encoder(settings)
        stack.push_async_callback(encoder.close)
        assert isinstance(runtime, Adaptable) and runtime.adapters["router"].artefact == artefact
        router = LocalRouter(shipped_head(), encoder, AdaptedMember(runtime, patience_s=30))
        unsure = [
            row.text
            for row in lines()[72:400]
            if (await LocalRouter(shipped_head(), None).weigh(row.text)).confidence < 0.5
        ]
        texts = [UNSURE, *unsure[:4]]
        found = [await router.weigh(text) for text in texts]
        assert any(choice.seconded for choice in found)
        await registry.rollback("router", "lora")
        for _ in range(200):
            if "router" not in runtime.adapters:
                break
            await asyncio.sleep(0.1)
        assert not any([(await router.weigh(text)).seconded for text in texts])


def kill_when(command: list[str], folder: Path, mark: str) -> None:
    """Start a cycle and kill it, the hard way, as soon as a file is there."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=dict(os.environ)
    )
    deadline = time.monotonic() + 300
    while not list(folder.glob(f"*/{mark}")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


async def test_where_no_adapter_serves_none_is_asked(runtime: Runtime) -> None:
    assert await AdaptedMember(runtime).ask(UNSURE) is None


async def test_a_model_without_adapters_says_so() -> None:
    from shopfloor.graph.followers import without_adapters
    from shopfloor.store.artefacts import Artefact

    one = Artefact("a" * 64, "router", "lora", "champion", False, "", None, {}, "", Path())
    await without_adapters({})
    with pytest.raises(ArtefactRejectedError, match="router serve without"):
        await without_adapters({("router", "lora"): one})
