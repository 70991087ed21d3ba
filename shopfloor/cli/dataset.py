"""``shopfloor dataset build``: rows to learn from, out of what people said of the answers."""

from typing import Annotated

import typer

BUILD_HELP = """Make an agent's training data from traces and feedback, in DATA/datasets/HASH.

Every row is checked against the shop's database and scrubbed of personal data; every reaction that is left out is
listed with the reason in drops.jsonl. The same reactions give the same hash.

Example: shopfloor dataset build --agent router
"""


def register(app: typer.Typer) -> None:
    """Add the group ``dataset`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Make training data from what people said of the answers.")
    group.callback()(_group)
    group.command("build", help=BUILD_HELP)(build)
    app.add_typer(group, name="dataset")


def _group() -> None:
    """Keeps ``build`` a subcommand although it is the only one."""


def build(
    agent: Annotated[str, typer.Option(help="recommendation, inventory or router.")],
    profile: Annotated[str | None, typer.Option(help="Hardware profile whose trainer will read it.")] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="messages, completion, text, kto, dpo or ranking; empty: the profile's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Build and report."""
    from shopfloor.cli import print_json
    from shopfloor.finetune.datasets.formats import check_format
    from shopfloor.finetune.datasets.opening import open_and_build
    from shopfloor.finetune.datasets.rows import check_agent
    from shopfloor.settings import load_settings

    settings = load_settings(profile=profile)
    built = open_and_build(settings, check_agent(agent), check_format(form) if form else None)
    if as_json:
        print_json(built.to_json())
        return
    parts = ", ".join(f"{name} {count}" for name, count in built.counts.items())
    typer.echo(f"{len(built.rows)} rows ({parts}) in {built.folder}")
    if built.held_out:
        typer.echo(f"{built.held_out} verified reactions are kept for the gate.")
    for reason, count in built.reasons.items():
        typer.echo(f"  left out {count}: {reason.replace('_', ' ')}")
