"""``shopfloor replay``: what the loop makes of labelled messages, measured on those that it never saw."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

HELP = """Replay labelled messages as reactions: the real cycles learn from some, and are measured on the others.

Head and adapter each run their cycle, gate included, in a folder of their own; the shop's data is not touched. The same
command over the same folder goes on where it was stopped.

\b
Example:
  shopfloor replay --cases routing.jsonl --reactions 500 --folder replayed
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay", help=HELP)(replay)


def replay(
    cases: Annotated[Path, typer.Option(help="JSONL of text and label (a route).")],
    folder: Annotated[Path, typer.Option(help="Where everything of it lies.")],
    reactions: Annotated[int, typer.Option(min=0, help="Messages to react to; the others are withheld.")] = 500,
    seed: Annotated[int, typer.Option(help="Draws the messages; also the seed of the trainings.")] = 0,
    shuffled: Annotated[bool, typer.Option("--shuffled", help="Reactions that name routes by chance.")] = False,
    learn: Annotated[str, typer.Option(help="head, or both: the head and an adapter.")] = "both",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run and report."""
    import json

    from shopfloor.bench.train_replay import ReplayPlan
    from shopfloor.bench.train_replay import replay as run
    from shopfloor.cli import print_json
    from shopfloor.errors import InputError
    from shopfloor.settings import load_settings

    if learn not in ("head", "both"):
        raise InputError(f"--learn {learn}: choose head or both.", matches=("head", "both"))
    plan = ReplayPlan(cases, reactions, folder.absolute(), seed, shuffled, "head" if learn == "head" else "both")
    folder.mkdir(parents=True, exist_ok=True)
    report = asyncio.run(run(load_settings(), plan, lambda text: typer.echo(f"{text} …", err=True)))
    (folder / "report.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    if as_json:
        print_json(report)
        return
    for name, result in report["cycles"].items():
        reason = result["note"] if result["gate"] is None else result["gate"]["reason"]
        typer.echo(f"{name}: {result['status']} ({reason})")
    for title in ("accuracy", "gains"):
        for name, (value, low, high) in report[title].items():
            typer.echo(f"{title} {name}: {value:.3f} ({low:.3f} to {high:.3f})")
