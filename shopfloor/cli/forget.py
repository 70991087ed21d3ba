"""``shopfloor forget``: erase a user and what was learned from them."""

import asyncio
from typing import Annotated

import typer

FORGET_HELP = """Erase a user: conversations, traces, feedback, datasets, and what was learned from them.

What was trained on the user's words goes out of service at once and its files are deleted; --retrain makes a new one
without them (SHOPFLOOR_FORGET_POLICY sets which is done by default). Works beside a running service.

Example: shopfloor forget user_123
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget", help=FORGET_HELP)(erase)


def erase(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id.")],
    retrain: Annotated[
        bool | None, typer.Option("--retrain/--retire", help="What becomes of what was learned; empty: the setting.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Erase and report."""
    from shopfloor.cli import print_json
    from shopfloor.finetune.forget import forget
    from shopfloor.finetune.reteaching import Reteaching
    from shopfloor.settings import load_settings

    settings = load_settings()
    again = settings.forget_policy == "retrain" if retrain is None else retrain
    notes: list[str] = []
    teach = Reteaching(notes, lambda text: typer.echo(f"{text} …", err=True))
    gone = asyncio.run(forget(settings, user, retrain=teach if again else None))
    if as_json:
        print_json({**gone.to_json(), "notes": notes})
        return
    typer.echo(f"{gone.rows} rows and {gone.files} files are gone.")
    for name in gone.retired:
        typer.echo(f"  retired and deleted: {name[:12]}")
    for name in gone.retrained:
        typer.echo(f"  made anew: {name[:12]}")
    for note in notes:
        typer.echo(f"  {note}")
