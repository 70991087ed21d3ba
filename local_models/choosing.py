"""Opens the runtime that the settings and the profile ask for."""

from shopfloor.errors import ConfigError
from shopfloor.local_models.profiles import Choice, choose
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings


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
        case _:
            raise ConfigError(
                f"the runtime {choice.runtime} can't be served by this version: set SHOPFLOOR_RUNTIME=auto"
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
