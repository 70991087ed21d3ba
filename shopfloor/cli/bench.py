"""``shopfloor bench``: speed and memory on this machine."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from shopfloor.bench.report import BenchReport


PARTS = ("turns", "service", "retrieval", "model", "shapes", "swaps", "training", "train-serving")
HELP = """Measure speed and memory on this machine.

\b
Parts: turns (cards, words, what the graph adds), service (a served process), retrieval (large catalogues; minutes
at a million products), model (tuned against shipped, the service's chat against the bare library), shapes (the
profiles' models by size, random weights; minutes and 2.2 GB of disk), swaps (adapters changed under load; 25 times
--requests, some minutes), training (our trainer against plain trl; some minutes, wants `train --install trl`),
train-serving (what a training costs those who chat meanwhile; ten minutes, wants `train --install hf`).
Without --only: turns and service.

\b
Examples:
  shopfloor bench --requests 24
  shopfloor bench --only retrieval --sizes 3100,100000
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What to measure."""

    parts: tuple[str, ...]
    requests: int
    sizes: tuple[int, ...]
    data: Path | None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", help=HELP)(bench)


def bench(
    requests: int = typer.Option(40, min=4, help="Messages a figure, for each agent."),
    service: bool = typer.Option(True, help="Measure a served process too (start-up, memory, concurrent chats)."),
    only: list[str] = typer.Option([], help="Measure this part alone; may be given several times."),  # noqa: B008
    sizes: str = typer.Option("3100,100000,1000000", help="Products in the catalogues of retrieval."),
    data: Path | None = typer.Option(  # noqa: B008
        None, envvar="SHOPFLOOR_EVAL_DATA", help="Folder of evaluation data: more real products for retrieval."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Measure in a folder of its own: the shop's data is not touched."""
    from shopfloor.cli import print_json

    parts = tuple(only) or (("turns", "service") if service else ("turns",))
    measured = Measured(_known(parts), requests, _sizes(sizes), data)
    with TemporaryDirectory(prefix="shopfloor-bench-", ignore_cleanup_errors=True) as folder:
        report = asyncio.run(_measure(Path(folder), measured))
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report)


def _known(parts: tuple[str, ...]) -> tuple[str, ...]:
    from shopfloor.errors import InputError

    wrong = next((part for part in parts if part not in PARTS), None)
    if wrong is not None:
        raise InputError(f"There is no part {wrong!r} to measure; choose of {', '.join(PARTS)}.")
    return parts


def _sizes(text: str) -> tuple[int, ...]:
    from shopfloor.errors import InputError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) >= 100 for part in parts):
        raise InputError(f"--sizes {text}: give whole numbers from 100 up with commas between, e.g. 3100,100000.")
    return tuple(int(part) for part in parts)


async def _measure(folder: Path, measured: Measured) -> "BenchReport":
    import os

    from rich.console import Console

    from shopfloor.bench.report import BenchReport, Row, this_machine
    from shopfloor.bench.requests import build_workload
    from shopfloor.bench.service import service_rows
    from shopfloor.settings import load_settings
    from shopfloor.store.catalogue import ensure_catalogue
    from shopfloor.store.database import Database

    ordinary = await asyncio.to_thread(load_settings)
    settings = ordinary.model_copy(
        update={"data": folder / "turns", "models": ordinary.models_path, "google_api_key": None}
    )
    path = await asyncio.to_thread(ensure_catalogue, settings)
    async with Database(path) as catalogue:
        workload = await catalogue.read(lambda connection: build_workload(connection, size=measured.requests))
    status = Console(stderr=True)
    rows: list[Row] = []
    if "turns" in measured.parts:
        from shopfloor.bench.turn import turn_rows

        with status.status("Measuring turns ..."):
            rows.extend(await turn_rows(settings, workload))
    if "service" in measured.parts:
        with status.status("Measuring a served process ..."):
            environment = {**os.environ, "SHOPFLOOR_MODELS": str(settings.models_path.absolute())}
            texts = [*workload.recommendation, *workload.inventory]
            rows.extend(await service_rows(folder / "service", environment, texts))
    if "retrieval" in measured.parts:
        from shopfloor.bench.retrieval import retrieval_rows

        with status.status("Measuring retrieval ...") as shown:
            rows.extend(await retrieval_rows(folder, settings, measured.sizes, measured.data, shown.update))
    if "model" in measured.parts:
        from shopfloor.bench.models import model_rows

        with status.status("Measuring the model against what it is built on ..."):
            rows.extend(await model_rows(settings, max(6, measured.requests)))
    if "shapes" in measured.parts:
        from shopfloor.bench.shapes import pair_rows, qlora_rows, shape_rows

        with status.status("Measuring models of the same shapes (some minutes) ..."):
            rows.extend(await asyncio.to_thread(shape_rows, folder))
            environment = {**os.environ, "SHOPFLOOR_MODELS": str(settings.models_path.absolute())}
            rows.extend(await pair_rows(folder, environment))
            rows.extend(await asyncio.to_thread(qlora_rows, folder))
    if "swaps" in measured.parts:
        from shopfloor.bench.swaps import REQUESTS_EACH, Plan, swap_rows

        swaps = settings.model_copy(update={"data": folder / "swaps"})
        with status.status("Measuring changes of adapters under load (some minutes) ..."):
            rows.extend(await swap_rows(swaps, Plan(measured.requests * REQUESTS_EACH)))
    if "training" in measured.parts:
        from shopfloor.bench.training import training_rows

        with status.status("Measuring training against trl (some minutes) ..."):
            rows.extend(await training_rows(settings, folder / "training"))
    if "train-serving" in measured.parts:
        from shopfloor.bench.train_serving import train_serving_rows

        with status.status("Measuring a training beside a service (ten minutes) ..."):
            environment = {**os.environ, "SHOPFLOOR_MODELS": str(settings.models_path.absolute())}
            texts = [*workload.recommendation, *workload.inventory]
            rows.extend(await train_serving_rows(settings, folder / "train-serving", environment, texts))
    return BenchReport(machine=this_machine(), rows=rows)


def _print(report: "BenchReport") -> None:
    from rich.console import Console
    from rich.table import Table

    machine = report.machine
    table = Table(title=f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb} GB, Python {machine.python}")
    for name in ("figure", "value", "unit", "95 % interval", "n", "target", "ratio"):
        table.add_column(name, justify="left" if name in ("figure", "unit", "target") else "right")
    for row in report.rows:
        interval = f"{row.ci[0]:g} to {row.ci[1]:g}" if row.ci else ""
        table.add_row(
            row.id,
            f"{row.value:g}",
            row.unit,
            interval,
            str(row.n),
            row.target or "",
            f"{row.ratio:g} of {row.baseline:g}" if row.ratio is not None else "",
        )
    Console().print(table)
