"""``shopfloor models tune``: find the fastest form of the model and the best way to load it on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopfloor.cli import print_json
from shopfloor.settings import load_settings

if TYPE_CHECKING:
    from shopfloor.local_models.tune import Tried, Tuning

TUNE_HELP = """Find the fastest form of the embedded model on this machine that says the same, and how best to load it.

Takes some minutes; the service uses what was found from its next start on.

\b
Examples:
  shopfloor models tune
  shopfloor models tune --force --json
"""


def tune(
    force: Annotated[bool, typer.Option("--force", help="try again even if it was done on this machine")] = False,
    models: Annotated[Path | None, typer.Option("--models", help="folder of model files (SHOPFLOOR_MODELS)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Says so, and measures nothing, when it was done already."""
    from shopfloor.local_models.files import find_model, open_model_file
    from shopfloor.local_models.tune import read_tuning
    from shopfloor.local_models.tune import tune as find_best

    settings = load_settings(models=models)
    source = open_model_file(find_model(settings), settings.models_path)
    tuning = None if force else read_tuning(source, settings.models_path)
    tried: tuple[Tried, ...] = ()
    if tuning is None:
        tuning, tried = find_best(source, settings.models_path, threads=settings.model_threads, say=_say)
    else:
        _say("already tuned for this file on this machine; --force does it again")
    if as_json:
        print_json({"model": source.name, **asdict(tuning), "tried": [_as_json(one) for one in tried]})
        return
    typer.echo(_sentence(tuning))


def _sentence(tuning: "Tuning") -> str:
    gained = (
        f"prompts {tuning.prompt_gain:.2f} times and answers {tuning.answer_gain:.2f} times as fast as the shipped file"
    )
    return (
        f"In use from the next start: form {tuning.form}, {tuning.threads} threads, batch {tuning.batch}, "
        f"flash attention {tuning.flash}, keys and values in {tuning.kv}: {gained}, divergence {tuning.divergence:.4f}."
    )


def _as_json(tried: "Tried") -> dict[str, object]:
    return {
        "name": tried.name,
        "divergence": round(tried.divergence, 5),
        "same_top": round(tried.same_top, 3),
        "prompt_gain": round(tried.prompt_gain, 3),
        "answer_gain": round(tried.answer_gain, 3),
        "kept": tried.kept,
        "reason": tried.reason,
    }


def _say(text: str) -> None:
    typer.echo(text, err=True)
