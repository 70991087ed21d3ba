"""``forget --retrain``: what had learned from the user is made anew by the same cycles, an adapter too."""

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from shopfloor.cli import build_app
from shopfloor.finetune.forget import forget
from shopfloor.finetune.lora.job import LoraRecipe
from shopfloor.finetune.reteaching import Reteaching
from shopfloor.finetune.routing.rows import shipped_rows
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Manifest, Registry
from shopfloor.store.database import Database, connect
from tests.local_models.loras import write_lora

USER = "zephyrine"
PYTHON = Path(__file__).parents[2] / ".venvs/hf/bin/python"
TINY = LoraRecipe(rank=4, alpha=8, learning_rate=2e-3, batch=8, epochs=1)


async def adapter_of(shop: Any, settings: Settings, folder: Path) -> str:
    """An adapter that serves, and whose manifest says that it learned from the user."""
    said = shop.react(USER, shop.turn(USER, "peg check in oslo"), correction={"route": "inventory"})
    shop.close()
    shop.connection = None
    source = open_model_file(find_model(settings), settings.models_path)
    path = write_lora(folder / "adapter.gguf", source.header, seed=1, strength=0.0)
    manifest = Manifest(agent="router", kind="lora", source_hash=source.sha256, feedback=(said,))
    async with Database(settings.state_path, readers=1) as state:
        registry = Registry(state, settings.artefacts_path)
        name = await registry.add(manifest, {"adapter.gguf": path})
        await registry.activate(name)
    return name


def correct(shop: Any, count: int) -> None:
    rows = [row for row in shipped_rows() if row.source == "line"][:count]
    shop.correct_routes([(row.text, row.label) for row in rows], users=30)


async def test_without_a_trainer_it_says_so_and_the_user_is_gone(
    learning_shop: Any, models_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = learning_shop.settings.model_copy(update={"models": models_path})
    name = await adapter_of(learning_shop, settings, tmp_path)
    monkeypatch.setattr("shopfloor.finetune.trainers.install.root_folder", lambda: tmp_path)
    notes: list[str] = []
    gone = await forget(settings, USER, retrain=Reteaching(notes))
    assert gone.retired == (name,) and gone.retrained == ()
    (note,) = notes
    assert note.startswith("The router's adapter could not be made anew:") and "--install hf" in note
    with closing(connect(settings.state_path, read_only=True)) as state:
        assert state.execute("SELECT count(*) FROM feedback").fetchone()[0] == 0


async def test_what_nothing_learns_by_itself_is_only_retired(learning_shop: Any) -> None:
    notes: list[str] = []
    assert Reteaching(notes)(learning_shop.settings, "recommendation", "fusion") is None
    assert notes == ["The recommendation's ranking weights can't be made anew here: what came with the package serves."]


def test_the_command_gives_the_notes(
    learning_shop: Any, models_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = learning_shop.settings.model_copy(update={"models": models_path})
    asyncio.run(adapter_of(learning_shop, settings, tmp_path))
    monkeypatch.setenv("SHOPFLOOR_DATA", str(settings.data))
    monkeypatch.setenv("SHOPFLOOR_MODELS", str(models_path))
    monkeypatch.setattr("shopfloor.finetune.trainers.install.root_folder", lambda: tmp_path)
    done = CliRunner().invoke(build_app(), ["forget", USER, "--retrain", "--json"])
    said = json.loads(done.stdout)
    assert len(said["retired"]) == 1 and said["retrained"] == [] and "--install hf" in said["notes"][0]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not PYTHON.exists(), reason="needs the environment made by `shopfloor train --install hf`")
async def test_an_adapter_is_trained_anew_without_the_user(
    learning_shop: Any, models_path: Path, tmp_path: Path
) -> None:
    settings = learning_shop.settings.model_copy(update={"models": models_path})
    correct(learning_shop, 72)
    name = await adapter_of(learning_shop, settings, tmp_path)
    notes: list[str] = []
    gone = await forget(settings, USER, retrain=Reteaching(notes, print, lora=TINY, rehearsed=24))
    assert gone.retired == (name,) and len(gone.retrained) == 1, notes
    with closing(connect(settings.state_path, read_only=True)) as state:
        (run,) = state.execute("SELECT * FROM training_runs").fetchall()
        users = {row[0] for row in state.execute("SELECT DISTINCT user_id FROM dataset_sources")}
    assert (run["started_by"], run["artefact"]) == ("forget", gone.retrained[0]) and USER not in users
    assert json.loads(run["recipe"])["method"] == "lora"
    assert bool(notes) == (run["status"] != "promoted")
