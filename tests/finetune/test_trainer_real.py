"""The other trainers on the embedded model: some steps, an adapter, its GGUF, and the serving runtime says the same."""

import importlib.util
import json
from pathlib import Path

import pytest

from shopfloor.finetune.lora.convert import convert
from shopfloor.finetune.lora.job import Finished, LoraRecipe, Progress, TrainJob
from shopfloor.finetune.lora.parity import check_parity
from shopfloor.finetune.lora.training import plain_base
from shopfloor.finetune.routing.rows import shipped_rows
from shopfloor.finetune.trainers.install import find_python, missing
from shopfloor.finetune.trainers.running import TRAINERS, TrainerName, start
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.mlx_files import find_source as find_mlx_source
from shopfloor.settings import Settings

ROOT = Path(__file__).parents[2]
ANSWERS = {"recommendation": " product", "inventory": " stock", "both": " both", "supervisor": " other"}
RECIPE = LoraRecipe(rank=4, alpha=8, learning_rate=2e-3, batch=8, epochs=4)
FEW = RECIPE.model_copy(update={"batch": 4, "epochs": 1})  # half learned, it would differ more by the base's form
RECIPES = {"mlx": RECIPE, "trl": FEW, "unsloth": FEW}
HF = find_python("hf", ROOT)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def reason_not_to(name: TrainerName) -> str | None:
    """Why a trainer can't run here; None where it can."""
    environment = TRAINERS[name].environment
    lack = missing(environment)
    if lack is None and find_python(environment, ROOT) is None:
        lack = f"needs the environment made by `shopfloor train --install {environment}`"
    return lack or (None if HF else "needs the environment made by `scripts/env.sh hf`")


@pytest.mark.parametrize("name", ["trl", "mlx", "unsloth"])
async def test_it_trains_the_embedded_model(
    name: TrainerName, tmp_path: Path, models_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack = reason_not_to(name)
    if lack is not None or HF is None:
        pytest.skip(lack or "no environment")
    monkeypatch.chdir(ROOT)
    trainer = TRAINERS[name]
    model = find_model(Settings(_env_file=None, models=models_path))  # pyright: ignore[reportCallIssue]
    plain = await plain_base(HF, model, models_path, tmp_path / "work")
    base = Path(find_mlx_source(model, "", models_path).location) if trainer.base == "mlx" else plain
    job = job_of(tmp_path, base, RECIPES[name])
    said = [one async for one in start(trainer, job)]
    first, end = said[0], said[-1]
    assert isinstance(first, Progress) and isinstance(end, Finished)
    print(f"{name}: loss {first.loss:.2f} -> {end.loss:.2f}, {end.seconds:.1f} s, {end.memory_mb:.0f} MB")
    assert end.steps == round(16 * job.recipe.epochs / job.recipe.batch) and end.examples == 16 and end.left_out == 0
    assert end.loss < 0.8 * first.loss, "it learns"
    served = tmp_path / "adapter.gguf"
    convert(job.adapter, model, open_model_file(model, models_path).sha256, served)
    prompts = [f"Customer: {text}\nAbout:" for text in ("is it in Oslo?", "a red scarf please", "any boots")]
    parity = await check_parity(HF, plain, job.adapter, model, served, prompts, tmp_path)
    print(f"divergence {parity.base:.4f} without, {parity.adapter:.4f} with the adapter")
    assert parity.passed


def job_of(folder: Path, base: Path, recipe: LoraRecipe) -> TrainJob:
    rows = shipped_rows()[:: len(shipped_rows()) // 16][:16]
    lines = [{"prompt": f"Customer: {row.text}\nAbout:", "completion": ANSWERS[row.label]} for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return TrainJob(
        base=base, examples=folder / "rows.jsonl", folder=folder / "run", recipe=recipe, threads=2, checkpoint_every=3
    )


def test_every_trainer_is_a_module() -> None:
    for trainer in TRAINERS.values():
        assert importlib.util.find_spec(trainer.module) is not None
