"""Our trainer against plain trl: the same rows a step, first weights, rates, epochs and bf16; trl with its own checkpointing.

Both start from nothing, so importing PyTorch counts on both sides. What they learned is judged on withheld rows.
"""

import asyncio
import json
import random
from pathlib import Path

from shopfloor.bench.report import Row, against
from shopfloor.bench.training_side import Side, SideRequest
from shopfloor.finetune.lora.environment import TrainingFailedError, run_module
from shopfloor.finetune.lora.job import LoraRecipe, TrainJob
from shopfloor.finetune.lora.training import plain_base
from shopfloor.finetune.routing.rows import shipped_rows
from shopfloor.finetune.trainers.install import python_of
from shopfloor.local_models.files import find_model
from shopfloor.settings import Settings

SAMPLES = 100
WITHHELD = 100
WORDS = {"recommendation": "product", "inventory": "stock", "both": "both", "supervisor": "other"}
INSTRUCTION = "Say which desk answers this customer: product, stock, both or other.\nCustomer: {text}"
END = "<|im_end|>"
RECIPE = LoraRecipe(batch=16, epochs=2, precision="bfloat16", max_tokens=256)
COMPARED = RECIPE.model_copy(update={"batch": 20})
"""Steps of 20 go evenly into 100 rows: both sides take as many steps, of the same rows."""
PARTS = ("importing", "loading", "tokenising", "forward", "backward", "optimiser", "saving")


async def training_rows(settings: Settings, folder: Path, samples: int = SAMPLES) -> list[Row]:
    """Every row of this module (some minutes). ``folder`` is the benchmark's own.

    Raises:
        ConfigError: the trainers' environment was not made.
        ModelError: the base can't be made ready.
    """
    python = python_of("hf")
    folder.mkdir(parents=True, exist_ok=True)
    base = await plain_base(python, find_model(settings), settings.models_path, folder / "base")
    train, withheld = await asyncio.to_thread(write_rows, folder, samples)
    sides: dict[str, Side] = {}
    losses: dict[str, float] = {}
    for side in ("plain", "trl"):
        job = TrainJob(base=base, examples=train, folder=folder / side, recipe=COMPARED)
        request = SideRequest(side="plain" if side == "plain" else "trl", job=job, target=folder / f"{side}.json")
        sides[side] = await _run(python, request)
        judge = SideRequest(
            side="loss", job=job, target=folder / f"{side}-loss.json", adapter=job.adapter, withheld=withheld
        )
        losses[side] = (await _run(python, judge)).loss
    return _rows(sides["plain"], sides["trl"], losses, samples)


def _rows(ours: Side, theirs: Side, losses: dict[str, float], samples: int) -> list[Row]:
    if ours.steps != theirs.steps:
        raise TrainingFailedError(f"the sides took {ours.steps} and {theirs.steps} steps: they can't be compared")
    rows = [
        against(Row(id="train_seconds", value=round(ours.total, 1), unit="s", n=samples, target="ratio <= 0.5"), theirs.total),
        against(Row(id="train_processor_seconds", value=round(ours.processor, 1), unit="s", n=samples), theirs.processor),
        against(Row(id="train_peak_mb", value=round(ours.peak_mb), unit="MB", n=samples, target="or ratio <= 0.6"), theirs.peak_mb),
        against(Row(id="train_withheld_loss", value=round(losses["plain"], 4), unit="nats", n=WITHHELD, target="ratio <= 1.01"), losses["trl"]),
    ]  # fmt: skip
    for part in PARTS:
        row = Row(id=f"train_{part}_s", value=round(float(getattr(ours, part)), 2), unit="s", n=1)
        rows.append(against(row, max(float(getattr(theirs, part)), 0.01)))
    return rows


async def _run(python: Path, request: SideRequest) -> Side:
    request.job.folder.mkdir(parents=True, exist_ok=True)
    path = request.target.with_suffix(".request.json")
    path.write_text(request.model_dump_json(), encoding="utf-8")
    async for _line in run_module(python, "shopfloor.bench.training_side", path):
        pass
    return Side.model_validate_json(request.target.read_text(encoding="utf-8"))


def write_rows(folder: Path, samples: int) -> tuple[Path, Path]:
    """Messages to route, as chat prompts, for training and withheld: evenly out of the shipped rows."""
    rows = shipped_rows()
    step = len(rows) // (samples + WITHHELD)
    taken = rows[: step * (samples + WITHHELD) : step]
    lines = [_line(row.text, WORDS[row.label]) for row in random.Random(0).sample(taken, len(taken))]
    parts = (("train", lines[:samples]), ("withheld", lines[samples:]))
    for name, part in parts:
        (folder / f"{name}.jsonl").write_text("\n".join(part), encoding="utf-8")
    return folder / "train.jsonl", folder / "withheld.jsonl"


def _line(text: str, word: str) -> str:
    asked = INSTRUCTION.format(text=text)
    prompt = f"<|im_start|>user\n{asked}{END}\n<|im_start|>assistant\n"
    return json.dumps({"prompt": prompt, "completion": word + END}, ensure_ascii=False)
