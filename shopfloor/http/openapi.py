"""The OpenAPI document: every route of every door, with its errors as problem documents."""

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shopfloor.http.problems import MEDIA_TYPE, Problem

DESCRIPTION = (
    "A shop assistant on the shop's own hardware: recommendations and stock answers whose every fact comes from the "
    "shop's database. Errors are problem documents (RFC 9457)."
)

ERRORS = {
    400: "The request can't be read",
    401: "No valid API key",
    403: "Somebody else's conversation, or a request from a foreign page",
    404: "No such product, store, place, answer or conversation; the nearest matches are in the document",
    405: "Not this method",
    408: "The body did not arrive in time",
    409: "It does not fit what is going on, such as a training that runs already",
    413: "The body or a text is too large",
    415: "The body is not JSON",
    421: "Not this service's host name",
    422: "A field is missing or wrong",
    429: "Too many requests; Retry-After says when to come back",
    500: "A mistake of ours; the log has the details under the trace id",
    503: "Starting, or the model can't answer now",
    504: "The model did not finish in time",
}

KEY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}

TAGS = [
    {"name": "rest", "description": "Recommendations, stock, feedback, figures"},
    {"name": "page", "description": "The chat page's own routes"},
    {"name": "openai", "description": "OpenAI's chat shapes"},
    {"name": "operation", "description": "Health and metrics"},
    {"name": "mcp", "description": "Model Context Protocol, streamable HTTP"},
]

EVENT_STREAM = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "properties": {"event": {"type": "string"}, "data": {"type": "string"}, "id": {"type": "string"}},
        }
    }
}
"""Server-sent events as OpenAPI sees them: the schema is of one event."""

STREAMED = ("/stream", "/stream_log", "/stream_events")

MCP_PATH: dict[str, Any] = {
    "post": {
        "tags": ["mcp"],
        "summary": "Model Context Protocol",
        "description": "JSON-RPC over streamable HTTP, stateless. Tools: recommend, check_inventory, ask.",
        "operationId": "mcp",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "200": {"description": "A JSON-RPC answer", "content": {"application/json": {"schema": {}}}},
            "202": {"description": "A notification was taken"},
            "4XX": {"description": "A JSON-RPC error or a problem document"},
        },
    }
}


def install_openapi(app: FastAPI) -> None:
    """Make ``app.openapi()`` produce the complete document, once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def build_document(app: FastAPI) -> dict[str, Any]:
    """Build the document from the routes, then add the errors, the keys and MCP."""
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    components["securitySchemes"] = KEY_SCHEMES
    document["security"] = [{}, *({name: []} for name in KEY_SCHEMES)]
    for name, path in cast("dict[str, dict[str, Any]]", document["paths"]).items():
        for operation in path.values():
            if name.endswith(STREAMED):
                operation["responses"]["200"] = {"description": "LangServe's events", "content": EVENT_STREAM}
            responses = operation.setdefault("responses", {})
            for status, description in ERRORS.items():
                responses[str(status)] = problem(description)
    document["paths"]["/mcp"] = MCP_PATH
    return document


def problem(description: str) -> dict[str, Any]:
    """A response that is a problem document."""
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
