"""``shopfloor bench``: speed and memory on this machine."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from shopfloor.bench.report import BenchReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", help="Measure speed and memory on this machine.\n\nExample: shopfloor bench --requests 24")(
        bench
    )


def bench(
    requests: int = typer.Option(40, min=4, help="Messages a figure, for each agent."),
    service: bool = typer.Option(True, help="Measure a served process too (start-up, memory, concurrent chats)."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Measure in a folder of its own: the shop's data is not touched."""
    from shopfloor.cli import print_json

    with TemporaryDirectory(prefix="shopfloor-bench-") as folder:
        report = asyncio.run(_measure(Path(folder), requests, service))
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report)


async def _measure(folder: Path, requests: int, service: bool) -> "BenchReport":
    import os

    from rich.console import Console

    from shopfloor.bench.report import BenchReport, this_machine
    from shopfloor.bench.requests import build_workload
    from shopfloor.bench.service import service_rows
    from shopfloor.bench.turn import turn_rows
    from shopfloor.settings import load_settings
    from shopfloor.store.catalogue import ensure_catalogue
    from shopfloor.store.database import Database

    ordinary = await asyncio.to_thread(load_settings)
    settings = ordinary.model_copy(
        update={"data": folder / "turns", "models": ordinary.models_path, "google_api_key": None}
    )
    path = await asyncio.to_thread(ensure_catalogue, settings)
    async with Database(path) as catalogue:
        workload = await catalogue.read(lambda connection: build_workload(connection, size=requests))
    status = Console(stderr=True)
    with status.status("Measuring turns ..."):
        rows = await turn_rows(settings, workload)
    if service:
        with status.status("Measuring a served process ..."):
            environment = {**os.environ, "SHOPFLOOR_MODELS": str(settings.models_path.absolute())}
            texts = [*workload.recommendation, *workload.inventory]
            rows.extend(await service_rows(folder / "service", environment, texts))
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
