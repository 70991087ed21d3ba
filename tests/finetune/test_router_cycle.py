"""The router's cycle: from feedback to a head that serves, in steps that survive being killed."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shopfloor.finetune.gate.routing_cases import core_cases
from shopfloor.finetune.head_lessons import Lesson, fit
from shopfloor.finetune.locking import BusyError, one_training
from shopfloor.finetune.router_cycle import RouterCycle, TrainResult
from shopfloor.finetune.routing.rows import LABELS, Row, shipped_rows
from shopfloor.finetune.routing.training import labelled
from shopfloor.finetune.routing.vectors import VectorCache
from shopfloor.graph.local_router import TextEncoder, shipped_head
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.head_training import HeadOrigin, train_head
from shopfloor.local_models.text_features import BUCKETS
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.migrations import open_state

SEED = 7


def lines(seed: int) -> list[Row]:
    """Hand-written messages in an order of their own."""
    found = [row for row in shipped_rows() if row.source == "line"]
    random.Random(seed).shuffle(found)
    return found


async def weak_head(rows: list[Row], encoder: TextEncoder | None) -> LinearHead:
    """A head that has seen few rows, for feedback to improve on."""

    hidden = np.zeros((len(rows), 0), np.float32)
    if encoder is not None:
        hidden = await encoder.embed([row.text for row in rows])
    origin = HeadOrigin("router", encoder.hash if encoder is not None else "", "few rows", "0", "Apache-2.0")
    return await asyncio.to_thread(train_head, labelled(rows, hidden), LABELS, origin)


class KeepingEncoder:
    """The real encoder, with its vectors of the package's own rows kept: forty cycles read the same messages."""

    def __init__(self, encoder: TextEncoder, folder: Path) -> None:
        self.hash = encoder.hash
        self._cache = VectorCache(folder, encoder)

    async def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors, shape (len(texts), width)."""
        return await self._cache.embed(texts)


def without_model(settings: Settings) -> Settings:
    """The router decides by words alone: quick, and what serves where no model is installed."""
    return settings.model_copy(update={"model": Path("no-such-model.gguf")})


async def champion(settings: Settings) -> str | None:
    async with Database(settings.state_path, readers=1) as state:
        found = await Registry(state, settings.artefacts_path).champion("router", "head")
    return None if found is None else found.hash


async def test_good_feedback_is_learned_judged_and_promoted(learning_shop: Any) -> None:
    shop = learning_shop
    settings = without_model(shop.settings)
    rows = lines(SEED)
    base = await weak_head(rows[:120], None)
    shop.correct_routes([(row.text, row.label) for row in rows[200:400]], users=30)
    said: list[str] = []
    result = await RouterCycle(settings, base=base, say=said.append).run()
    assert result.status == "promoted" and result.gate is not None and result.artefact is not None
    assert result.gate["suites"][0]["n"] == len(core_cases()) and result.gate["suites"][0]["ci"][0] > 0
    assert await champion(settings) == result.artefact
    assert Path(str(result.report)).is_file() and len(said) == 3
    again = await RouterCycle(settings, base=base).run()
    # The champion has changed, the feedback has not: what was learned can't beat itself.
    assert again.status == "not_enough_evidence" and await champion(settings) == result.artefact


async def test_shuffled_labels_are_not_promoted(learning_shop: Any) -> None:
    shop = learning_shop
    rows = lines(SEED)[:200]
    labels = [row.label for row in rows]
    random.Random(SEED).shuffle(labels)
    shop.correct_routes([(row.text, label) for row, label in zip(rows, labels, strict=True)], users=30)
    result = await RouterCycle(without_model(shop.settings)).run()
    assert result.status == "rejected" and await champion(shop.settings) is None
    assert result.gate is not None and any(suite["regressed"] for suite in result.gate["suites"])


async def test_too_little_feedback_trains_nothing(learning_shop: Any) -> None:
    learning_shop.correct_routes([("a mat for yoga in the mountains", "recommendation")])
    result = await RouterCycle(without_model(learning_shop.settings)).run()
    assert result.status == "nothing_to_learn" and result.gate is None and result.run_id is None


@pytest.mark.parametrize("done", [(), ("train", "gate"), ("train", "gate", "register")])
async def test_a_killed_run_goes_on_behind_its_last_step(learning_shop: Any, done: tuple[str, ...]) -> None:
    shop = learning_shop
    settings = without_model(shop.settings)
    rows = lines(SEED)
    base = await weak_head(rows[:120], None)
    shop.correct_routes([(row.text, row.label) for row in rows[200:300]], users=30)
    first = await RouterCycle(settings, base=base).run()
    with closing(connect(settings.state_path)) as state:
        marks = ",".join("?" for _ in done)
        state.execute(f"DELETE FROM training_steps WHERE step NOT IN ({marks})", done)
        state.execute("UPDATE training_runs SET status = 'running', artefact = NULL, finished_at = NULL")
    if "register" not in done and first.status == "promoted":
        async with Database(settings.state_path, readers=1) as database:
            await Registry(database, settings.artefacts_path).rollback("router", "head")
    shop.correct_routes([(row.text, row.label) for row in rows[350:360]])  # feedback goes on meanwhile
    second = await RouterCycle(settings, base=base).run()
    assert (second.run_id, second.status, second.artefact) == (first.run_id, first.status, first.artefact)
    assert await champion(settings) == (first.artefact if first.status == "promoted" else None)


async def test_never_two_at_once(learning_shop: Any) -> None:
    with one_training(learning_shop.settings.data), pytest.raises(BusyError):
        await RouterCycle(learning_shop.settings).run()


async def test_training_again_gives_the_same_head() -> None:
    lessons = [Lesson(row.text, row.label, 1.0) for row in lines(SEED)[:60]]
    base = shipped_head().text_twin()
    one, two = [await fit(lessons, base, None, "0" * 64) for _ in range(2)]
    assert (one.weights.text == two.weights.text).all() and one.weights.text.shape == (4, BUCKETS)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("kind", ["shuffled", "true"])
@pytest.mark.parametrize("half", [0, 1])
async def test_the_gate_is_honest_over_twenty_cycles(
    kind: str, half: int, learning_shop: Any, encoder: TextEncoder, model_settings: Settings
) -> None:
    """Shuffled labels: no promotion in ten cycles. A true gain: at least eight; each twice over."""
    promoted = 0
    known = lines(SEED)[:800]
    kept = KeepingEncoder(encoder, model_settings.models_path)
    for number in range(10 * half, 10 * half + 10):
        rows = random.Random(number).sample(known, 500)
        told = rows[200:500]
        labels = [row.label for row in told]
        if kind == "shuffled":
            random.Random(number).shuffle(labels)
        # Half of the shuffled ones are up against the shipped head, half against a weak one that chance could better.
        base = None if kind == "shuffled" and number % 2 else await weak_head(rows[:150], kept)
        pairs = [(row.text, label) for row, label in zip(told, labels, strict=True)]
        result = await _cycle(learning_shop, model_settings, pairs, base, kept, f"{kind}{number}")
        promoted += result.status == "promoted"
    assert promoted == 0 if kind == "shuffled" else promoted >= 8


async def _cycle(
    shop: Any,
    model_settings: Settings,
    pairs: list[tuple[str, str]],
    base: LinearHead | None,
    encoder: TextEncoder,
    name: str,
) -> TrainResult:
    """One whole cycle in a data folder of its own."""
    data = shop.settings.data.parent / name
    data.mkdir()
    shutil.copy(shop.settings.catalogue_path, data / "shop.db")
    settings = model_settings.model_copy(update={"data": data})
    open_state(settings.state_path)
    own = type(shop)(settings)
    own.correct_routes(pairs, users=30)
    result = await RouterCycle(settings, base=base, encoder=encoder).run()
    assert result.gate is not None
    print(name, result.status, result.gate["suites"][0], result.gate["reason"], result.seconds, result.peak_mb)
    own.close()
    shutil.rmtree(data)
    return result


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
def test_kill_at_twenty_random_points_loses_nothing(part: int, learning_shop: Any) -> None:
    """kill -9 somewhere in the cycle, five times in each part; what goes on afterwards comes to the same end."""
    shop = learning_shop
    rows = lines(SEED)
    shop.correct_routes([(row.text, row.label) for row in rows[200:300]], users=30)
    settings = shop.settings
    environment = {
        **os.environ,
        "SHOPFLOOR_DATA": str(settings.data),
        "SHOPFLOOR_MODELS": str(settings.models_path),
        "SHOPFLOOR_MODEL": "no-such-model.gguf",
    }
    command = [sys.executable, "-m", "shopfloor", "train", "--agent", "router", "--learn", "head", "--json"]
    subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    # Once more: now the vectors of the package's own messages are there, as they will be for those to be killed.
    with closing(connect(settings.state_path)) as state:
        state.execute("DELETE FROM training_steps")
        state.execute("DELETE FROM training_runs")
    started = time.monotonic()
    reference = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    whole = time.monotonic() - started
    with closing(connect(settings.state_path)) as state:
        expected = state.execute("SELECT run_id, status, artefact FROM training_runs").fetchone()
    draw = random.Random(part)
    killed = 0
    for _ in range(5):
        with closing(connect(shop.settings.state_path)) as state:
            state.execute("DELETE FROM training_steps")
            state.execute("DELETE FROM training_runs")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(draw.uniform(0.2, whole))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        with closing(connect(shop.settings.state_path)) as state:
            found = state.execute("SELECT run_id, status, artefact FROM training_runs").fetchall()
            assert [tuple(row) for row in found] == [tuple(expected)]
            assert state.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert not list(shop.settings.data.rglob("*.part"))
    assert reference.stdout and killed >= 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("attack", ["a fifth", "half", "fresh accounts", "slow", "one user"])
async def test_poisoned_feedback_is_never_promoted(attack: str, learning_shop: Any) -> None:
    """Coordinated users say that wishes are stock questions, beside honest ones."""
    shop = learning_shop
    settings = without_model(shop.settings)
    rows = lines(SEED)
    honest = [(row.text, row.label) for row in rows[:160]]
    wishes = [row.text for row in rows[160:] if row.label == "recommendation"]
    lies = [(f"{text} please", "inventory") for text in wishes[: 40 if attack == "a fifth" else 160]]
    rounds = 4 if attack == "slow" else 1
    dataset = ""
    for number in range(rounds):
        part = slice(number, None, rounds)
        shop.correct_routes(honest[part], users=20, prefix="honest")
        users = {"fresh accounts": len(lies), "one user": 1}.get(attack, 8)
        shop.correct_routes(lies[part], users=users, prefix="bad")
        result = await RouterCycle(settings).run()
        dataset = str(result.dataset)
        print(attack, result.status, result.gate and result.gate["reason"])
        assert result.status in {"rejected", "not_enough_evidence"}, result.gate
    assert await champion(settings) is None
    turned_away = _turned_away(settings, dataset)
    print(attack, turned_away)
    if attack == "one user":
        assert turned_away["bad"] >= 140


def _turned_away(settings: Settings, dataset: str) -> dict[str, int]:
    """Reactions of honest and of bad users that the dataset left out."""
    drops = [
        json.loads(line) for line in (settings.data / "datasets" / dataset / "drops.jsonl").read_text().splitlines()
    ]
    with closing(connect(settings.state_path, read_only=True)) as state:
        owners = dict(state.execute("SELECT feedback_id, user_id FROM feedback").fetchall())
    names = [owners[drop["feedback_id"]] for drop in drops]
    return {kind: sum(name.startswith(kind) for name in names) for kind in ("honest", "bad")}
