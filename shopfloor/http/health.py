"""Health, readiness and metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

from shopfloor.http.problems import ProblemResponse, problem_response, retry_after
from shopfloor.http.service import Service


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"
    version: str


class Ready(BaseModel):
    """Requests are answered. ``degraded``: with less than everything; ``reasons`` says what is missing."""

    status: str = "ready"
    degraded: bool = False
    reasons: list[str] = Field(default_factory=list)


def health_routes(service: Service, version: str) -> APIRouter:
    """The router of ``/healthz``, ``/readyz`` and ``/metrics``."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", summary="Alive")
    async def healthz() -> Alive:  # pyright: ignore[reportUnusedFunction]
        """200 as long as the process answers at all."""
        return Alive(version=version)

    @router.get("/readyz", summary="Ready", response_model=Ready)
    async def readyz() -> Ready | ProblemResponse:  # pyright: ignore[reportUnusedFunction]
        """200 when requests are answered; 503 with the reasons before that."""
        ready, degraded, reasons = await service.state()
        if ready:
            return Ready(degraded=degraded, reasons=reasons)
        return problem_response(503, "not_ready", " ".join(reasons) or "Not ready.", headers=retry_after(1))

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:  # pyright: ignore[reportUnusedFunction]
        """Figures in the format that Prometheus reads."""
        _, degraded, reasons = await service.state()
        service.metrics.degraded.set(len(reasons) if degraded else 0)
        return Response(service.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return router
