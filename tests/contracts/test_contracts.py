"""The shapes that others rely on: the JSON schemas beside this file, the OpenAPI document and the models agree.

A schema file changes only on purpose: by adding a field, or with a major version.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from shopfloor.http.chat import ChatRequest, ThreadHistory
from shopfloor.http.health import Ready
from shopfloor.http.openai_routes import ChatCompletion, ChatCompletionRequest, ModelList
from shopfloor.http.problems import Problem
from shopfloor.server import create_app
from shopfloor.settings import Settings
from shopfloor.tools.schemas import (
    FeedbackRequest,
    FeedbackResponse,
    InventoryRequest,
    InventoryResponse,
    ModelStats,
    RecommendRequest,
    RecommendResponse,
    Reply,
)

HERE = Path(__file__).parent
MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        ChatCompletion,
        ChatCompletionRequest,
        ChatRequest,
        FeedbackRequest,
        FeedbackResponse,
        InventoryRequest,
        InventoryResponse,
        ModelList,
        ModelStats,
        Problem,
        Ready,
        RecommendRequest,
        RecommendResponse,
        Reply,
        ThreadHistory,
    )
}
# The fields that INTERFACES names, written out by hand: neither the models nor the files can drop one unseen.
PROMISED: dict[str, str] = {
    "RecommendRequest": "user_id context count thread_id",
    "RecommendResponse": "recommendation_id trace_id user_id items model degraded timings_ms",
    "InventoryRequest": "product_id location_context size quantity question user_id thread_id",
    "InventoryResponse": (
        "trace_id product available total_quantity stores analysis alternatives answer model degraded timings_ms"
    ),
    "FeedbackRequest": (
        "user_id recommendation_id product_id trace_id rating action correction comment idempotency_key"
    ),
    "FeedbackResponse": "feedback_id trace_id agent accepted duplicate",
    "ModelStats": "agents process",
    "Problem": "type title status detail code trace_id",
}
REQUIRED: dict[str, set[str]] = {
    "RecommendRequest": {"user_id", "context"},
    "InventoryRequest": {"product_id"},
    "FeedbackRequest": set(),
    "ChatRequest": {"text"},
    "ChatCompletionRequest": {"model", "messages"},
}
ROUTES: dict[str, tuple[str, str | None, str]] = {
    "/get-recommendations": ("post", "RecommendRequest", "RecommendResponse"),
    "/check-inventory": ("post", "InventoryRequest", "InventoryResponse"),
    "/feedback": ("post", "FeedbackRequest", "FeedbackResponse"),
    "/model-stats": ("get", None, "ModelStats"),
    "/v1/chat/completions": ("post", "ChatCompletionRequest", "ChatCompletion"),
    "/v1/models": ("get", None, "ModelList"),
    "/api/threads/{thread_id}": ("get", None, "ThreadHistory"),
    "/readyz": ("get", None, "Ready"),
}


def schema_of(name: str) -> dict[str, Any]:
    return MODELS[name].model_json_schema()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]


@pytest.mark.parametrize("name", MODELS)
def test_the_file_and_the_model_agree(name: str) -> None:
    written = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    assert schema_of(name) == written, f"tests/contracts/{name}.json differs from the model: change both on purpose"


def test_every_file_has_a_model() -> None:
    assert {path.stem for path in HERE.glob("*.json")} == MODELS.keys()


@pytest.mark.parametrize("name", PROMISED)
def test_no_promised_field_is_gone(name: str) -> None:
    assert set(PROMISED[name].split()) <= schema_of(name)["properties"].keys()


@pytest.mark.parametrize("name", REQUIRED)
def test_no_further_field_is_required(name: str) -> None:
    assert set(schema_of(name).get("required", [])) == REQUIRED[name]


@pytest.mark.parametrize("path", ROUTES)
def test_the_document_uses_these_shapes(document: dict[str, Any], path: str) -> None:
    method, takes, gives = ROUTES[path]
    operation = document["paths"][path][method]
    if takes is not None:
        assert _reference(operation["requestBody"]) == takes
    assert _reference(operation["responses"]["200"]) == gives
    components = document["components"]["schemas"]
    for name in filter(None, (takes, gives)):
        assert components[name]["properties"].keys() == schema_of(name)["properties"].keys()


def _reference(holder: dict[str, Any]) -> str:
    return holder["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
