"""A model that is missing, damaged, of another kind, or whose server is down: the service answers on, and says so."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shopfloor.local_models.files import find_model
from shopfloor.settings import Settings
from tests.server.conftest import serving


def missing(folder: Path, _settings: Settings) -> dict[str, object]:
    return {"model": folder / "gone.gguf"}


def truncated(folder: Path, settings: Settings) -> dict[str, object]:
    path = folder / "cut.gguf"
    with find_model(settings).open("rb") as whole:
        path.write_bytes(whole.read(5_000_000))
    return {"model": path}


def wrong_architecture(folder: Path, settings: Settings) -> dict[str, object]:
    """A whole file that says it is something else."""
    path = folder / "other.gguf"
    key, value = b"general.architecture", b"bert"
    path.write_bytes(
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(key)) + key
        + struct.pack("<IQ", 8, len(value)) + value + bytes(64)
    )  # fmt: skip
    return {"model": path}


def ollama_down(_folder: Path, _settings: Settings) -> dict[str, object]:
    return {"runtime": "ollama", "model_url": "http://127.0.0.1:9", "model_name": "tinyllama"}


@pytest.mark.parametrize(
    ("trouble", "mending"),
    [
        (missing, "shopfloor models get embedded"),
        (truncated, "shopfloor models get embedded"),
        (wrong_architecture, "shopfloor models get embedded"),
        (ollama_down, "ollama serve"),
    ],
)
def test_it_answers_without_its_model(
    trouble: Callable[[Path, Settings], dict[str, object]],
    mending: str,
    server_settings: Settings,
    spans: InMemorySpanExporter,
    tmp_path: Path,
) -> None:
    settings = server_settings.model_copy(update=trouble(tmp_path, server_settings))
    with serving(settings, spans) as served, served.client() as client:
        ready = client.get("/readyz").json()
        assert ready["degraded"] is True
        assert any(mending in reason for reason in ready["reasons"]), ready["reasons"]
        found = client.post("/get-recommendations", json={"user_id": "ada", "context": "a warm jacket"}).json()
        assert found["degraded"] is True and found["items"]
        stock = client.post("/check-inventory", json={"product_id": found["items"][0]["sku"]}).json()
        assert "total_quantity" in stock and stock["stores"] is not None
        figures = client.get("/metrics").text.splitlines()
        count = next(float(line.split()[1]) for line in figures if line.startswith("shopfloor_degraded "))
        assert count == len(ready["reasons"]) > 0


def test_nothing_is_degraded_with_a_model(server_settings: Settings, spans: InMemorySpanExporter) -> None:
    with serving(server_settings, spans) as served, served.client() as client:
        assert client.get("/readyz").json()["degraded"] is False
        assert "shopfloor_degraded 0.0" in client.get("/metrics").text.splitlines()
