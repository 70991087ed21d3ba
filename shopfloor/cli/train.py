"""``shopfloor train``: dataset, training, gate and promotion in one command."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shopfloor.finetune.cycle import TrainResult

TRAIN_HELP = """Learn from feedback: make the dataset, train, compare with what serves, and promote what wins.

A run that was killed goes on where it was; the same feedback is not learned twice. Needs the extra `learn`.

\b
Examples:
  shopfloor train --agent router
  shopfloor train --agent router --learn lora
  shopfloor train --install trl
"""
AGENTS = ("router",)
LOW_PRIORITY = 15


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", help=TRAIN_HELP)(train)


def train(
    agent: Annotated[str, typer.Option(help="What to train: router.")] = "",
    learn: Annotated[
        str | None,
        typer.Option(
            help="head: seconds; lora: an adapter, minutes; auto: the head, then an adapter if that gained nothing.",
            show_default="SHOPFLOOR_TRAIN_LEARN, else auto",
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Hardware profile to train for.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="Started by the service: low priority, and recorded as such.")
    ] = False,
    shares: Annotated[
        bool,
        typer.Option(
            "--shares", help="What wins is tried on a share of the users first, as the service's own trainings."
        ),
    ] = False,
    low_priority: Annotated[bool, typer.Option(help="Leave the processor to others where they want it.")] = False,
    trainer: Annotated[
        str | None, typer.Option(help="What trains an adapter: auto, plain (ours), trl, mlx or unsloth.")
    ] = None,
    install: Annotated[
        str | None, typer.Option(help="Make a trainer's environment in .venvs instead: hf, trl, unsloth or mlx.")
    ] = None,
    force: Annotated[bool, typer.Option(help="With --install: even where this machine lacks what it needs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run one cycle and report."""
    if install is not None:
        _install(install, force=force)
        return
    from shopfloor.cli import print_json
    from shopfloor.errors import InputError
    from shopfloor.finetune.router_learning import check_learn, learn_router
    from shopfloor.settings import load_settings

    if agent not in AGENTS:
        raise InputError(f"--agent {agent}: choose {', '.join(AGENTS)}.", matches=AGENTS)
    settings = load_settings(profile=profile, trainer=trainer)
    way = check_learn(learn or settings.train_learn)
    if (automatic or low_priority) and hasattr(os, "nice"):
        os.nice(LOW_PRIORITY)  # shoppers first
    started_by = "automatic" if automatic else "command"
    by_service = automatic or low_priority
    cautious = shares or (by_service and settings.rollout == "shares")
    cycle = learn_router(
        settings,
        way,
        started_by=started_by,
        seed=seed,
        shares=cautious,
        say=lambda text: typer.echo(f"{text} …", err=True),
    )
    result = asyncio.run(cycle)
    if as_json:
        print_json(result.to_json())
        return
    typer.echo(_summary(result))


def _install(name: str, *, force: bool) -> None:
    from shopfloor.errors import InputError
    from shopfloor.finetune.trainers.install import TRAINERS
    from shopfloor.finetune.trainers.install import install as make

    if name not in TRAINERS:
        raise InputError(f"--install {name}: choose {', '.join(TRAINERS)}.", matches=tuple(TRAINERS))
    make(TRAINERS[name], force=force, say=lambda text: typer.echo(text, err=True))


def _summary(result: "TrainResult") -> str:
    note = f"\n{result.note}" if result.note else ""
    words = result.status.replace("_", " ")
    if result.run_id is None:
        return f"There is too little to learn from yet: {result.rows} rows to train on.{note}"
    if result.gate is None:
        return f"Run {result.run_id} ({result.method}) on {result.rows} rows: {words}.{note}"
    reason = result.gate["reason"]
    return (
        f"Run {result.run_id} ({result.method}) on {result.rows} rows: {words}. {reason}\nReport: {result.report}{note}"
    )
