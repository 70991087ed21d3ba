"""The HTTP server: ``create_app()`` puts the doors of :mod:`shopfloor.http` on one assistant.

Run it with ``shopfloor serve``, or inside a host with ``uvicorn.run(create_app())``. Nothing happens on import.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.routing import Route

from shopfloor import __version__
from shopfloor.http.body import BodyGuard
from shopfloor.http.chat import chat_routes
from shopfloor.http.continuity import Continuity
from shopfloor.http.dashboard import dashboard_routes
from shopfloor.http.guards import Envelope, Guard
from shopfloor.http.health import health_routes
from shopfloor.http.langserve_routes import langserve_routes
from shopfloor.http.mcp_door import McpDoor
from shopfloor.http.openai_routes import openai_routes
from shopfloor.http.openapi import install_openapi
from shopfloor.http.pages import page_routes
from shopfloor.http.problems import install_problem_handlers
from shopfloor.http.rest import rest_routes
from shopfloor.http.rollout_watch import RolloutWatch
from shopfloor.http.service import Opener, Service
from shopfloor.http.shop_routes import shop_routes
from shopfloor.http.training import TrainingWatch
from shopfloor.observability import Metrics, tracer_provider
from shopfloor.settings import Settings, load_settings

__all__ = ["create_app", "service_of"]


def create_app(settings: Settings | None = None, *, opener: Opener | None = None) -> FastAPI:
    """Make the application.

    Args:
        settings: empty: from the environment.
        opener: makes the assistant; empty: :meth:`shopfloor.graph.assistant.Assistant.open`.

    Raises:
        ConfigError: a setting is wrong.
    """
    settings = settings or load_settings()
    metrics = Metrics()
    service = Service(settings, metrics, opener)
    mcp = McpDoor(service, __version__)
    continuity = Continuity()
    service.on_forget(lambda: continuity.forget(settings.state_path))
    training = TrainingWatch(settings)
    rollouts = RolloutWatch(settings, metrics)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with mcp.running(), training.running(), rollouts.running():
            await service.start()
            try:
                yield
            finally:
                await service.stop()

    app = FastAPI(title="shopfloor", version=__version__, lifespan=lifespan, redoc_url=None)
    app.state.service = service
    app.include_router(rest_routes(service))
    app.include_router(chat_routes(service))
    app.include_router(shop_routes(service))
    app.include_router(openai_routes(service, continuity))
    app.include_router(langserve_routes(service, continuity))
    app.include_router(health_routes(service, __version__))
    app.include_router(dashboard_routes(service, training, rollouts, __version__))
    app.include_router(page_routes())
    app.router.routes.append(Route("/mcp", endpoint=mcp, include_in_schema=False))
    install_problem_handlers(app, metrics)
    install_openapi(app)
    # Outermost last: tracing, then the envelope, the guard, the body.
    app.add_middleware(BodyGuard, max_bytes=settings.max_body_bytes)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Envelope, metrics=metrics)
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=tracer_provider(__version__), excluded_urls="healthz,readyz,metrics,static/",
        exclude_spans=["receive", "send"],
    )  # fmt: skip
    return app


def service_of(app: FastAPI) -> Service:
    """The service under an application that :func:`create_app` made."""
    service = app.state.service
    if not isinstance(service, Service):
        raise TypeError("not an application of create_app()")
    return service
