"""The mission's models by their shapes: random weights in the exact architecture, sizes and quantisation.

Each file is written, measured in a process of its own as the service loads it, compared with what ``models fit``
predicts, and deleted. Rows are named "same shape": these are not the models, only their size and speed.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from shopfloor.bench.qlora_step import STEPS
from shopfloor.bench.report import Row, against
from shopfloor.bench.service import chat_once, resident_mb, served
from shopfloor.errors import ModelMissingError, ShopfloorError
from shopfloor.finetune.trainers.install import python_of
from shopfloor.local_models.fit_measure import Job, measure_apart
from shopfloor.local_models.fit_memory import Load, lays_out_anew, serving_need
from shopfloor.local_models.fit_random import write_random
from shopfloor.local_models.fit_shapes import Form, Shape, Tensor, plan, shape_named
from shopfloor.local_models.fit_speed import probe, speed_of
from shopfloor.local_models.llama_server import KvType, usable_cores
from shopfloor.tools.schemas import ModelStats

MISSION: tuple[tuple[str, str, Form, int, KvType], ...] = (
    ("tinyllama", "TinyLlama-1.1B-Chat", "Q4_0", 2048, "q8_0"),
    ("stablelm2", "StableLM-2-1.6B", "Q4_0", 1024, "q8_0"),
    ("gemma2b", "Gemma-2B-it", "Q4_0", 2048, "q8_0"),
    ("phi3mini", "Phi-3-mini-4k-instruct", "Q4_0", 1024, "q8_0"),
)
PAIR = ("tinyllama", "stablelm2")
PAIR_TURNS = ("something warm for the rain, please", "is the thingy for the hed in stock?", "a gift under 30 euros")
ROUNDS = 2
QLORA_TIMEOUT_S = 900
QLORA_TOKENS = 256


def shape_rows(folder: Path, wanted: Sequence[str] = ()) -> list[Row]:
    """Measure the shapes (blocking; some minutes and 2.2 GB of disk for all four).

    Args:
        folder: where the files are written while they are measured.
        wanted: names of the shapes; empty: all.
    """
    chosen = [entry for entry in MISSION if not wanted or entry[0] in wanted]
    kinds = {
        tensor.kind for _, name, form, _, _ in chosen for tensor in _planned(name, form)[1] if len(tensor.shape) > 1
    }
    rates = probe(kinds, usable_cores())
    rows: list[Row] = []
    for label, name, form, context, kv in chosen:
        shape, tensors = _planned(name, form)
        path = write_random(shape, form, folder / f"{label}.gguf")
        job = Job(
            str(path), context, 1, usable_cores(), kv=kv, flash="on", rounds=ROUNDS, copied=lays_out_anew(tensors)
        )
        try:
            found = measure_apart(job)
        finally:
            path.unlink()
        need = serving_need(shape, tensors, Load(context, 1, kv=kv))
        speed = speed_of(shape, tensors, rates)
        rows += [
            _row(
                f"same_shape_{label}_memory_mb", found.filled / 1e6, "MB", need.total / 1e6, "within 10 % of predicted"
            ),
            _row(
                f"same_shape_{label}_answer_tok_s", found.answer_speed, "1/s", speed.answer, "within 25 % of predicted"
            ),
            _row(
                f"same_shape_{label}_prompt_tok_s", found.prompt_speed, "1/s", speed.prompt, "within 25 % of predicted"
            ),
        ]
    if hasattr(os, "getloadavg"):  # how busy the machine was
        rows.append(Row(id="same_shape_load_average", value=round(os.getloadavg()[0], 1), unit="jobs"))
    return rows


async def pair_rows(folder: Path, environment: Mapping[str, str]) -> list[Row]:
    """The Mac profile's two models in one served process: its memory after turns in which both were asked.

    Args:
        folder: where the files are written while they are measured (1.6 GB), and the service's data.
        environment: of the process.
    """
    paths: list[Path] = []
    try:
        for label, name, form, _, _ in MISSION:
            if label in PAIR:
                shape = shape_named(name)
                assert shape is not None
                paths.append(await asyncio.to_thread(write_random, shape, form, folder / f"{label}.gguf"))
        settings = {
            "PROFILE": "m1-8gb", "RUNTIME": "embedded", "MODEL": str(paths[0]), "INVENTORY_MODEL": str(paths[1]),
            "MODEL_FORM": "shipped", "MODEL_SLOTS": "1", "MODEL_CTX": "1024", "MODEL_READING": "on",
            "EXPLANATIONS": "model", "MODEL_TIMEOUT_S": "60", "EXPLAIN_TIMEOUT_S": "30", "MODEL_READING_TIMEOUT_S": "30",
        }  # fmt: skip
        given = {**environment, **{f"SHOPFLOOR_{name}": value for name, value in settings.items()}}
        async with served(folder / "pair", given) as (base, process, seconds):
            async with httpx.AsyncClient(timeout=180) as client:
                for number, text in enumerate(PAIR_TURNS):
                    await chat_once(client, base, text, f"bench-{number}")
                stats = ModelStats.model_validate((await client.get(f"{base}/model-stats")).json())
            memory = resident_mb(process) * 2**20 / 1e6
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
    served_models = {agent.model for agent in stats.agents.values()}
    if len(served_models) != len(PAIR):
        raise ShopfloorError(f"Of the pair only {', '.join(served_models)} was served: run the part again.")
    return [
        Row(id="same_shape_m1_pair_mb", value=round(memory), unit="MB", target="< 2147 MB, service included"),
        Row(id="same_shape_m1_pair_start_s", value=round(seconds, 2), unit="s"),
    ]


def qlora_rows(folder: Path, tokens: int = QLORA_TOKENS) -> list[Row]:
    """A QLoRA step of TinyLlama's shape on one row, in the trainers' environment (blocking, minutes; 2.2 GB of disk).

    Raises:
        ConfigError: that environment was not made.
        ShopfloorError: a step failed.
    """
    python, base = python_of("hf"), folder / "qlora-base"
    try:
        _step(python, "write", base, tokens)
        found = json.loads(_step(python, "train", base, tokens).splitlines()[-1])
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if not found["last_loss"] < found["first_loss"]:
        raise ShopfloorError("The QLoRA steps learned nothing: the loss did not fall.")
    name = "same_shape_tinyllama_qlora"
    return [
        Row(id=f"{name}_step_s", value=round(found["step"], 2), unit="s", n=STEPS),
        Row(id=f"{name}_peak_mb", value=round(found["peak_mb"]), unit="MB"),
        Row(id=f"{name}_load_s", value=round(found["loading"], 1), unit="s"),
    ]


def _step(python: Path, what: str, base: Path, tokens: int) -> str:
    command = [str(python), "-m", "shopfloor.bench.qlora_step", what, str(base), str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=QLORA_TIMEOUT_S, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ShopfloorError(f"A QLoRA step could not be measured ({said[-1] if said else done.returncode}).")
    return done.stdout


def _planned(name: str, form: Form) -> tuple[Shape, tuple[Tensor, ...]]:
    shape = shape_named(name)
    if shape is None:
        raise ModelMissingError(f"there is no shape {name!r}: name one of the profiles' models")
    return shape, plan(shape, form)


def _row(name: str, value: float, unit: str, predicted: float, target: str) -> Row:
    return against(Row(id=name, value=round(value, 2), unit=unit, target=target, n=1), predicted)
