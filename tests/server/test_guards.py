"""Keys, rates, hosts, origins and bodies: the guards alone, before an application that only says hello."""

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shopfloor.http.body import BodyGuard
from shopfloor.http.guards import CLIENTS_KEPT, Envelope, Guard, RateLimiter
from shopfloor.observability import Metrics
from shopfloor.settings import Settings

BASE = "http://127.0.0.1:8000"


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def guarded(clock: Clock | None = None, **changes: object) -> httpx.AsyncClient:
    settings = Settings(_env_file=None, **{"rate_limit_per_minute": 0, **changes})  # type: ignore[arg-type]

    async def hello(request: Request) -> JSONResponse:
        return JSONResponse({"size": len(await request.body())})

    async def broken(_request: Request) -> JSONResponse:
        raise RuntimeError("the jacket's secret")

    app = Starlette(
        routes=[
            Route("/hello", hello, methods=["GET", "POST"]),
            Route("/healthz", hello),
            Route("/broken", broken),
        ],
        middleware=[
            Middleware(Envelope, metrics=Metrics()),
            Middleware(Guard, settings=settings, clock=clock or Clock()),
            Middleware(BodyGuard, max_bytes=settings.max_body_bytes),
        ],
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)


async def test_without_keys_loopback_is_open() -> None:
    async with guarded() as client:
        assert (await client.get("/hello")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer right"},
        {"Authorization": "bearer second"},
        {"X-API-Key": "right"},
        {"Authorization": "Basic " + base64.b64encode(b"anyone:right").decode()},
    ],
)
async def test_a_right_key_opens(headers: dict[str, str]) -> None:
    async with guarded(api_keys="right, second") as client:
        assert (await client.get("/hello", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer right right"},
        {"Authorization": "Basic not-base64!"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
        {"X-API-Key": "righ"},
        {"X-API-Key": "right, second"},
    ],
)
async def test_a_wrong_key_is_401_everywhere_but_at_health(headers: dict[str, str]) -> None:
    async with guarded(api_keys="right, second") as client:
        refused = await client.get("/hello", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert "Bearer" in refused.headers["www-authenticate"]
        assert (await client.get("/nowhere", headers=headers)).status_code == 401
        assert (await client.get("/healthz", headers=headers)).status_code == 200


async def test_a_public_address_needs_keys() -> None:
    with pytest.raises(ValueError, match="SHOPFLOOR_API_KEYS"):
        guarded(host="0.0.0.0")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
async def test_a_foreign_host_is_refused(host: str) -> None:
    async with guarded() as client:
        refused = await client.get("/hello", headers={"Host": host})
    assert refused.status_code == 421


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
async def test_loopback_names_are_taken(host: str) -> None:
    async with guarded() as client:
        assert (await client.get("/hello", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_origin_cannot_post(headers: dict[str, str]) -> None:
    async with guarded() as client:
        refused = await client.post("/hello", json={}, headers=headers)
    assert refused.status_code == 403
    assert refused.json()["code"] == "cross_origin"


async def test_a_browsers_saved_key_does_not_excuse_another_origin() -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(b"x:right").decode(), "Origin": "https://evil.example"}
    bearer = {"Authorization": "Bearer right", "Origin": "https://shop.example"}
    async with guarded(api_keys="right") as client:
        assert (await client.post("/hello", json={}, headers=basic)).status_code == 403
        assert (await client.post("/hello", json={}, headers=bearer)).status_code == 200


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/", "/api/dashboard", "/api/dashboard/actions"])
async def test_the_dashboard_takes_the_owners_key_alone(path: str) -> None:
    async with guarded(api_keys="shopper", owner_key="owner") as client:
        for headers in ({}, {"X-API-Key": "shopper"}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer shopper"}):
            refused = await client.get(path, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (401, "no_owner_key")
            assert "owner" in refused.headers["www-authenticate"]
            assert (await client.post(path, json={}, headers=headers)).status_code == 401
        basic = "Basic " + base64.b64encode(b"me:owner").decode()
        for headers in ({"X-API-Key": "owner"}, {"Authorization": basic}):
            assert (
                await client.get(path, headers=headers)
            ).status_code == 404  # let through; nothing is there in this test
        evil = {"Authorization": basic, "Origin": "https://evil.example"}
        assert (await client.post(path, json={}, headers=evil)).status_code == 403
        for key in ("shopper", "owner"):
            assert (await client.get("/hello", headers={"X-API-Key": key})).status_code == 200
        assert (await client.get("/dashboards", headers={"X-API-Key": "shopper"})).status_code == 404


async def test_an_owners_key_alone_leaves_the_rest_open_on_loopback() -> None:
    async with guarded(owner_key="owner", rate_limit_per_minute=5) as client:
        assert (await client.get("/hello")).status_code == 200
        assert (await client.get("/api/dashboard", headers={"X-API-Key": "owner"})).status_code == 404
        assert (await client.get("/hello", headers={"Host": "evil.example"})).status_code == 421
        codes = [(await client.get("/api/dashboard", headers={"X-API-Key": str(n)})).status_code for n in range(9)]
        assert codes[0] == 401 and codes[-1] == 429  # nobody tries many


async def test_without_an_owners_key_it_is_as_with_every_other_route() -> None:
    async with guarded(api_keys="shopper", owner_key=" ") as client:
        assert (await client.get("/api/dashboard")).status_code == 401
        assert (await client.get("/api/dashboard", headers={"X-API-Key": "shopper"})).status_code == 404


def test_the_owners_key_is_no_shoppers_and_is_never_shown() -> None:
    with pytest.raises(ValueError, match="a key of their own"):
        guarded(api_keys="one,two", owner_key="two")
    settings = Settings(_env_file=None, owner_key="very-secret")  # type: ignore[call-arg,arg-type]
    assert "very-secret" not in repr(settings) + settings.model_dump_json()


async def test_our_own_page_can_post() -> None:
    headers = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    async with guarded() as client:
        assert (await client.post("/hello", json={}, headers=headers)).status_code == 200


async def test_the_rate_is_limited_and_refills() -> None:
    clock = Clock()
    async with guarded(clock, rate_limit_per_minute=3) as client:
        codes = [(await client.get("/hello")).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        refused = await client.get("/hello")
        assert int(refused.headers["retry-after"]) == 20
        assert (await client.get("/healthz")).status_code == 200
        clock.now += 20
        assert (await client.get("/hello")).status_code == 200
        assert (await client.get("/hello")).status_code == 429


async def test_each_key_has_its_own_rate() -> None:
    async with guarded(api_keys="one,two", rate_limit_per_minute=1) as client:
        first = [(await client.get("/hello", headers={"X-API-Key": "one"})).status_code for _ in range(2)]
        other = await client.get("/hello", headers={"X-API-Key": "two"})
    assert first == [200, 429]
    assert other.status_code == 200


def test_the_limiter_forgets_the_longest_unseen() -> None:
    limiter = RateLimiter(1, Clock())
    assert limiter.take("first") == 0
    assert limiter.take("first") > 0
    for number in range(CLIENTS_KEPT):
        limiter.take(str(number))
    assert limiter.take("first") == 0


async def test_a_body_without_length_is_cut_off() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1000
            await asyncio.sleep(0)

    async with guarded(max_body_bytes=5_000) as client:
        refused = await client.post("/hello", content=endless(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 413


async def test_the_body_reaches_the_route_whole() -> None:
    async with guarded() as client:
        answer = await client.post("/hello", json={"text": "é" * 1000})
    assert answer.json() == {"size": len('{"text":"' + "é" * 1000 + b'"}'.decode()) + 1000}


async def test_headers_are_on_every_answer() -> None:
    async with guarded() as client:
        for path in ("/hello", "/nowhere", "/broken"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] == "no-store"


async def test_a_mistake_of_ours_tells_nothing() -> None:
    async with guarded() as client:
        answer = await client.get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["code"] == "internal"
