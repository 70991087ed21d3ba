"""The backends the contract suite runs over. A new runtime adds a name and a branch, no test."""

import pytest

from shopfloor.local_models.runtime import Runtime

BACKENDS = ("embedded",)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Runtime:
    """One loaded runtime."""
    fixtures = {"embedded": "runtime"}
    return request.getfixturevalue(fixtures[request.param])
