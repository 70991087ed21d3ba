"""Opens the runtime that the settings and the profile ask for."""

from typing import TYPE_CHECKING

from shopfloor.errors import ConfigError
from shopfloor.local_models.licences import accepted_licences
from shopfloor.local_models.profiles import Choice, choose, choose_model
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings

if TYPE_CHECKING:
    from shopfloor.local_models.ollama import OllamaModel


def inventory_settings(settings: Settings) -> Settings | None:
    """The settings as the inventory agent's own model is opened by them, or None where both agents share one.

    It has one of its own where ``inventory_model`` or ``inventory_model_name`` names it, or where the profile names
    two and none was named by hand.

    Raises:
        ConfigError: the profile has no model for the runtime.
    """
    own = {"inventory_model": None, "inventory_model_name": None}
    if settings.inventory_model is not None:
        return settings.model_copy(update={**own, "model": settings.inventory_model, "model_name": None})
    choice = choose(settings)
    name = settings.inventory_model_name
    if name is None and settings.model is None and settings.model_name is None and choice.profile.name != "cpu":
        if choice.runtime in ("embedded", "llama-cpp", "openai"):  # these serve the files and names they are given
            return None
        accepted = accepted_licences(settings)
        first = choose_model(choice, "recommendation", accepted)[1]
        name = choose_model(choice, "inventory", accepted)[1]
        name = None if name == first else name
    if name is None:
        return None
    return settings.model_copy(update={**own, "model": None, "model_name": name})


async def open_chosen(settings: Settings) -> Runtime:
    """Open it; libraries are imported only for the runtime that is chosen.

    Raises:
        ConfigError: the runtime needs a library or a setting that is not there.
        ModelError: the model is missing, can't be loaded, or its server does not answer.
    """
    choice = choose(settings)
    match choice.runtime:
        case "embedded":
            from shopfloor.local_models.opening import open_embedded

            return await open_embedded(settings)
        case "openai":
            return await _open_openai(settings, choice)
        case "ollama":
            return await _open_ollama(settings, choice)
        case "hf":
            return await _open_hf(settings, choice)
        case "llama-cpp":
            from shopfloor.local_models.llama_cpp import open_llama_cpp

            return await open_llama_cpp(settings, choice.profile.name)
        case "mlx":
            return await _open_mlx(settings, choice)


async def _open_hf(settings: Settings, choice: Choice) -> Runtime:
    from shopfloor.local_models.files import find_model
    from shopfloor.local_models.hf import HfOptions, HfRuntime
    from shopfloor.local_models.llama_server import usable_cores

    embedded = choice.profile.name == "cpu" and settings.model_name is None  # the file that is there anyway
    model = settings.model if settings.model is not None or not embedded else find_model(settings)
    repository = settings.model_name or choose_model(choice, "recommendation", accepted_licences(settings))[1]
    options = HfOptions(
        model=model,
        repository=repository,
        models_path=settings.models_path,
        context=settings.model_ctx,
        slots=settings.model_slots,
        threads=settings.model_threads or usable_cores(),
        timeout_s=settings.model_timeout_s,
        profile=choice.profile.name,
        four_bit=choice.profile.name == "rtx3060-6gb",
    )
    return await HfRuntime.open(options)


async def _open_mlx(settings: Settings, choice: Choice) -> Runtime:
    from shopfloor.local_models.files import find_model
    from shopfloor.local_models.mlx import MlxOptions, MlxRuntime

    named = settings.model is not None or settings.model_name is not None
    embedded = choice.profile.name == "cpu" and not named  # the file that is there anyway
    options = MlxOptions(
        model=find_model(settings) if embedded else settings.model,
        repository="" if embedded or settings.model is not None else _repository(settings, choice),
        models_path=settings.models_path,
        context=settings.model_ctx,
        slots=settings.model_slots,
        timeout_s=settings.model_timeout_s,
        profile=choice.profile.name,
    )
    return await MlxRuntime.open(options)


def _repository(settings: Settings, choice: Choice) -> str:
    return settings.model_name or choose_model(choice, "recommendation", accepted_licences(settings))[1]


async def _open_ollama(settings: Settings, choice: Choice) -> Runtime:
    from shopfloor.local_models.ollama import OllamaRuntime

    return await OllamaRuntime.open(ollama_model(settings, choice))


def ollama_model(settings: Settings, choice: Choice) -> "OllamaModel":
    """Which of Ollama's models the settings, else the profile, name, and where Ollama is.

    Raises:
        ConfigError: the profile has no model for Ollama, and none is named.
    """
    from shopfloor.local_models.ollama import DEFAULT_URL, OllamaModel

    tag = settings.model_name or choose_model(choice, "recommendation", accepted_licences(settings))[1]
    return OllamaModel(
        url=settings.model_url or DEFAULT_URL,
        tag=tag,
        context=settings.model_ctx,
        timeout_s=settings.model_timeout_s,
        profile=choice.profile.name,
    )


async def _open_openai(settings: Settings, choice: Choice) -> Runtime:
    from shopfloor.local_models.openai_compatible import OpenAICompatibleRuntime, Served

    if settings.model_url is None:
        raise ConfigError("SHOPFLOOR_RUNTIME=openai needs SHOPFLOOR_MODEL_URL, e.g. http://127.0.0.1:8080")
    key = settings.model_api_key
    served = Served(
        url=settings.model_url,
        model=settings.model_name or "",
        key=key.get_secret_value() if key is not None else None,
        context=settings.model_ctx,
        timeout_s=settings.model_timeout_s,
        profile=choice.profile.name,
    )
    return await OpenAICompatibleRuntime.open(served)
