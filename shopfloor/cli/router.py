"""``shopfloor router``: make the rows the router learns from, and train its head."""

from pathlib import Path
from typing import Annotated

import typer

ROWS_HELP = """Make the router's training rows anew; the same files give the same rows.

Example: shopfloor router rows --out rows.jsonl
"""
TRAIN_HELP = """Train the router's head on labelled messages (JSONL with text and label).

Without --rows it learns from the rows of the package; with --rows it goes on from there. Without --out it
becomes this shop's own head, in DATA/heads/router. Needs the extra `learn`.

Example: shopfloor router train --rows my_messages.jsonl
"""

ACTS_HELP = """Train the head that tells what a message does in a conversation (a new wish, a change, a stock question, …).

It learns from templates of the package and knows no shop's words. Needs the extra `learn`.

Example: shopfloor router acts --out head
"""


def register(app: typer.Typer) -> None:
    """Add the group ``router`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Train and inspect the local router.")
    group.command("rows", help=ROWS_HELP)(rows)
    group.command("train", help=TRAIN_HELP)(train)
    group.command("acts", help=ACTS_HELP)(acts)
    app.add_typer(group, name="router")


def rows(
    out: Annotated[Path | None, typer.Option(help="File to write; empty: only count.")] = None,
    withhold_from: Annotated[
        Path | None, typer.Option(help="Evaluation cases (JSONL with text): list our rows too near to one of them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Generate, write, count."""
    from collections import Counter

    from shopfloor.cli import print_json
    from shopfloor.evaluation.cases import load_cases
    from shopfloor.evaluation.suites.routing import RoutingCase
    from shopfloor.finetune.routing.rows import make_rows, too_near, write_rows

    made = make_rows()
    if out is not None:
        write_rows(made, out)
    counts: dict[str, int] = dict(Counter(row.label for row in made))
    near: list[str] = []
    if withhold_from is not None:
        near = list(too_near(made, [case.text for case in load_cases(withhold_from, RoutingCase)]))
    if as_json:
        print_json({"rows": len(made), "labels": counts, "too_near": near})
        return
    typer.echo(f"{len(made)} rows: {', '.join(f'{label} {count}' for label, count in sorted(counts.items()))}")
    if withhold_from is not None:
        typer.echo(f"{len(near)} of them are too near; hashes for withheld.txt:")
        typer.echo("\n".join(near))


def train(
    rows: Annotated[Path | None, typer.Option(help="Labelled messages; empty: the rows of the package.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the head; empty: DATA/heads/router.")] = None,
    text_only: Annotated[bool, typer.Option("--text-only", help="Learn from the words alone, not the model.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the calibration's folds.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the head's card.")] = False,
) -> None:
    """Embed the messages, fit, save."""
    import asyncio

    from shopfloor.cli import print_json
    from shopfloor.cli.evaluate import ProgressLine
    from shopfloor.finetune.routing.training import train_router
    from shopfloor.settings import load_settings

    settings = load_settings()
    folder = out or settings.data / "heads" / "router"
    with ProgressLine("router train") as line:
        head = asyncio.run(train_router(settings, rows, text_only=text_only, seed=seed, progress=line.update))
    head.save(folder)
    if as_json:
        print_json(head.card.model_dump())
        return
    figures = ", ".join(f"{name} {value}" for name, value in head.card.metrics.items())
    typer.echo(f"Trained on {head.card.rows} rows ({figures or 'too few rows to hold any out'}); saved in {folder}.")


def acts(
    out: Annotated[Path | None, typer.Option(help="Folder of the head; empty: only its figures.")] = None,
    withhold_from: Annotated[
        list[Path] | None,
        typer.Option(
            help="Dialogues (YAML) or messages (JSONL): list our rows too near to one of them. May be repeated."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the calibration's folds.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the head's card.")] = False,
) -> None:
    """Make the rows, fit, save."""
    from shopfloor.cli import print_json
    from shopfloor.finetune.acts.training import near_rows, train_acts

    if withhold_from:
        near = near_rows(withhold_from)
        typer.echo(f"{len(near)} rows are too near; hashes for withheld.txt:")
        typer.echo("\n".join(near))
        return
    head = train_acts(seed=seed)
    if out is not None:
        head.save(out)
    if as_json:
        print_json(head.card.model_dump())
        return
    figures = ", ".join(f"{name} {value}" for name, value in head.card.metrics.items())
    typer.echo(f"Trained on {head.card.rows} rows ({figures}){f'; saved in {out}' if out else ''}.")
