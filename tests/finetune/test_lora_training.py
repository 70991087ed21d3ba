"""Real training of the embedded model, tiny: it learns, it resumes to the same weights, and what it made serves the same."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shopfloor.errors import ArtefactRejectedError
from shopfloor.finetune.lora import convert as converting
from shopfloor.finetune.lora.checkpoint import STATE
from shopfloor.finetune.lora.convert import CONFIG, WEIGHTS, convert
from shopfloor.finetune.lora.job import SAID, Failed, Finished, LoraRecipe, Progress, TrainJob
from shopfloor.finetune.lora.parity import check_parity
from shopfloor.finetune.routing.rows import shipped_rows
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.hf_files import find_source
from shopfloor.settings import Settings

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("peft") is None, reason="needs the environment made by `scripts/env.sh hf`"
    ),
]

ANSWERS = {"recommendation": " product", "inventory": " stock", "both": " both", "supervisor": " other"}
RECIPE = LoraRecipe(rank=4, alpha=8, learning_rate=2e-3, batch=8, epochs=3)


@pytest.fixture(scope="module")
def settings(models_path: Path) -> Settings:
    return Settings(_env_file=None, models=models_path)  # pyright: ignore[reportCallIssue]


@pytest.fixture(scope="module")
def job(settings: Settings, models_path: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """32 messages to route, eight steps an epoch and a half."""
    folder = tmp_path_factory.mktemp("lora")
    rows = shipped_rows()[:: len(shipped_rows()) // 32][:32]
    lines = [{"prompt": f"Customer: {row.text}\nAbout:", "completion": ANSWERS[row.label]} for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    base = find_source(find_model(settings), "", models_path)
    return TrainJob(
        base=Path(base.location),
        examples=folder / "rows.jsonl",
        folder=folder / "run",
        labels=tuple(ANSWERS.values()),
        recipe=RECIPE,
        threads=2,
        checkpoint_every=2,
    )


def start(job: TrainJob) -> "subprocess.Popen[str]":
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "job.json").write_text(job.model_dump_json())
    command = [sys.executable, "-m", "shopfloor.finetune.lora.worker", str(job.folder / "job.json")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def finish(process: "subprocess.Popen[str]") -> list[Progress | Finished | Failed]:
    out, _ = process.communicate(timeout=400)
    return [SAID.validate_json(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
def trained(job: TrainJob) -> tuple[TrainJob, Finished]:
    process = start(job)
    said = finish(process)
    assert process.returncode == 0
    end = said[-1]
    assert isinstance(end, Finished)
    return job, end


def test_it_learns_and_says_how_far_it_is(trained: tuple[TrainJob, Finished]) -> None:
    job, end = trained
    assert end.steps == 12 and end.examples == 32 and end.left_out == 0
    assert end.loss < 1.2, "the loss among four labels begins near 1.4"
    assert 0 < end.memory_mb < 3000
    assert {path.name for path in job.adapter.iterdir()} >= {WEIGHTS, "adapter_config.json"}
    assert not (job.folder / "checkpoint").exists()


def test_killed_it_goes_on_to_the_very_same_weights(trained: tuple[TrainJob, Finished], tmp_path: Path) -> None:
    job, end = trained
    again = job.model_copy(update={"folder": tmp_path / "run"})
    process = start(again)
    assert process.stdout is not None
    for line in process.stdout:
        if '"step":7' in line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert (again.folder / "checkpoint" / STATE).is_file()
    resumed = start(again)
    said = finish(resumed)
    first, last = said[0], said[-1]
    assert isinstance(first, Progress) and first.step > 1, "it went on from the checkpoint"
    assert isinstance(last, Finished) and last.loss == pytest.approx(end.loss, abs=1e-6)
    from safetensors.numpy import load_file  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    one, other = (load_file(str(folder / "adapter" / WEIGHTS)) for folder in (job.folder, again.folder))
    for name in one:
        np.testing.assert_allclose(other[name], one[name], atol=1e-6)


def test_over_its_memory_it_ends_and_says_so(job: TrainJob, tmp_path: Path) -> None:
    process = start(job.model_copy(update={"folder": tmp_path / "run", "memory_limit_mb": 200}))
    said = finish(process)
    assert process.returncode == 75
    end = said[-1]
    assert isinstance(end, Failed) and "its limit is 200 MB" in end.reason


async def test_the_converted_adapter_says_what_the_trained_one_says(
    trained: tuple[TrainJob, Finished],
    settings: Settings,
    models_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, _ = trained
    base = find_model(settings)
    source = open_model_file(base, models_path).sha256
    prompts = [
        f"Customer: {text}\nAbout:" for text in ("is it in Oslo?", "a red scarf please", "hello there", "any boots")
    ]
    served = tmp_path / "adapter.gguf"
    convert(job.adapter, base, source, served)
    parity = await check_parity(Path(sys.executable), job.base, job.adapter, base, served, prompts, tmp_path)
    print(f"divergence {parity.base:.4f} without, {parity.adapter:.4f} with the adapter; worst {parity.worst:.4f}")
    assert parity.passed
    # A few steps change little; made eight times as strong, a wrong order of rows shows beyond doubt.
    strong = tmp_path / "strong"
    shutil.copytree(job.adapter, strong)
    config = json.loads((strong / CONFIG).read_text())
    (strong / CONFIG).write_text(json.dumps(config | {"lora_alpha": 8 * config["lora_alpha"]}))
    monkeypatch.setattr(converting, "INTERLEAVED", {})
    convert(strong, base, source, served)
    with pytest.raises(ArtefactRejectedError, match="layer"):
        await check_parity(Path(sys.executable), job.base, strong, base, served, prompts, tmp_path)
