"""Profiles: complete data, honest licences, and clear words for what can't be served."""

import pytest

from shopfloor.errors import ConfigError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.profiles import PROFILES, choose, find_profile
from shopfloor.settings import Settings


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_profile_is_complete(profile: object) -> None:
    from shopfloor.local_models.profiles import Profile

    assert isinstance(profile, Profile)
    assert set(profile.agents) == {"recommendation", "inventory"}
    for assignment in profile.agents.values():
        models = [assignment.model, *([assignment.alternative] if assignment.alternative else [])]
        assert any(runtime in assignment.model.sources for runtime in profile.runtimes)
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


@pytest.mark.parametrize("name", ["m1-8gb", "rtx3060-6gb"])
async def test_a_profile_that_is_not_served_is_an_error_before_loading(model_settings: Settings, name: str) -> None:
    with pytest.raises(ConfigError, match="SHOPFLOOR_PROFILE=auto"):
        await open_runtime(model_settings.model_copy(update={"profile": name}))
