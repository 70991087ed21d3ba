"""A client that leaves stops the work: no turn goes on unread, on any route."""

import json
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from tests.server.conftest import Served

# Long enough to be cut off while the model writes.
TEXT = "tell me about a warm blue jacket for a long winter walk, and why it suits me"
MESSAGES = {"messages": [{"type": "human", "content": TEXT}]}
STREAMS: dict[str, Callable[[str], dict[str, object]]] = {
    "/api/chat": lambda user: {"text": TEXT, "user_id": user},
    "/shop/stream": lambda user: {"input": {**MESSAGES, "user_id": user}},
    "/shop/stream_events": lambda user: {"input": {**MESSAGES, "user_id": user}},
    "/v1/chat/completions": lambda user: {
        "model": "shopfloor",
        "stream": True,
        "user": user,
        "messages": [{"role": "user", "content": TEXT}],
    },
}
PLAIN: dict[str, Callable[[str], dict[str, object]]] = {
    "/shop/invoke": lambda user: {"input": {**MESSAGES, "user_id": user}},
    "/shop/batch": lambda user: {"inputs": [{**MESSAGES, "user_id": user}]},
    "/v1/chat/completions": lambda user: {
        "model": "shopfloor",
        "user": user,
        "messages": [{"role": "user", "content": TEXT}],
    },
}


def statuses(served: Served, user: str) -> list[str]:
    with closing(sqlite3.connect(served.settings.state_path)) as connection:
        rows = connection.execute("SELECT status FROM turns WHERE user_id = ?", (user,)).fetchall()
    return [row[0] for row in rows]


def wait_for(served: Served, user: str, wanted: set[str], seconds: float = 10.0) -> list[str]:
    until = time.monotonic() + seconds
    found: list[str] = []
    while time.monotonic() < until:
        found = statuses(served, user)
        if found and set(found) <= wanted:
            break
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("route", STREAMS)
def test_leaving_a_stream_cancels_the_turn(server: Served, route: str) -> None:
    user = f"leaver-{uuid.uuid4().hex[:8]}"
    with server.client() as client, client.stream("POST", route, json=STREAMS[route](user)) as response:
        assert response.status_code == 200
        for line in response.iter_lines():
            if any(sign in line for sign in ("trace_id", "AIMessageChunk", "completion.chunk")):
                break
    assert wait_for(server, user, {"cancelled", "answered"}) == ["cancelled"]


@pytest.mark.parametrize("route", PLAIN)
def test_leaving_a_plain_request_cancels_the_turn(server: Served, route: str) -> None:
    user = f"leaver-{uuid.uuid4().hex[:8]}"
    body = json.dumps(PLAIN[route](user)).encode()
    head = f"POST {route} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    address = httpx.URL(server.base)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode() + body)
    wait_for(server, user, {"cancelled"}, seconds=1.0)
    assert "answered" not in statuses(server, user), "the turn was answered although nobody waited"


def test_the_server_answers_after_all_that(client: httpx.Client) -> None:
    response = client.post("/shop/invoke", json={"input": MESSAGES})
    assert response.status_code == 200
