"""Errors as problem documents (RFC 9457): a code, a sentence that says what to do, and the trace id."""

import math
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from shopfloor.errors import InputError, ShopfloorError
from shopfloor.observability import Metrics, current_trace_id, get_logger

log = get_logger("shopfloor.http")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


class Problem(BaseModel):
    """A problem document. ``matches`` holds the nearest valid values where there are any."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "There is no product SKU_JKT_01.",
                    "code": "unknown_sku",
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "matches": ["SKU_JCK_01"],
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    code: str
    trace_id: str
    matches: list[str] = Field(default_factory=list)


class ProblemResponse(JSONResponse):
    """A response that carries a problem document."""

    media_type = MEDIA_TYPE


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    path: str = "",
    matches: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """Make the response for a problem.

    Args:
        status: HTTP status.
        code: stable machine-readable name.
        detail: one sentence for a person.
        path: the request's path; under ``/v1`` the body also carries ``error`` as OpenAI's clients read it.
        matches: nearest valid values.
        headers: further headers.
    """
    problem = Problem(
        title=_title(status),
        status=status,
        detail=detail,
        code=code,
        trace_id=current_trace_id() or uuid.uuid4().hex,
        matches=list(matches),
    )
    body: dict[str, Any] = problem.model_dump()
    if path.startswith("/v1/"):
        kind = "invalid_request_error" if status < 500 else "server_error"
        body["error"] = {"message": detail, "type": kind, "code": code, "param": None}
    return ProblemResponse(body, status_code=status, headers=dict(headers or {}))


def error_response(error: ShopfloorError, path: str = "") -> ProblemResponse:
    """The response for an error of this package. What is not the caller's doing keeps its sentence, never a traceback."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.status in {429, 503} else None
    return problem_response(error.status, error.code, error.detail, path=path, matches=error.matches, headers=headers)


def install_problem_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Turn every kind of error into a problem document, and count it."""

    def answer(request: Request, response: ProblemResponse, code: str) -> ProblemResponse:
        metrics.errors.labels(route=route_of(request.scope), code=code).inc()
        return response

    async def on_shopfloor_error(request: Request, error: Exception) -> ProblemResponse:
        known = cast(ShopfloorError, error)
        if known.status >= 500:
            log.warning("failed", code=known.code, status=known.status, exc_info=error)
        return answer(request, error_response(known, request.url.path), known.code)

    async def on_http_error(request: Request, error: Exception) -> ProblemResponse:
        known = cast(HTTPException, error)
        code = _title(known.status_code).lower().replace(" ", "_")
        detail = known.detail if known.detail != _title(known.status_code) else _HINTS.get(known.status_code, "")
        detail = detail or f"{_title(known.status_code)}."
        response = problem_response(known.status_code, code, detail, path=request.url.path, headers=known.headers)
        return answer(request, response, code)

    async def on_bad_request(request: Request, error: Exception) -> ProblemResponse:
        known = cast("RequestValidationError | ValidationError", error)
        response = problem_response(422, InputError.code, explain(known.errors()), path=request.url.path)
        return answer(request, response, InputError.code)

    async def on_validation_error(request: Request, error: Exception) -> ProblemResponse:
        # LangServe lets this one out of /batch; anywhere else it is a mistake of ours.
        if request.url.path.startswith("/shop/"):
            return await on_bad_request(request, error)
        raise error

    app.add_exception_handler(ShopfloorError, on_shopfloor_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_bad_request)
    app.add_exception_handler(ValidationError, on_validation_error)


def explain(errors: Sequence[Any]) -> str:
    """Say what is wrong with the first bad field, and how many others there are; never quotes the input."""
    if not errors:
        return "The request can't be used; compare it with /openapi.json."
    first: Any = errors[0]
    if not isinstance(first, dict):
        return str(first)
    known = cast("dict[str, Any]", first)
    where = ".".join(str(part) for part in known.get("loc", ()) if part not in {"body", "query", "path"})
    what = str(known.get("msg", "can't be used")).removeprefix("Value error, ")
    others = len(errors) - 1
    more = f" ({others} more)" if others else ""
    return f"{where}: {what}{more}" if where else f"{what}{more}"


def route_of(scope: Mapping[str, Any]) -> str:
    """The route's template (``/api/threads/{thread_id}``), which is bounded; ``other`` for what has no route."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    return scope["path"] if scope["path"] in _PLAIN_ROUTES else "other"


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_PLAIN_ROUTES = frozenset({"/mcp", "/openapi.json", "/docs"})

_HINTS: Mapping[int, str] = {
    404: "There is nothing at this address; /openapi.json lists what there is.",
    405: "This address does not take that method; the Allow header says which it takes.",
}
