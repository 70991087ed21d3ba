"""``shopfloor import``: load a shop's files into the catalogue."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopfloor.errors import InputError

if TYPE_CHECKING:
    from shopfloor.store.importer import ImportOptions, ImportReport

ISSUES_SHOWN = 20

HELP = (
    "Load a shop's catalogue, stores, stock and history: a folder of CSV, JSONL or Parquet files (products, variants, "
    "stores, inventory, orders, order_items, interactions, review_ratings), one such file, or an SQLite database with "
    "tables of those names. Importing again updates. Rows that can't be used are listed with their line and reason.\n\n"
    "Example: shopfloor import ./myshop --map products.sku=ProductCode --currency GBP"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import", help=HELP)(import_command)


def import_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The shop's folder, file or SQLite database.")],
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="TABLE.FIELD=COLUMN", help="Where a field is, if its column has another name."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="DB", help="The catalogue database. [default: DATA/shop.db]")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The shop's name.")] = None,
    currency: Annotated[
        str | None,
        typer.Option("--currency", metavar="CODE", help="Its currency, e.g. EUR, where the files name none."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Empty the catalogue first, all in one step.")] = False,
    learn: Annotated[
        bool, typer.Option(help="Also choose, on the shop's own past, how to rank from behaviour (see doctor).")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Run one import and report it."""
    from shopfloor.cli import print_json
    from shopfloor.settings import load_settings
    from shopfloor.store.importer import ImportOptions
    from shopfloor.tools.recommendation.ways import keep_ways

    mapping = parse_mapping(columns or [])
    settings = load_settings()
    target = into if into is not None else settings.data / "shop.db"
    if into is None and settings.shop is not None:
        typer.echo(f"Note: SHOPFLOOR_SHOP is set: the service shows {settings.shop}, not this import.", err=True)
    report = _with_progress(path, target, mapping, ImportOptions(shop_name=name, currency=currency, replace=replace))
    ways = keep_ways(target) if learn else None
    if as_json:
        print_json({**report.to_json(), "behaviour": ways.summary() if ways is not None else None})
    else:
        _print_report(report)
        if ways is not None:
            typer.echo(f"From its past: {ways.words}.")


def parse_mapping(written: Sequence[str]) -> dict[str, str]:
    """``["products.sku=ProductCode"]`` as a mapping.

    Raises:
        InputError: one that is not of that form, or a field given twice.
    """
    mapping: dict[str, str] = {}
    for part in written:
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column or "." not in field:
            raise InputError(f"--map {part}: write it as TABLE.FIELD=COLUMN, e.g. products.sku=ProductCode.")
        if field in mapping:
            raise InputError(f"--map {field} is given twice.")
        mapping[field] = column
    return mapping


def _with_progress(path: Path, target: Path, mapping: dict[str, str], options: "ImportOptions") -> "ImportReport":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    from shopfloor.store.importer import import_shop

    tasks: dict[str, TaskID] = {}
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        return import_shop(path, target, mapping=mapping, progress=show, options=options)


def _print_report(report: "ImportReport") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table(title=escape(f"{report.shop_name}: {report.source} into {report.target}"), title_justify="left")
    table.add_column("file")
    for heading in ("read", "imported", "left out"):
        table.add_column(heading, justify="right")
    for file in report.files:
        table.add_row(escape(file.file), f"{file.read:,}", f"{file.imported:,}", f"{file.rejected:,}")
    console.print(table)
    there = ", ".join(f"{count:,} {name.replace('_', '-')}" for name, count in report.counts.items() if count)
    console.print(f"The catalogue now holds {there} (revision {report.revision}, {report.seconds:.1f} s).")
    for notice in report.notices:
        console.print(f"Note: {notice}", markup=False, highlight=False, soft_wrap=True)
    for issue in report.issues[:ISSUES_SHOWN]:
        kind = "changed" if issue.kept else "left out"
        console.print(
            f"{issue.file} line {issue.line}, {kind}: {issue.reason}", markup=False, highlight=False, soft_wrap=True
        )
    more = report.rejected + report.changed - min(len(report.issues), ISSUES_SHOWN)
    if more > 0:
        console.print(f"… and {more:,} more rows (--json lists up to 1,000).")
