"""Bad input on every route ends in a 4xx problem document that says what to do."""

import json

import httpx
import pytest

from tests.server.payloads import GOOD, ROUTES

BROKEN_BODIES = {
    "not json": b'{"user_id": "te',
    "not an object": b"[1, 2, 3]",
    "a string": b'"hello"',
    "null": b"null",
    "empty object": b"{}",
    "not utf-8": b'{"user_id": "\xff\xfe"}',
    "nan": b'{"rating": NaN, "user_id": "a"}',
    "infinity": b'{"rating": 1e999}',
    "huge integer": b'{"count": ' + b"9" * 5000 + b"}",
    "beyond 64 bits": b'{"count": 99999999999999999999}',
    "nested": b'{"a":' * 200 + b"1" + b"}" * 200,
    "nested beyond the parser": b"[" * 100_000,
    "nul": b'{"user_id": "a\\u0000b", "context": "jacket", "text": "a\\u0000"}',
    "lone surrogate": b'{"user_id": "\\ud800", "context": "jacket", "text": "\\udfff"}',
    "nothing": b"",
}


def assert_problem(response: httpx.Response) -> None:
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert len(problem["detail"]) > 10
    assert problem["code"]
    assert len(problem["trace_id"]) == 32


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_broken_body(client: httpx.Client, route: str, name: str) -> None:
    response = client.post(route, content=BROKEN_BODIES[name], headers={"Content-Type": "application/json"})
    assert_problem(response)


@pytest.mark.parametrize("route", ROUTES)
def test_wrong_media_type(client: httpx.Client, route: str) -> None:
    response = client.post(route, content=json.dumps(GOOD[route]), headers={"Content-Type": "text/plain"})
    assert response.status_code == 415
    assert_problem(response)


@pytest.mark.parametrize("route", ROUTES)
def test_too_large_by_length(client: httpx.Client, route: str) -> None:
    body = json.dumps({**GOOD[route], "padding": "x" * 300_000})
    response = client.post(route, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert_problem(response)


@pytest.mark.parametrize("route", ROUTES)
def test_too_large_in_chunks(client: httpx.Client, route: str) -> None:
    def pieces() -> object:
        yield b'{"padding": "'
        for _ in range(40):
            yield b"x" * 10_000
        yield b'"}'

    response = client.post(route, content=pieces(), headers={"Content-Type": "application/json"})  # type: ignore[arg-type]
    assert response.status_code == 413
    assert_problem(response)


@pytest.mark.parametrize("route", ROUTES)
def test_wrong_method(client: httpx.Client, route: str) -> None:
    response = client.put(route, json=GOOD[route])
    assert response.status_code == 405
    assert_problem(response)


@pytest.mark.parametrize(
    ("route", "change", "status"),
    [
        ("/get-recommendations", {"count": 0}, 422),
        ("/get-recommendations", {"count": 21}, 422),
        ("/get-recommendations", {"count": "many"}, 422),
        ("/get-recommendations", {"context": ""}, 422),
        ("/get-recommendations", {"context": "   "}, 422),
        ("/get-recommendations", {"context": "x" * 4_001}, 422),
        ("/get-recommendations", {"context": ["jacket"]}, 422),
        ("/get-recommendations", {"user_id": None}, 422),
        ("/get-recommendations", {"user_id": "u" * 129}, 422),
        ("/check-inventory", {"product_id": ""}, 422),
        ("/check-inventory", {"product_id": "NOT_A_SKU"}, 404),
        ("/check-inventory", {"product_id": "'; DROP TABLE products; --"}, 404),
        ("/check-inventory", {"quantity": -1}, 422),
        ("/check-inventory", {"quantity": 10**9}, 422),
        ("/check-inventory", {"location_context": {"city": "Xyzzyville"}}, 404),
        ("/check-inventory", {"location_context": {"store_id": "NO_STORE"}}, 404),
        ("/check-inventory", {"location_context": {"latitude": 5}}, 422),
        ("/check-inventory", {"location_context": {"latitude": 95, "longitude": 0}}, 422),
        ("/feedback", {"rating": 0}, 422),
        ("/feedback", {"rating": 6}, 422),
        ("/feedback", {"rating": 4.5}, 422),
        ("/feedback", {"rating": "5"}, 422),
        ("/feedback", {"rating": True}, 422),
        ("/feedback", {"action": "loved"}, 422),
        ("/feedback", {"rating": None}, 422),
        ("/feedback", {"product_id": None}, 422),
        ("/feedback", {"product_id": "SKU_NOPE_99"}, 404),
        ("/feedback", {"trace_id": "f" * 32}, 404),
        ("/api/chat", {"text": ""}, 422),
        ("/api/chat", {"text": "x" * 4_001}, 422),
        ("/api/chat", {"thread_id": ""}, 422),
        ("/api/chat", {"thread_id": "t" * 129}, 422),
        ("/v1/chat/completions", {"model": "gpt-4o"}, 404),
        ("/v1/chat/completions", {"messages": []}, 422),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": ""}]}, 422),
        ("/v1/chat/completions", {"messages": [{"role": "assistant", "content": "hi"}]}, 422),
        ("/v1/chat/completions", {"messages": [{"role": "king", "content": "hi"}]}, 422),
        ("/v1/chat/completions", {"n": 2}, 422),
        ("/v1/chat/completions", {"metadata": {"thread_id": ""}}, 422),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x" * 4_001}]}, 413),
        ("/shop/invoke", {"input": {"messages": []}}, 422),
        ("/shop/invoke", {"input": {"messages": [{"type": "ai", "content": "hi"}]}}, 422),
        ("/shop/invoke", {"input": {"messages": [{"type": "alien", "content": "hi"}]}}, 422),
        ("/shop/invoke", {"input": "hi"}, 422),
        ("/shop/invoke", {"config": {"configurable": {"thread_id": 7}}}, 422),
        ("/shop/invoke", {"config": {"configurable": {"user_id": ""}}}, 422),
        ("/shop/invoke", {"config": []}, 422),
        ("/shop/stream", {"input": {"messages": []}}, 422),
        ("/shop/batch", {"inputs": [{"messages": []}]}, 422),
        ("/shop/batch", {"inputs": [{"messages": [{"type": "human", "content": "hi"}]}] * 17}, 413),
        ("/shop/batch", {"config": [{}, {}, {}]}, 422),
    ],
)
def test_wrong_field(client: httpx.Client, route: str, change: dict[str, object], status: int) -> None:
    response = client.post(route, json={**GOOD[route], **change})
    assert response.status_code == status, response.text
    assert_problem(response)


@pytest.mark.parametrize("path", ["/nope", "/static/nope.js", "/static/..%2fsettings.py", "/api/threads/unknown"])
def test_unknown_address(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert_problem(response)


def test_nul_in_the_address(client: httpx.Client) -> None:
    assert_problem(client.get("/api/threads/a%00b"))
    assert_problem(client.get("/api/threads/a", params={"user_id": "a\x00"}))


def test_an_openai_error_reads_as_one(client: httpx.Client) -> None:
    error = client.post("/v1/chat/completions", json={"model": "shopfloor", "messages": []}).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
