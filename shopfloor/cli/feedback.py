"""``shopfloor feedback export|import|review``: what people said of the answers, and what the owner makes of corrections."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shopfloor.evaluation.corrections import OpenCorrection, OpenCorrections
    from shopfloor.store.feedback_files import ExportedFile, FeedbackImport
    from shopfloor.store.reviews import Verdict

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
REVIEW_HELP = """List shoppers' corrections of routes that nobody has looked at, or say what they are worth.

An accepted one counts as verified: it is learned from, or kept as a case of the gate. A refused one is neither. Whoever said
the same of the same words is included. An id may be shortened to its first digits.

\b
Examples:
  shopfloor feedback review
  shopfloor feedback review --accept 3f9a07 --refuse 81c2d4
"""


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        name="feedback", help="Export, import or review what people said of the answers.", no_args_is_help=True
    )
    group.command("export", help=EXPORT_HELP)(export_command)
    group.command("import", help=IMPORT_HELP)(import_command)
    group.command("review", help=REVIEW_HELP)(review_command)
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


def review_command(
    accept: Annotated[list[str] | None, typer.Option(metavar="ID", help="It is right; may be repeated.")] = None,
    refuse: Annotated[list[str] | None, typer.Option(metavar="ID", help="It is wrong; may be repeated.")] = None,
    most: Annotated[int, typer.Option(min=1, max=500, help="How many to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Review, or list."""
    from dataclasses import asdict

    from shopfloor.cli import print_json
    from shopfloor.settings import load_settings

    verdicts: list[tuple[str, Verdict]] = []
    verdicts.extend((name, "accepted") for name in accept or ())
    verdicts.extend((name, "refused") for name in refuse or ())
    reviewed, left = asyncio.run(_review(load_settings().state_path, verdicts, most))
    if as_json:
        shown = [asdict(one) for one in left.shown]
        done = [
            {"id": name, "verdict": verdict, "about": about}
            for (name, verdict), about in zip(verdicts, reviewed, strict=True)
        ]
        print_json({"reviewed": done, "waiting": left.waiting, "corrections": shown})
        return
    for (name, verdict), about in zip(verdicts, reviewed, strict=True):
        also = f", and {len(about) - 1} that say the same" if len(about) > 1 else ""
        print(f"{about[0][:12]} is {verdict}{also}." if about else f"{name} was {verdict} before.")
    if not verdicts:
        _print_open(left)


def _print_open(left: "OpenCorrections") -> None:
    for one in left.shown:
        print(f"{one.feedback_id[:12]}  {one.at[:16]}  {_taken(one)}; said to be {one.says}")
        print(f"    {one.text}")
    if not left.shown:
        print("No correction waits to be looked at.")
    elif left.waiting > len(left.shown):
        print(f"… and {left.waiting - len(left.shown)} more (--most; at most two of a user at once).")


def _taken(one: "OpenCorrection") -> str:
    sure = "" if one.confidence is None else f", {one.confidence:.0%} sure"
    agree = f"{one.users} people: " if one.users > 1 else ""
    return f"{agree}went to {one.decided or 'nobody'} ({one.decided_by or 'unknown'}{sure})"


async def _review(
    state_path: Path, verdicts: "list[tuple[str, Verdict]]", most: int
) -> "tuple[list[list[str]], OpenCorrections]":
    from shopfloor.evaluation.corrections import open_corrections, review
    from shopfloor.store.database import Database
    from shopfloor.store.migrations import open_state

    await asyncio.to_thread(open_state, state_path)
    async with Database(state_path, readers=1) as state:
        reviewed = await state.write(
            lambda connection: [review(connection, name, verdict, "command") for name, verdict in verdicts],
            durable=True,
        )
        return reviewed, await state.read(lambda connection: open_corrections(connection, most))


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
