"""``shopfloor models``: get the embedded model, and see what is there."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shopfloor.cli import models_fit, models_tune, print_json
from shopfloor.errors import InputError, ModelMissingError
from shopfloor.settings import Settings, load_settings

if TYPE_CHECKING:
    from shopfloor.local_models.divergence import Verdict
    from shopfloor.local_models.files import ModelFile

ModelsFolder = Annotated[Path | None, typer.Option("--models", help="folder of model files (SHOPFLOOR_MODELS)")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    models = typer.Typer(no_args_is_help=True, help="Local models: get them, see them.")
    models.command("get", epilog="Example: shopfloor models get embedded")(get)
    models.command("pull", epilog="Example: shopfloor models pull smollm2:135m")(pull)
    models.command("list", epilog="Example: shopfloor models list --json")(show)
    models.command("fit", help=models_fit.FIT_HELP)(models_fit.fit)
    models.command("tune", help=models_tune.TUNE_HELP)(models_tune.tune)
    models.command("accept", help=models_fit.ACCEPT_HELP)(models_fit.accept)
    app.add_typer(models, name="models")


def get(
    name: Annotated[str, typer.Argument(help="which model: embedded")] = "embedded",
    force: Annotated[bool, typer.Option("--force", help="download again even if it is there")] = False,
    models: ModelsFolder = None,
    as_json: AsJson = False,
) -> None:
    """Get a model's file, and make its faster form. Says so, and downloads nothing, when it is there already."""
    from shopfloor.local_models.fetching import fetch_embedded
    from shopfloor.local_models.files import find_model, open_model_file

    if name != "embedded":
        raise InputError(
            f"there is no model {name!r} to get: use `shopfloor models get embedded`", matches=["embedded"]
        )
    settings = load_settings(models=models)
    downloaded = False
    try:
        if force:
            raise ModelMissingError("asked to get it again")
        source = open_model_file(find_model(settings), settings.models_path)
        _say(f"already there: {source.path}")
    except ModelMissingError:
        source = open_model_file(fetch_embedded(settings.models_path, _say), settings.models_path)
        downloaded = True
        _say(f"saved: {source.path}")
    verdict = _prepare(source, settings)
    if as_json:
        print_json({**_described(source, verdict), "downloaded": downloaded})


def pull(
    tag: Annotated[str | None, typer.Argument(help="Ollama's name of the model [the profile's]")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Ollama's address (SHOPFLOOR_MODEL_URL)")] = None,
    as_json: AsJson = False,
) -> None:
    """Let Ollama download a model, or both of the profile's, and show how far it is."""
    import asyncio

    from shopfloor.local_models.choosing import inventory_settings, ollama_model
    from shopfloor.local_models.profiles import choose

    settings = load_settings(runtime="ollama", model_name=tag, model_url=url)
    choice = choose(settings)
    model = ollama_model(settings, choice)
    own = inventory_settings(settings) if tag is None else None
    tags = [model.tag] if own is None else [model.tag, ollama_model(own, choice).tag]
    for each in tags:
        asyncio.run(_pull(model.url, each))
    if as_json:
        print_json({"runtime": "ollama", "model": model.tag, "models": tags, "url": model.url})
        return
    named = f"SHOPFLOOR_MODEL_NAME={tag}" if tag is not None else f"SHOPFLOOR_PROFILE={choice.profile.name}"
    _say(f"{' and '.join(tags)} there; serve with it: SHOPFLOOR_RUNTIME=ollama {named} shopfloor serve")


async def _pull(url: str, tag: str) -> None:
    from shopfloor.local_models.ollama import pull as pull_model

    progress, last = _progress(), ""
    async for part in pull_model(url, tag):
        if part.status != last:
            _say(part.status)
            last = part.status
        if progress is not None and part.share:
            progress(part.share)


def show(models: ModelsFolder = None, as_json: AsJson = False) -> None:
    """Show the model in use, its licence, and its faster form."""
    from shopfloor.local_models.divergence import read_verdict
    from shopfloor.local_models.files import find_model, open_model_file
    from shopfloor.local_models.forms import Recipe

    settings = load_settings(models=models)
    source = open_model_file(find_model(settings), settings.models_path)
    described = _described(source, read_verdict(Recipe().path(source, settings.models_path)))
    if as_json:
        print_json(described)
        return
    for key, value in described.items():
        typer.echo(f"{key:16} {value}")


def _prepare(source: "ModelFile", settings: Settings) -> "Verdict | None":
    from shopfloor.local_models import ENCODER_BLOCKS
    from shopfloor.local_models.forms import Recipe, derive
    from shopfloor.local_models.llama_server import usable_cores
    from shopfloor.local_models.preparing import is_settled, prepare

    derive(source, Recipe(ENCODER_BLOCKS), settings.models_path)
    if not is_settled(source, settings.models_path):
        _say("making and checking its faster form (some 10 s)")
    verdict = prepare(source, settings.models_path, settings.model_threads or usable_cores(), _progress())
    if verdict is not None:
        outcome = "in use" if verdict.accepted else "refused: the shipped form stays in use"
        _say(
            f"faster form: prompts {verdict.form_speed / verdict.source_speed:.1f} times as fast, "
            f"divergence {verdict.divergence:.4f}; {outcome}"
        )
    return verdict


def _described(source: "ModelFile", verdict: "Verdict | None") -> dict[str, object]:
    return {
        "model": source.name,
        "path": str(source.path),
        "sha256": source.sha256,
        "licence": source.licence,
        "architecture": source.header.architecture,
        "quantisation": source.header.quantisation,
        "faster_form": "none" if verdict is None else ("accepted" if verdict.accepted else "refused"),
        "divergence": None if verdict is None else round(verdict.divergence, 5),
    }


def _progress() -> "Callable[[float], None] | None":
    if not sys.stderr.isatty():
        return None
    return lambda share: typer.echo(f"\r{share:4.0%}" + ("\n" if share >= 1 else ""), nl=False, err=True)


def _say(text: str) -> None:
    typer.echo(text, err=True)
