"""One id through trace, log, answer and database; and no text where it does not belong."""

import io
import json
import logging
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from shopfloor.observability import TEXT_LOGGER, Metrics, TokenCounts, TurnLabels, configure_logging, get_logger
from shopfloor.settings import Settings
from tests.server.conftest import Served


def spans_of(served: Served, trace_id: str) -> dict[int, ReadableSpan]:
    found: dict[int, ReadableSpan] = {}
    until = time.monotonic() + 5
    while time.monotonic() < until:
        spans = [(span.get_span_context(), span) for span in served.spans.get_finished_spans()]
        found = {known.span_id: span for known, span in spans if known and f"{known.trace_id:032x}" == trace_id}
        if any(span.parent is None for span in found.values()):
            return found
        time.sleep(0.02)
    return found


def path_to_root(span: ReadableSpan, spans: dict[int, ReadableSpan]) -> list[str]:
    names = [span.name]
    while span.parent is not None:
        span = spans[span.parent.span_id]
        names.append(span.name)
    return names


def test_one_turn_is_one_tree(server: Served, client: httpx.Client) -> None:
    text = "a warm blue jacket, and is it in the Delhi store?"
    body = client.post("/shop/invoke", json={"input": {"messages": [{"type": "human", "content": text}]}}).json()
    trace_id = body["output"]["response_metadata"]["trace_id"]
    spans = spans_of(server, trace_id)
    roots = [span for span in spans.values() if span.parent is None]
    assert [span.name for span in roots] == ["POST /shop/invoke"]
    paths = [path_to_root(span, spans) for span in spans.values()]
    names = {path[0] for path in paths}
    for node in ("supervisor", "agent.recommendation", "agent.inventory"):
        matching = [name for name in names if node in name]
        assert matching, f"no span of the node {node} among {sorted(names)}"
    below_a_node = [path for path in paths if any("recommendation" in name for name in path[1:])]
    assert any("model" in path[0] for path in below_a_node), sorted(names)
    assert any("sql" in path[0].lower() for path in paths), sorted(names)
    for span in spans.values():
        assert text not in json.dumps(dict(span.attributes or {}), default=str)


def test_a_problem_carries_the_trace(server: Served, client: httpx.Client) -> None:
    problem = client.post("/check-inventory", json={"product_id": "NOPE"}).json()
    names = {span.name for span in spans_of(server, problem["trace_id"]).values()}
    assert "POST /check-inventory" in names


def test_metrics_count_turns_and_feedback(client: httpx.Client) -> None:
    client.post("/shop/invoke", json={"input": {"messages": [{"type": "human", "content": "a warm hat"}]}})
    client.post("/feedback", json={"product_id": "SKU_JCK_01", "rating": 3, "idempotency_key": uuid.uuid4().hex})
    client.post("/feedback", json={"product_id": "SKU_JCK_01"})
    text = client.get("/metrics").text
    for name in (
        "shopfloor_turn_seconds_count{",
        "shopfloor_first_token_seconds_count{",
        "shopfloor_feedback_total{",
        "shopfloor_errors_total{",
        "process_resident_memory_bytes",
    ):
        assert name in text, name
    for name in ("shopfloor_tokens_total", "shopfloor_swaps_total", "shopfloor_training_runs_total"):
        assert f"# TYPE {name} counter" in text
    labels = text.partition("shopfloor_turn_seconds_count{")[2].partition("}")[0]
    for label in ("agent=", "route=", "runtime=", "adapter="):
        assert label in labels


def test_metrics_are_not_shared() -> None:
    one, other = Metrics(), Metrics()
    one.turn(TurnLabels(agent="recommendation"), 0.5, first_token=0.1, tokens=TokenCounts(local_completion=7))
    assert b'shopfloor_tokens_total{adapter="base",agent="recommendation"' in one.render()
    assert b'agent="recommendation"' not in other.render()


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers = handlers
    root.setLevel(level)
    logging.getLogger(TEXT_LOGGER).setLevel(logging.NOTSET)


@pytest.mark.parametrize("allowed", [False, True])
def test_texts_stay_out_of_the_log(log_lines: io.StringIO, tmp_path: Path, *, allowed: bool) -> None:
    configure_logging(Settings(_env_file=None, data=tmp_path, log_text=allowed))  # type: ignore[call-arg]
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log_lines)
    secret = "a present for Zelda"
    log = get_logger("shopfloor.test")
    log.info("turn", text=secret, prompt=secret, route="both")
    try:
        raise ValueError(secret)
    except ValueError as error:
        log.error("failed", exc_info=error)
        logging.getLogger("some.library").exception("failed too")
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["turn", "failed", "failed too"]
    assert (secret in log_lines.getvalue()) == allowed
    assert lines[1]["exception"] == lines[2]["exception"] == "ValueError"
    assert "test_observability.py" in lines[1]["frames"][-1]
    assert lines[0]["route"] == "both"
