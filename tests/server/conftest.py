"""One real server for all of these tests: the demo shop, the embedded model, uvicorn on a port of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shopfloor.server import create_app
from shopfloor.settings import Settings

READY_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Served:
    """A running server."""

    base: str
    settings: Settings
    spans: InMemorySpanExporter

    def client(self, timeout: httpx.Timeout | float = 60) -> httpx.Client:
        """A client for it."""
        return httpx.Client(base_url=self.base, timeout=timeout)


@contextmanager
def serving(settings: Settings, spans: InMemorySpanExporter) -> Iterator[Served]:
    """Serve on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings), log_config=None, access_log=False, timeout_graceful_shutdown=5, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        wait_until_ready(base, settings)
        yield Served(base, settings, spans)
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


def wait_until_ready(base: str, settings: Settings) -> None:
    """Poll ``/readyz``."""
    until = time.monotonic() + READY_TIMEOUT_S
    answer = ""
    while time.monotonic() < until:
        try:
            response = httpx.get(f"{base}/readyz")
        except httpx.TransportError as error:
            answer = repr(error)
        else:
            answer = response.text
            if response.status_code == 200:
                return
            if "being opened" not in answer:
                break
        time.sleep(0.05)
    raise RuntimeError(f"the server is not ready: {answer}")


@pytest.fixture(scope="session")
def spans() -> InMemorySpanExporter:
    """Every span of the process, in memory."""
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture(scope="session")
def server_settings(models_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A fresh data folder, no rate limit, nothing from the machine's environment."""
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data=tmp_path_factory.mktemp("server-data"),
        models=models_path,
        google_api_key=None,
        rate_limit_per_minute=0,
        explanations="model",  # so that there is something to stream, to cancel and to trace
    )


@pytest.fixture(scope="session")
def server(server_settings: Settings, spans: InMemorySpanExporter) -> Iterator[Served]:
    """The server that all tests share."""
    with serving(server_settings, spans) as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    """A client of the shared server."""
    with server.client() as client:
        yield client
