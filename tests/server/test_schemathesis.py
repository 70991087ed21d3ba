"""The OpenAPI document, fuzzed: no server errors, and nothing that the document does not promise.

The short run is part of every test run; the long one is marked slow.
"""

import os
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shopfloor.server import create_app
from shopfloor.settings import Settings
from tests.server.conftest import Served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SHORT_EXAMPLES = 5
LONG_EXAMPLES = 200
# Streams of internals for LangServe's own pages: the long run has them.
DETAILED = {"/shop/stream_log", "/shop/stream_events", "/shop/chat/stream_log", "/shop/chat/stream_events"}
