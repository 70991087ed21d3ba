"""The OpenAPI document is complete, and the service keeps to it."""

from typing import Any

import httpx
import pytest

from shopfloor.server import create_app
from shopfloor.settings import Settings

PROMISED = {
    "/get-recommendations": "post",
    "/check-inventory": "post",
    "/feedback": "post",
    "/model-stats": "get",
    "/v1/chat/completions": "post",
    "/v1/models": "get",
    "/api/chat": "post",
    "/api/threads/{thread_id}": "get",
    "/shop/invoke": "post",
    "/shop/batch": "post",
    "/shop/stream": "post",
    "/mcp": "post",
    "/healthz": "get",
    "/readyz": "get",
    "/metrics": "get",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]


@pytest.mark.parametrize("path", PROMISED)
def test_every_route_is_described_with_its_errors(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path][PROMISED[path]]
    assert operation["summary"]
    if path != "/mcp":
        for status in ("401", "413", "422", "429", "500", "503"):
            assert "application/problem+json" in operation["responses"][status]["content"]


@pytest.mark.parametrize("path", ["/get-recommendations", "/check-inventory", "/feedback"])
def test_requests_have_examples(document: dict[str, Any], path: str) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]


def test_the_examples_work(client: httpx.Client, document: dict[str, Any]) -> None:
    for path in ("/get-recommendations", "/check-inventory", "/feedback"):
        examples = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        for name, example in examples.items():
            assert client.post(path, json=example["value"]).status_code == 200, (path, name)


def test_the_served_document_is_this_one(client: httpx.Client, document: dict[str, Any]) -> None:
    assert client.get("/openapi.json").json() == document
