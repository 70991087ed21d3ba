"""The OpenAPI document, fuzzed: no server errors, and nothing that the document does not promise.

The short run is part of every test run; the long one is marked slow.
"""

from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shopfloor.server import create_app
from shopfloor.settings import Settings
from tests.server.conftest import Served

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SHORT_EXAMPLES = 2
LONG_EXAMPLES = 150

ALL_HEALTH_CHECKS = cast("list[HealthCheck]", list(HealthCheck))

schema = schemathesis.openapi.from_dict(create_app(Settings(_env_file=None)).openapi())  # type: ignore[call-arg]
# LangServe's routes for shared links repeat the others; the Model Context Protocol has schemas of its own.
short = schema.include(path_regex=r"^/(get-recommendations|check-inventory|feedback|model-stats|v1/models|api/threads)")


@short.parametrize()
@settings(
    max_examples=SHORT_EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=ALL_HEALTH_CHECKS,
)
def test_short(server: Served, case: schemathesis.Case) -> None:
    case.call_and_validate(base_url=server.base, checks=CHECKS, timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@schema.parametrize()
@settings(max_examples=LONG_EXAMPLES, deadline=None, suppress_health_check=ALL_HEALTH_CHECKS)
def test_long(server: Served, case: schemathesis.Case) -> None:
    case.call_and_validate(base_url=server.base, checks=CHECKS, timeout=60)
