"""``shopfloor eval SUITE``: quality on a file of cases, with intervals, baselines and the failures to read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from shopfloor.evaluation.runner import EvalRequest, EvalRun

HELP = """Measure quality on a file of cases.

SUITE: routing, ranking, next-basket, requests, variants, product-qa, inventory, stores, chat, grounding,
explanations;
all: every suite that finds its cases in --data DIR, ships them or makes them.

Example: shopfloor eval routing --cases cases.jsonl --json
"""


def register(app: typer.Typer) -> None:
    """Add ``eval`` to the command line."""
    app.command("eval", help=HELP)(evaluate)


def evaluate(
    suite: Annotated[str, typer.Argument(help="The suite's name.")],
    cases: Annotated[Path | None, typer.Option(help="JSONL or YAML file of cases.")] = None,
    shop: Annotated[Path | None, typer.Option(help="Shop folder or database the cases are about.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of Markdown.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals and of random subsets.")] = 0,
    save: Annotated[Path | None, typer.Option(help="Folder for report.json, report.md and records.jsonl.")] = None,
    train: Annotated[
        Path | None, typer.Option(help="Cases to learn from (routing, ranking): a learning curve.")
    ] = None,
    sizes: Annotated[str, typer.Option(help="Sizes of the learning curve, e.g. 0,50,200,1000.")] = "",
    folds: Annotated[
        int, typer.Option(min=0, help="Also learn from the cases themselves, held out in N folds (routing).")
    ] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder to look for every suite's cases in (all).")] = None,
    requests: Annotated[
        int, typer.Option(min=1, help="How many requests to make (requests, grounding, explanations).")
    ] = 200,
    supervisor: Annotated[str | None, typer.Option(help="local or gemini (routing, chat).")] = None,
    runtime: Annotated[str | None, typer.Option(help="Another runtime for the local model.")] = None,
    adapter: Annotated[str | None, typer.Option(help="Adapter to evaluate, by its hash.")] = None,
    without: Annotated[
        str | None,
        typer.Option(
            help="Leave parts out, to see what they bring: facets,behaviour,words,popularity,copurchase,history,season (requests)."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Let the local model join: kind,meaning,score (requests).")] = None,
) -> None:
    """Parse, run, print."""
    import asyncio
    import sys

    from shopfloor.evaluation.registry import make_suite
    from shopfloor.evaluation.report import to_markdown
    from shopfloor.evaluation.runner import EvalRequest, run_suite
    from shopfloor.settings import load_settings

    options = {"supervisor": supervisor, "runtime": runtime, "adapter": adapter, "without": without, "model": model}
    request = EvalRequest(
        cases=cases,
        shop=shop,
        limit=limit,
        seed=seed,
        train=train,
        sizes=parse_sizes(sizes),
        folds=folds,
        requests=requests,
        options={name: value for name, value in options.items() if value is not None},
    )
    if suite == "all":
        _evaluate_all(request, data, save, as_json=as_json)
        return
    made = make_suite(suite)
    with ProgressLine(suite) as line:
        run = asyncio.run(run_suite(made, request, load_settings(), line.update))
    if save is not None:
        _save(save, run)
    sys.stdout.write(run.report.to_json() + "\n" if as_json else to_markdown(run.report, run.records))


def _evaluate_all(request: "EvalRequest", data: Path | None, save: Path | None, *, as_json: bool) -> None:
    """Every suite that there are cases for; exit code 1 when one failed."""
    import asyncio
    import sys

    from shopfloor.errors import InputError
    from shopfloor.evaluation.everything import all_to_markdown, find_all, run_all
    from shopfloor.settings import load_settings

    if request.cases is not None or request.train is not None or request.folds:
        raise InputError("eval all takes --data DIR; --cases, --train and --folds belong to one suite.")
    if data is not None and not data.is_dir():
        raise InputError(f"There is no folder {data}; check --data.")
    found = find_all(request, data)
    with ProgressLine("all") as line:
        reports = asyncio.run(
            run_all(
                found,
                load_settings(),
                progress=line.renamed,
                done=lambda name, run: _save(save / name, run) if save is not None else None,
            )
        )
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        (save / "report.json").write_text(reports.to_json() + "\n", encoding="utf-8")
        (save / "report.md").write_text(all_to_markdown(reports), encoding="utf-8")
    sys.stdout.write(reports.to_json() + "\n" if as_json else all_to_markdown(reports))
    if reports.failed:
        raise typer.Exit(1)


def parse_sizes(text: str) -> tuple[int, ...]:
    """``"0,50,200"`` as numbers.

    Raises:
        InputError: something between the commas is no whole number from 0 up.
    """
    from shopfloor.errors import InputError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--sizes {text}: give whole numbers with commas between, e.g. 0,50,200,1000.")
    return tuple(int(part) for part in parts)


class ProgressLine:
    """A progress bar on stderr; nothing where stderr is no terminal."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(f"eval {title}", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()

    def renamed(self, title: str) -> "Callable[[int, int], None]":
        """Start anew for another suite."""
        self._bar.reset(self._task, description=f"eval {title}", total=None)
        return self.update

    def update(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` cases are finished."""
        self._bar.update(self._task, completed=done, total=total)


def _save(folder: Path, run: "EvalRun") -> None:
    """Write report.json, report.md with all failures, and records.jsonl with every case."""
    from shopfloor.evaluation.report import to_markdown

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(run.report.to_json() + "\n", encoding="utf-8")
    (folder / "report.md").write_text(to_markdown(run.report, run.records, shown=10_000), encoding="utf-8")
    lines = "".join(record.model_dump_json() + "\n" for record in run.records)
    (folder / "records.jsonl").write_text(lines, encoding="utf-8")
    for name, text in run.files.items():
        (folder / name).write_text(text, encoding="utf-8")
