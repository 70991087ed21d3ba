"""Opens the embedded model and its encoder as the settings say."""

import asyncio

from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.encoder import WINDOW_TOKENS, Encoder
from shopfloor.local_models.files import ModelFile, file_hash, find_model, open_model_file
from shopfloor.local_models.forms import Recipe, derive
from shopfloor.local_models.llama_server import ServerOptions, usable_cores
from shopfloor.local_models.runtime import ModelInfo
from shopfloor.settings import Settings

BATCH = 256
ENCODER_SLOTS = 4


async def open_embedded(settings: Settings) -> EmbeddedRuntime:
    """Load the embedded model."""
    source, options, info = await asyncio.to_thread(_prepare, settings)
    del source
    return await EmbeddedRuntime.open(options, info, settings.model_timeout_s)


def _prepare(settings: Settings) -> tuple[ModelFile, ServerOptions, ModelInfo]:
    source = open_model_file(find_model(settings), settings.models_path)
    options = ServerOptions(
        source.path, settings.model_ctx, settings.model_slots, settings.model_threads or usable_cores(), BATCH
    )
    info = ModelInfo(
        name=source.name,
        source_hash=source.sha256,
        form_hash=source.sha256,
        quantisation=source.header.quantisation,
        runtime="embedded",
        profile="cpu",
        licence=source.licence,
        context=settings.model_ctx,
    )
    return source, options, info


async def open_shortened(settings: Settings, blocks: int) -> Encoder:
    """Load the first ``blocks`` blocks as an encoder."""
    options, digest, width = await asyncio.to_thread(_prepare_shortened, settings, blocks)
    return await Encoder.open(options, digest, width)


def _prepare_shortened(settings: Settings, blocks: int) -> tuple[ServerOptions, str, int]:
    source = open_model_file(find_model(settings), settings.models_path)
    path = derive(source, Recipe(blocks), settings.models_path)
    threads = settings.model_threads or usable_cores()
    options = ServerOptions(path, WINDOW_TOKENS, ENCODER_SLOTS, threads, WINDOW_TOKENS)
    return options, file_hash(path, settings.models_path), source.header.of_architecture("embedding_length")
