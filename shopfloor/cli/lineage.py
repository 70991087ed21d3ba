"""``shopfloor lineage``: what an artefact was learned from, how it was judged, and what became of it."""

import asyncio
from typing import Annotated

import typer

LINEAGE_HELP = """Follow an artefact back: feedback, dataset, run, gate, decisions.

Example: shopfloor lineage 3fa9c1
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lineage", help=LINEAGE_HELP)(show)


def show(
    artefact: Annotated[str, typer.Argument(metavar="ARTEFACT", help="Its hash, or the first digits.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find and print."""
    from shopfloor.cli import print_json
    from shopfloor.finetune.lineage import lineage
    from shopfloor.settings import load_settings

    found = asyncio.run(lineage(load_settings(), artefact))
    if as_json:
        print_json(found.to_json())
        return
    one = found.artefact
    typer.echo(f"{one.kind} {one.hash[:12]} for {one.agent}: {one.state}, made {one.created[:19]}")
    if found.dataset is not None:
        gone = f" (erased {found.dataset['erased_at'][:10]})" if found.dataset["erased_at"] else ""
        typer.echo(
            f"  dataset {found.dataset['hash'][:12]}: {found.dataset['rows']} rows of {found.dataset['feedback']} reactions "
            f"and {found.dataset['turns']} turns by {found.dataset['users']} users{gone}"
        )
    if found.run is not None:
        typer.echo(f"  run {found.run.run_id}: {found.run.status.replace('_', ' ')}, started by {found.run.started_by}")
    if found.gate is not None:
        typer.echo(f"  gate: {found.gate['reason']}")
    for change in found.changes:
        typer.echo(f"  {change['at'][:19]} {change['action']}: {change['reason']}")
