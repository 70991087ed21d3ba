"""``shopfloor simulate``: shoppers who use the real service for some days, and what it learns of them."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from shopfloor.settings import Settings
    from shopfloor.simulation.record import SimulationPlan
    from shopfloor.simulation.run import Listener

SHARES = {"learnable": 0.0, "noise": 0.0, "poisoned": 0.2}
HELP = """Play some days of a shop: simulated shoppers ask the real service and react, and it learns.

It serves a data folder of its own; the shop's own data is not touched. A report with intervals, a page and a plot are
written beside it. The same command over the same folder goes on where it was stopped.

\b
Worlds: learnable (reactions tell what was right), noise (they tell nothing), poisoned (--share of the visits by a ring
of dishonest accounts).

\b
Examples:
  shopfloor simulate --days 8
  shopfloor simulate --days 4 --world poisoned --share 0.5
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate", help=HELP)(simulate)


def simulate(
    days: Annotated[int, typer.Option(min=1, max=365, help="Days to play.")] = 8,
    shop: Annotated[
        Path | None, typer.Option(help="A shop's folder or database; its later orders are withheld. [the demo shop]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws shoppers, messages and reactions.")] = 0,
    folder: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Where everything of it lies. [DATA/simulations/WORLD-SEED]")
    ] = None,
    world: Annotated[str, typer.Option(help="learnable, noise or poisoned.")] = "learnable",
    share: Annotated[
        float | None,
        typer.Option(
            min=0, max=0.9, help="Of the visits: poisoned, by dishonest accounts [0.2]; noise, wrong corrections [0]."
        ),
    ] = None,
    visits: Annotated[int, typer.Option(min=1, max=2000, help="Visits a day.")] = 120,
    shoppers: Annotated[int, typer.Option(min=1, help="Customers who come back.")] = 80,
    withheld: Annotated[int, typer.Option(min=1, help="Shoppers who only measure.")] = 240,
    owner: Annotated[
        int | None,
        typer.Option(min=0, help="Corrections a day that the owner verifies. [12; 0 in the other worlds]"),
    ] = None,
    rollout: Annotated[str, typer.Option(help="direct, or shares of the users first.")] = "direct",
    learn: Annotated[
        str, typer.Option(help="head; auto: adapters too where they are worth it (much longer); lora: adapters alone.")
    ] = "head",
    every: Annotated[int, typer.Option(min=50, max=100, help="Usable new reactions that start a training.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Play, and report."""
    from shopfloor.cli import print_json
    from shopfloor.errors import InputError
    from shopfloor.settings import load_settings
    from shopfloor.simulation.behaviour import WORLDS
    from shopfloor.simulation.record import SimulationPlan

    if world not in WORLDS:
        raise InputError(f"--world {world}: choose {', '.join(WORLDS)}.", matches=WORLDS)
    if rollout not in ("direct", "shares"):
        raise InputError(f"--rollout {rollout}: choose direct or shares.", matches=("direct", "shares"))
    if learn not in ("head", "auto", "lora"):
        raise InputError(f"--learn {learn}: choose head, auto or lora.", matches=("head", "auto", "lora"))
    settings = load_settings()
    plan = SimulationPlan(
        days=days,
        world=world,
        seed=seed,
        shop="" if shop is None else str(shop.absolute()),
        visits=visits,
        shoppers=shoppers,
        withheld=withheld,
        share=SHARES[world] if share is None else share,
        owner=(12 if world == "learnable" else 0) if owner is None else owner,
        train_every=every,
        rollout=rollout,
        learn=learn,
    )
    name = f"{'shop-' if shop is not None else ''}{world}-{seed}"
    target = folder or settings.data / "simulations" / name
    report = _play(settings, plan, target)
    if as_json:
        print_json(report)
    else:
        _print(report, target)


def _play(settings: "Settings", plan: "SimulationPlan", folder: Path) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from shopfloor.simulation.run import Listener, Simulation

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("Starting", total=None)

        def say(text: str) -> None:
            shown.update(task, description=text)
            if not sys.stderr.isatty():
                typer.echo(f"{text} …", err=True)

        listener = Listener(
            begin=lambda units: shown.update(task, total=units), tick=lambda: shown.advance(task), say=say
        )
        return asyncio.run(_until_stopped(settings, plan, folder, listener, Simulation))


async def _until_stopped(
    settings: "Settings", plan: "SimulationPlan", folder: Path, listener: "Listener", kind: Any
) -> dict[str, Any]:
    """Run it as a task that SIGTERM cancels, so that the service it started never stays behind."""
    task = asyncio.ensure_future(kind(settings, plan, folder, listener).run())
    with suppress(NotImplementedError):  # no such handlers on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _print(report: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['days']} days: {report['conclusion']['words']}")
    for name in ("generation", "day", "feedback", "verdict", "routing", "to the start", "bought"):
        table.add_column(name, justify="left" if name == "verdict" else "right")
    for number, one in enumerate(report["generations"]):
        metrics: dict[str, float] = one["metrics"] or {}
        differences: dict[str, list[float]] = one["difference"] or {}
        gain = differences.get("routing")
        table.add_row(
            *(str(number), str(one["day"]), str(one["n_feedback"]), one["verdict"].replace("_", " ")),
            f"{metrics['routing']:.3f}" if metrics else "",
            f"{100 * gain[0]:+.1f} ({100 * gain[1]:+.1f} to {100 * gain[2]:+.1f})" if gain else "",
            f"{metrics['bought']:.3f}" if metrics else "",
        )
    first = report["generations"][0]
    for name, values in (("retrieval", first["baseline"]["retrieval"]), ("oracle", first["oracle"])):
        table.add_row("", "", "", name, f"{values['routing']:.3f}", "", f"{values['bought']:.3f}", style="dim")
    Console().print(table)
    print(report["conclusion"]["reason"])
    print(f"{report['requests']} requests, {report['failed_requests']} failed. Report: {folder / 'report.md'}")
