"""The mission's models by their shapes: random weights in the exact architecture, sizes and quantisation.

Each file is written, measured in a process of its own as the service loads it, compared with what ``models fit``
predicts, and deleted. Rows are named "same shape": these are not the models, only their size and speed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from shopfloor.bench.report import Row, against
from shopfloor.errors import ModelMissingError
from shopfloor.local_models.fit_measure import Job, measure_apart
from shopfloor.local_models.fit_memory import Load, lays_out_anew, serving_need
from shopfloor.local_models.fit_random import write_random
from shopfloor.local_models.fit_shapes import Form, Shape, Tensor, plan, shape_named
from shopfloor.local_models.fit_speed import probe, speed_of
from shopfloor.local_models.llama_server import KvType, usable_cores

MISSION: tuple[tuple[str, str, Form, int, KvType], ...] = (
    ("tinyllama", "TinyLlama-1.1B-Chat", "Q4_0", 2048, "q8_0"),
    ("stablelm2", "StableLM-2-1.6B", "Q4_0", 1024, "q8_0"),
    ("gemma2b", "Gemma-2B-it", "Q4_0", 2048, "q8_0"),
    ("phi3mini", "Phi-3-mini-4k-instruct", "Q4_0", 1024, "q8_0"),
)
PAIR = ("tinyllama", "stablelm2")
ROUNDS = 2


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
    together = 0
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
        together += found.filled if label in PAIR else 0
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
    if {label for label, *_ in chosen} >= set(PAIR):
        target = "< 2147 MB with the service"
        rows.append(Row(id="same_shape_m1_pair_mb", value=round(together / 1e6), unit="MB", target=target))
    if hasattr(os, "getloadavg"):  # how busy the machine was
        rows.append(Row(id="same_shape_load_average", value=round(os.getloadavg()[0], 1), unit="jobs"))
    return rows


def _planned(name: str, form: Form) -> tuple[Shape, tuple[Tensor, ...]]:
    shape = shape_named(name)
    if shape is None:
        raise ModelMissingError(f"there is no shape {name!r}: name one of the profiles' models")
    return shape, plan(shape, form)


def _row(name: str, value: float, unit: str, predicted: float, target: str) -> Row:
    return against(Row(id=name, value=round(value, 2), unit=unit, target=target, n=1), predicted)
