"""Profiles: complete data, honest licences, and clear words for what can't be served."""

import importlib.util
from pathlib import Path

import pytest
from pydantic import SecretStr

from shopfloor.errors import ConfigError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.profiles import (
    GEMMA_2B,
    PHI3_MINI,
    PROFILES,
    Choice,
    RuntimeName,
    choose,
    choose_model,
    find_profile,
)
from shopfloor.local_models.runtime import GenerateOptions, Message
from shopfloor.settings import Settings, load_settings
from tests.local_models.conftest import KEY


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_profile_is_complete(profile: object) -> None:
    from shopfloor.local_models.profiles import Profile

    assert isinstance(profile, Profile)
    assert set(profile.agents) == {"recommendation", "inventory"}
    for assignment in profile.agents.values():
        models = [assignment.model, *([assignment.alternative] if assignment.alternative else [])]
        assert any(runtime in assignment.model.sources for runtime in profile.runtimes)
        assert all({"ollama", "hf", "mlx"} <= set(model.sources) for model in models if model.name != "StableLM-2-1.6B")
        assert {"ollama", "hf"} <= set(assignment.model.sources)
        assert models[-1].licence.permissive, "every profile offers a model that anybody may use"
        weights = sum(other.model.parameters for other in profile.agents.values()) * 1e6 * 0.5
        assert weights < profile.budget.serving, "four-bit weights alone must fit the budget"
    assert all(licence.permissive or licence.note for licence in profile.licences)


def test_auto_is_the_embedded_model_and_says_why(model_settings: Settings) -> None:
    choice = choose(model_settings)
    assert choice.profile.name == "cpu" and choice.reason
    assert choose(model_settings.model_copy(update={"profile": "cpu"})).profile is choice.profile
    with pytest.raises(ConfigError, match="no profile"):
        find_profile("m9")


@pytest.mark.parametrize(
    ("changes", "runtime"),
    [
        ({}, "embedded"),
        ({"profile": "m1-8gb"}, "ollama"),
        ({"profile": "m1-8gb", "model": Path("other.gguf")}, "embedded"),
        ({"profile": "rtx3060-6gb"}, "hf" if importlib.util.find_spec("torch") else "ollama"),
        ({"profile": "rtx3060-6gb", "runtime": "ollama"}, "ollama"),
        ({"model_url": "http://127.0.0.1:8080"}, "openai"),
        ({"model_url": "http://127.0.0.1:8080", "runtime": "embedded"}, "embedded"),
    ],
)
def test_the_runtime_follows_the_settings(
    model_settings: Settings, changes: dict[str, object], runtime: RuntimeName
) -> None:
    choice = choose(model_settings.model_copy(update=changes))
    assert choice.runtime == runtime and choice.reason


def test_a_restrictive_licence_must_be_accepted(model_settings: Settings) -> None:
    choice = choose(model_settings.model_copy(update={"profile": "rtx3060-6gb", "runtime": "ollama"}))
    assert choose_model(choice, "recommendation", ())[0].licence.permissive
    assert choose_model(choice, "recommendation", ("gemma",)) == (GEMMA_2B, "gemma:2b")
    assert choose_model(choice, "inventory", ()) == (PHI3_MINI, "phi3:mini")
    mac = choose(model_settings.model_copy(update={"profile": "m1-8gb"}))
    assert choose_model(mac, "recommendation", ())[1] == "tinyllama"
    assert choose_model(mac, "inventory", ("gemma",))[0].name == "Qwen3-1.7B"
    with pytest.raises(ConfigError, match="SHOPFLOOR_MODEL_NAME"):
        choose_model(Choice(mac.profile, "openai", ""), "inventory", ())


def test_accepted_licences_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPFLOOR_ACCEPTED_LICENCES", "gemma, stability")
    assert load_settings().accepted_licences == ("gemma", "stability")


async def test_a_server_is_opened_by_the_settings(model_settings: Settings, llama_url: str) -> None:
    settings = model_settings.model_copy(update={"model_url": llama_url, "model_api_key": SecretStr(KEY)})
    runtime = await open_runtime(settings)
    assert runtime.info.runtime == "openai"
    assert (await runtime.chat([Message("user", "Hello")], GenerateOptions(max_tokens=2))).completion_tokens <= 2
    await runtime.close()


async def test_a_server_without_an_address_is_an_error(model_settings: Settings) -> None:
    with pytest.raises(ConfigError, match="SHOPFLOOR_MODEL_URL"):
        await open_runtime(model_settings.model_copy(update={"runtime": "openai"}))


async def test_ollama_is_opened_by_the_settings(model_settings: Settings, ollama_url: str) -> None:
    settings = model_settings.model_copy(update={"runtime": "ollama", "model_url": ollama_url})
    runtime = await open_runtime(settings)
    assert (runtime.info.runtime, runtime.info.name) == ("ollama", "smollm2:135m")
    assert (await runtime.stats()).memory_mb == 270
    await runtime.close()
