"""Logs, metrics and traces. Nothing here acts on import: entry points call the set-up functions.

Logs are JSON lines on stderr with the trace and span id of the moment; what people wrote never gets into them unless
``Settings.log_text`` says so. Metrics live in a registry of their own. Spans are made anywhere with
``opentelemetry.trace.get_tracer("shopfloor")``; they leave the process only when the standard ``OTEL_*`` variables name
an exporter.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from shopfloor.settings import Settings, otel_variables

TEXT_KEYS = frozenset({"text", "message", "messages", "prompt", "context", "question", "answer", "reply", "correction"})
"""Fields of a log event that may hold what somebody wrote."""

TEXT_LOGGER = "shopfloor.text"
"""Its level says whether texts may be logged; nothing is ever sent to it."""

QUIET_LOGGERS = ("httpx", "httpcore", "mcp", "langchain_google_genai", "google", "sse_starlette")
"""Libraries whose information lines may hold addresses or texts: warnings only."""

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 60.0)


# Logs ----------------------------------------------------------------------------------------------------------------


def configure_logging(settings: Settings) -> None:
    """Send every logger of this process to stderr as JSON lines. For entry points only.

    Args:
        settings: level, and whether texts may be logged.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_chain(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.getLogger(TEXT_LOGGER).setLevel(logging.DEBUG if settings.log_text else logging.CRITICAL)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # The server writes its own line a request, without query strings; uvicorn's start-up lines repeat the banner.
    logging.getLogger("uvicorn.access").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose events are names with fields: ``log.info("request", status=200)``.

    It goes through the standard library's logging, so a host's own set-up holds; texts stay out of it either way.
    """
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_chain(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _chain() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace_ids,
        drop_texts,
        render_exception,
    ]


def texts_allowed() -> bool:
    """Whether what people wrote may be logged: the level of the logger named :data:`TEXT_LOGGER`; off by default."""
    return logging.getLogger(TEXT_LOGGER).isEnabledFor(logging.INFO)


def add_trace_ids(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the current trace and span ids, where a request is being served."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event.setdefault("trace_id", trace.format_trace_id(context.trace_id))
        event.setdefault("span_id", trace.format_span_id(context.span_id))
    return event


def drop_texts(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what somebody wrote by its length."""
    if not texts_allowed():
        for key in TEXT_KEYS & event.keys():
            event[key] = f"<{len(str(event[key]))} characters>"
    return event


def render_exception(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn ``exc_info`` into a list of frames and the exception's type.

    Exceptions of validators quote their input, so the message itself is left out unless texts may be logged.
    """
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error: object = given[1] if isinstance(given, tuple) else given  # pyright: ignore[reportUnknownVariableType]
    if isinstance(error, BaseException):
        event["exception"] = type(error).__qualname__
        event["frames"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        if texts_allowed():
            event["exception_message"] = str(error)
    return event


# Metrics -------------------------------------------------------------------------------------------------------------

_LABELS = ("agent", "route", "runtime", "adapter")


@dataclass(frozen=True, slots=True)
class TurnLabels:
    """What a turn's figures are filed under. ``route``: who handled it; ``agent``: the front door's agent or ``all``."""

    agent: str = "all"
    route: str = "none"
    runtime: str = "none"
    adapter: str = "base"

    def as_labels(self) -> dict[str, str]:
        """As Prometheus takes them."""
        return {"agent": self.agent, "route": self.route, "runtime": self.runtime, "adapter": self.adapter}


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one turn."""

    local_prompt: int = 0
    local_completion: int = 0
    gemini_prompt: int = 0
    gemini_completion: int = 0


@dataclass(slots=True)
class Metrics:
    """The figures of one process, in a registry of its own; passed to whoever counts, never global."""

    registry: CollectorRegistry = field(default_factory=lambda: CollectorRegistry(auto_describe=True))
    turn_seconds: Histogram = field(init=False)
    first_token_seconds: Histogram = field(init=False)
    tokens: Counter = field(init=False)
    feedback: Counter = field(init=False)
    errors: Counter = field(init=False)
    swaps: Counter = field(init=False)
    training_runs: Counter = field(init=False)
    http_seconds: Histogram = field(init=False)
    degraded: Gauge = field(init=False)
    rollout_share: Gauge = field(init=False)
    rollout_outcomes: Gauge = field(init=False)
    rollout_mean: Gauge = field(init=False)

    def __post_init__(self) -> None:
        registry = self.registry
        self.turn_seconds = Histogram(
            "shopfloor_turn_seconds", "Seconds from a message to its whole answer.", _LABELS, buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self.first_token_seconds = Histogram(
            "shopfloor_first_token_seconds", "Seconds from a message to its answer's first words.", _LABELS,
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.tokens = Counter(
            "shopfloor_tokens", "Tokens read (prompt) and written (completion), by model.",
            (*_LABELS, "model", "kind"), registry=registry,
        )  # fmt: skip
        self.feedback = Counter("shopfloor_feedback", "Reactions stored, by agent.", ("agent",), registry=registry)
        self.errors = Counter(
            "shopfloor_errors", "Requests that ended in an error, by route and code.", ("route", "code"),
            registry=registry,
        )  # fmt: skip
        self.swaps = Counter("shopfloor_swaps", "Adapters swapped in.", ("agent", "adapter"), registry=registry)
        self.training_runs = Counter(
            "shopfloor_training_runs", "Training runs, by how they ended.", ("agent", "status"), registry=registry
        )
        self.http_seconds = Histogram(
            "shopfloor_http_seconds", "Seconds of an HTTP request, by route.", ("method", "route", "status"),
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.degraded = Gauge(
            "shopfloor_degraded", "Parts that are missing; without them answers come from the database alone.",
            registry=registry,
        )  # fmt: skip
        self.rollout_share = Gauge(
            "shopfloor_rollout_share", "Percent of the users who are served by what is being tried.",
            ("agent", "artefact"), registry=registry,
        )  # fmt: skip
        self.rollout_outcomes = Gauge(
            "shopfloor_rollout_outcomes", "Outcomes of each side at the share that is on, of all processes together.",
            ("agent", "side", "outcome"), registry=registry,
        )  # fmt: skip
        self.rollout_mean = Gauge(
            "shopfloor_rollout_mean", "Mean of a side's outcomes, 0 to 1; failed and slow are shares of its turns.",
            ("agent", "side", "outcome"), registry=registry,
        )  # fmt: skip
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def turn(
        self, labels: TurnLabels, seconds: float, *, first_token: float | None = None, tokens: TokenCounts | None = None
    ) -> None:
        """File one answered turn. Times in seconds."""
        names = labels.as_labels()
        self.turn_seconds.labels(**names).observe(seconds)
        if first_token is not None:
            self.first_token_seconds.labels(**names).observe(first_token)
        if tokens is None:
            return
        for model, kind, count in (
            ("local", "prompt", tokens.local_prompt),
            ("local", "completion", tokens.local_completion),
            ("gemini", "prompt", tokens.gemini_prompt),
            ("gemini", "completion", tokens.gemini_completion),
        ):
            if count:
                self.tokens.labels(**names, model=model, kind=kind).inc(count)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


# Traces --------------------------------------------------------------------------------------------------------------


def tracer_provider(version: str) -> TracerProvider:
    """The process's tracer provider.

    One that a host set is used as it is. Otherwise one is made that gives every request a trace id, and exports spans
    by OTLP/HTTP only if a standard ``OTEL_EXPORTER_OTLP_*ENDPOINT`` variable is set.
    """
    present = trace.get_tracer_provider()
    if isinstance(present, TracerProvider):
        return present
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "shopfloor", "service.version": version}))
    if otel_variables() & {OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT}:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def install_tracing(version: str) -> TracerProvider:
    """Make :func:`tracer_provider` the process's own. For entry points only."""
    provider = tracer_provider(version)
    if trace.get_tracer_provider() is not provider:
        trace.set_tracer_provider(provider)
    return provider


def current_trace_id() -> str | None:
    """The trace id of what is being done now: 32 hex digits, or None outside a request."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
