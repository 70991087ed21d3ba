"""``shopfloor feedback export|import``: what people said of the answers, as one JSONL file an agent."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shopfloor.store.feedback_files import ExportedFile, FeedbackImport

ISSUES_SHOWN = 20

EXPORT_HELP = (
    "Write the feedback to FOLDER/AGENT.jsonl, one JSON object a line.\n\n"
    "Example: shopfloor feedback export --agent recommendation"
)
IMPORT_HELP = (
    "Read feedback from a .jsonl file or a folder of them. Importing again doubles nothing; lines that can't be used "
    "are listed with the reason.\n\n"
    "Example: shopfloor feedback import data/feedback"
)


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(name="feedback", help="Export or import what people said of the answers.", no_args_is_help=True)
    group.command("export", help=EXPORT_HELP)(export_command)
    group.command("import", help=IMPORT_HELP)(import_command)
    app.add_typer(group, name="feedback")


def export_command(
    folder: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to write. [default: DATA/feedback]")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent's feedback.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as one JSON object.")] = False,
) -> None:
    """Export and say what was written."""
    from shopfloor.cli import print_json
    from shopfloor.settings import load_settings

    settings = load_settings()
    files = asyncio.run(_export(settings.state_path, folder or settings.data / "feedback", agent))
    if as_json:
        print_json({"files": [{"agent": file.agent, "path": str(file.path), "rows": file.rows} for file in files]})
        return
    for file in files:
        print(f"{file.path}: {file.rows} rows")
    if not files:
        print("There is no feedback yet.")


def import_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A .jsonl file, or a folder of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Import and report."""
    from shopfloor.cli import print_json
    from shopfloor.settings import load_settings

    report = asyncio.run(_import(load_settings().state_path, path))
    if as_json:
        print_json(report.to_json())
        return
    print(
        f"{report.read} lines read: {report.added} added, {report.updated} updated, "
        f"{report.unchanged} there already, {report.rejected} left out."
    )
    for issue in report.issues[:ISSUES_SHOWN]:
        print(f"{issue.file} line {issue.line}: {issue.reason}")
    if report.rejected > ISSUES_SHOWN:
        print(f"… and {report.rejected - ISSUES_SHOWN} more (--json lists up to 1,000).")


async def _export(state_path: Path, folder: Path, agent: str | None) -> "list[ExportedFile]":
    from shopfloor.store.database import Database
    from shopfloor.store.feedback_files import export_feedback
    from shopfloor.store.migrations import open_state

    await asyncio.to_thread(open_state, state_path)
    async with Database(state_path, readers=1) as state:
        return await export_feedback(state, folder, agent=agent)


async def _import(state_path: Path, path: Path) -> "FeedbackImport":
    from shopfloor.store.database import Database
    from shopfloor.store.feedback_files import import_feedback
    from shopfloor.store.migrations import open_state

    await asyncio.to_thread(open_state, state_path)
    async with Database(state_path, readers=1) as state:
        return await import_feedback(state, path)
