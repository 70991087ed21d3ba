"""The Mac profile's pair by its shapes: random weights in the exact sizes, loaded by the real runtime. "Same shape"."""

import os
from pathlib import Path

import pytest

from shopfloor.bench.shapes import MISSION, PAIR, pair_rows, qlora_rows
from shopfloor.finetune.trainers.install import find_python
from shopfloor.local_models.fit_measure import Job, Measured, measure_apart
from shopfloor.local_models.fit_memory import Load, lays_out_anew, serving_need
from shopfloor.local_models.fit_random import write_random
from shopfloor.local_models.fit_shapes import plan, shape_named
from shopfloor.local_models.llama_server import usable_cores
from shopfloor.local_models.profiles import find_profile

GIB = 2**30


def measured(folder: Path, label: str) -> tuple[Measured, int]:
    """What the shape takes when it is filled, and what was predicted."""
    _, name, form, context, kv = next(entry for entry in MISSION if entry[0] == label)
    shape = shape_named(name)
    assert shape is not None
    tensors = plan(shape, form)
    path = write_random(shape, form, folder / f"{label}.gguf")
    try:
        job = Job(
            str(path), context, 1, usable_cores(), kv=kv, flash="on", copied=lays_out_anew(tensors),
            prompt=64, answer=4, rounds=1, fill=False,
        )  # fmt: skip
        found = measure_apart(job)
    finally:
        path.unlink()
    return found, serving_need(shape, tensors, Load(context, 1, kv=kv)).total


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_mac_s_pair_and_the_service_stay_under_2_gb(tmp_path: Path, models_path: Path) -> None:
    for label in PAIR:
        found, predicted = measured(tmp_path, label)
        assert found.filled == pytest.approx(predicted, rel=0.10), label
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SHOPFLOOR_")},
        "SHOPFLOOR_MODELS": str(models_path),
    }
    memory, _ = await pair_rows(tmp_path, environment)
    assert memory.value * 1e6 < 2 * GIB
    assert find_profile("m1-8gb").budget.serving == 2 * GIB


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(find_python("hf") is None, reason="needs the environment made by `scripts/env.sh hf`")
def test_a_qlora_step_of_tinyllama_s_shape(tmp_path: Path) -> None:
    step, peak, _ = qlora_rows(tmp_path, tokens=32)  # refuses steps that learn nothing
    assert step.value > 0
    assert 1_000 < peak.value < 6_000


def test_the_shapes_are_those_of_the_profiles() -> None:
    """Name, form, context and key-value type as the profiles have them."""
    assignments = {
        assignment.model.name: assignment
        for name in ("m1-8gb", "rtx3060-6gb")
        for assignment in find_profile(name).agents.values()
    }
    for _, name, form, context, kv in MISSION:
        known = assignments[name]
        assert (known.model.quantisation, known.context, known.kv) == (form, context, kv)
