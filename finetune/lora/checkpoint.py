"""Keeps a run's state on disk so that kill -9 costs at most the steps since the last one. Safetensors, never pickle."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shopfloor.local_models.hf_files import library

STATE = "state.json"
TENSORS = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # of AdamW


class RunState(BaseModel):
    """How far a run had come."""

    step: int
    losses: list[float]
    tokens: int
    seconds: float
    fingerprint: str


def save(folder: Path, state: RunState, weights: Mapping[str, Any], optimiser: Any) -> None:
    """Write whole or not at all; the one before stays until the new one is there."""
    safetensors = library("safetensors.torch")
    part, target = folder / "checkpoint.part", folder / "checkpoint"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = {f"weight.{name}": value.detach().contiguous() for name, value in weights.items()}
    for name, value in weights.items():
        for moment, held in optimiser.state.get(value, {}).items():
            tensors[f"{moment}.{name}"] = held.detach().contiguous()
    safetensors.save_file(tensors, str(part / TENSORS))
    (part / STATE).write_text(state.model_dump_json(), encoding="utf-8")
    _flush(part)
    old = folder / "checkpoint.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(part, target)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path, fingerprint: str, weights: Mapping[str, Any], optimiser: Any) -> RunState | None:
    """Put the last whole state of the same run into weights and optimiser; None where there is none."""
    safetensors, torch = library("safetensors.torch"), library("torch")
    for name in ("checkpoint", "checkpoint.old"):
        path = folder / name
        if not (path / STATE).is_file():
            continue
        state = RunState.model_validate_json((path / STATE).read_text(encoding="utf-8"))
        if state.fingerprint != fingerprint:
            continue
        tensors = safetensors.load_file(str(path / TENSORS))
        with torch.no_grad():
            for key, value in weights.items():
                value.copy_(tensors[f"weight.{key}"])
                optimiser.state[value] = {moment: tensors[f"{moment}.{key}"] for moment in MOMENTS}
        return state
    return None


def remove(folder: Path, names: Sequence[str] = ("checkpoint", "checkpoint.old", "checkpoint.part")) -> None:
    """Drop the states of a finished run."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
