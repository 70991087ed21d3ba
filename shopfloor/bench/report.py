"""What a benchmark reports: the machine and one row a figure."""

import os
import platform
from collections.abc import Sequence

import numpy as np
import psutil
from pydantic import BaseModel

from shopfloor import __version__


class Machine(BaseModel):
    """Where the figures were taken; figures of two machines compare by their ratios alone."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    python: str
    version: str


class Row(BaseModel):
    """One figure. ``ratio`` is value / baseline; ``ci`` a 95 % bootstrap interval of the value."""

    id: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: str | None = None
    n: int = 1
    ci: tuple[float, float] | None = None


class BenchReport(BaseModel):
    """INTERFACES: ``bench --json``."""

    machine: Machine
    rows: list[Row]


def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    return Machine(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        system=platform.platform(),
        python=platform.python_version(),
        version=__version__,
    )


def quantile_rows(
    name: str, values: Sequence[float], unit: str, *, target: str | None = None, seed: int = 0
) -> list[Row]:
    """Rows for the median and the 95th percentile of ``values``, with bootstrap intervals."""
    sample = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).choice(sample, size=(1000, len(sample)))
    rows: list[Row] = []
    for label, level in (("p50", 50), ("p95", 95)):
        low, high = np.percentile(np.percentile(draws, level, axis=1), [2.5, 97.5])
        rows.append(
            Row(
                id=f"{name}_{label}",
                value=round(float(np.percentile(sample, level)), 2),
                unit=unit,
                target=target if label == "p50" else None,
                n=len(sample),
                ci=(round(float(low), 2), round(float(high), 2)),
            )
        )
    return rows


def against(row: Row, baseline: float) -> Row:
    """The same row with its ratio to ``baseline``."""
    return row.model_copy(update={"baseline": round(baseline, 2), "ratio": round(row.value / baseline, 3)})


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
