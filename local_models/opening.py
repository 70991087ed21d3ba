"""Opens the embedded model and its encoder as the settings say."""

import asyncio
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from shopfloor.local_models.adapter_file import check_fit, open_adapter
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.encoder import WINDOW_TOKENS, Encoder
from shopfloor.local_models.files import ModelFile, file_hash, find_embedded, find_model, open_model_file
from shopfloor.local_models.fit_budget import check_room, need_of, room_for_model
from shopfloor.local_models.fit_memory import Need, lays_out_anew
from shopfloor.local_models.fit_shapes import tensors_of
from shopfloor.local_models.forms import Recipe, derive
from shopfloor.local_models.gguf_file import GgufHeader, read_header
from shopfloor.local_models.llama_server import ServerOptions, usable_cores
from shopfloor.local_models.preparing import is_settled, prepared_form, start_in_background
from shopfloor.local_models.profiles import choose
from shopfloor.local_models.runtime import ModelInfo
from shopfloor.local_models.tune import apply_tuning, read_tuning
from shopfloor.settings import Settings

BATCH = 256
ENCODER_SLOTS = 1
"""One text at a time: texts of several slots share a batch, the library cuts them to equal lengths, and then the mean
is over a text's last piece alone (off by a fifth to more than the vector's own length)."""

ENCODER_THREADS = 1
"""A message is too short to share out: beside other work a second thread only waits for its turn, spinning."""


@dataclass(frozen=True, slots=True)
class _Choice:
    options: ServerOptions
    info: ModelInfo
    preparation: "subprocess.Popen[bytes] | None"
    adapters: dict[str, tuple[int, str]]


async def open_embedded(
    settings: Settings, adapter: Path | None = None, adapters: Adapters | None = None
) -> EmbeddedRuntime:
    """Load the embedded model, in its faster form when that is ready.

    Args:
        settings: which model, and how.
        adapter: a LoRA (GGUF) for every request.
        adapters: LoRAs by agent, for :meth:`EmbeddedRuntime.for_agent`; not beside ``adapter``.

    Raises:
        ModelMissingError: one of the files is absent, damaged or no model or adapter.
        ModelError: an adapter does not fit the model, or llama.cpp can't load them.
        ConfigError: memory does not hold it.
    """
    choice = await asyncio.to_thread(_choose, settings, adapter, adapters or {})
    return await EmbeddedRuntime.open(
        choice.options, choice.info, settings.model_timeout_s, choice.preparation, choice.adapters
    )


def _choose(settings: Settings, adapter_path: Path | None, adapters: Adapters) -> _Choice:
    chosen = choose(settings)
    folder = settings.models_path
    source = open_model_file(find_model(settings), folder)
    adapter = open_adapter(adapter_path) if adapter_path is not None else None
    for one in (*((adapter,) if adapter is not None else ()), *adapters.values()):
        check_fit(one, source.header, source.sha256)
    loaded = {one.identity: one.path for one in adapters.values()}
    places = list(loaded)
    form = served_form(source, settings)
    options, header = _options(source, settings, form)
    check_room(header, options, room_for_model(settings))
    options = replace(options, adapter=adapter_path, adapters=tuple(loaded.values()))
    preparation = None
    if form is None and settings.model_form == "auto" and not is_settled(source, folder):
        preparation = start_in_background(source, folder, options.threads)
    info = ModelInfo(
        name=source.name,
        source_hash=source.sha256,
        form_hash=file_hash(options.path, folder),
        quantisation=header.quantisation,
        runtime="embedded",
        profile=chosen.profile.name,
        licence=source.licence,
        context=settings.model_ctx,
        adapter=adapter.sha256 if adapter is not None else None,
    )
    by_agent = {agent: (places.index(one.identity), one.identity) for agent, one in adapters.items()}
    return _Choice(options, info, preparation, by_agent)


def model_need(settings: Settings) -> Need:
    """The memory that the embedded model takes as it would be opened now (blocking).

    Raises:
        ModelMissingError: the file is absent, damaged, or does not state its sizes.
    """
    source = open_model_file(find_model(settings), settings.models_path)
    options, header = _options(source, settings, served_form(source, settings))
    return need_of(header, options)


def served_form(source: ModelFile, settings: Settings) -> Path | None:
    """The faster form of a model that is served in its place; None: as shipped, by choice or as none is ready."""
    return prepared_form(source, settings.models_path) if settings.model_form != "shipped" else None


def _options(source: ModelFile, settings: Settings, form: Path | None) -> tuple[ServerOptions, GgufHeader]:
    """How to load a model, as tuned for this machine, and the header of the file to load."""
    threads = settings.model_threads or usable_cores()
    kv = choose(settings).profile.agents["recommendation"].kv
    options = ServerOptions(
        form or source.path,
        settings.model_ctx,
        settings.model_slots,
        threads,
        BATCH,
        kv=kv,
        flash="auto" if kv == "f16" else "on",  # the library keeps values in fewer bits under flash attention only
    )
    tuning = read_tuning(source, settings.models_path) if settings.model_form != "shipped" else None
    if tuning is not None:
        tuned = apply_tuning(options, tuning, source, settings.models_path)
        options = replace(tuned, threads=settings.model_threads or tuned.threads)
    header = read_header(options.path)
    return replace(options, copied=lays_out_anew(tensors_of(header))), header


async def open_shortened(settings: Settings, blocks: int) -> Encoder:
    """Load the first ``blocks`` blocks as an encoder."""
    options, digest, width = await asyncio.to_thread(_prepare_shortened, settings, blocks)
    return await Encoder.open(options, digest, width)


def _prepare_shortened(settings: Settings, blocks: int) -> tuple[ServerOptions, str, int]:
    find_model(settings)  # a setting that names no file is an error here as well
    source = open_model_file(find_embedded(settings), settings.models_path)
    recipe = Recipe(blocks)
    path = derive(source, recipe, settings.models_path)
    options = ServerOptions(path, WINDOW_TOKENS, ENCODER_SLOTS, ENCODER_THREADS, WINDOW_TOKENS)
    return options, recipe.identity(source), source.header.of_architecture("embedding_length")
