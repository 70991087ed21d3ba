"""What stands before every route, as plain ASGI: security headers, request log, host and origin, keys, rate.

A service on loopback is reachable from every page open in the same browser, so a foreign ``Host`` (DNS rebinding) and a
foreign ``Origin`` (cross-site request) are refused. With keys set, a key is asked for everywhere but at the health
checks: ``Authorization: Bearer``, ``X-API-Key``, or Basic with the key as the password, which lets a browser open the
pages. Where an owner's key is set, the dashboard and all that it can do take no other.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopfloor.http.problems import ProblemResponse, problem_response, retry_after, route_of
from shopfloor.observability import Metrics, current_trace_id, get_logger
from shopfloor.settings import LOOPBACK_HOSTS, Settings

log = get_logger("shopfloor.http")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
UNLIMITED_PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"})
OWNER_PATHS = ("/dashboard", "/api/dashboard")
"""And everything below: where trainings, artefacts and verdicts on corrections are changed."""
CLIENTS_KEPT = 10_000

PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For our own pages: everything from this server, nothing inline."""

TOOL_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "font-src 'self' https://fonts.gstatic.com; img-src 'self' data: https://fastapi.tiangolo.com; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""For LangServe's playgrounds and the API explorer, whose pages carry inline scripts."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Envelope:
    """Outermost: adds headers, writes one log line a request, and answers what nobody caught."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", _policy_for(scope["path"]))
                headers.setdefault("Cache-Control", "no-store")
                trace_id = current_trace_id()
                if trace_id is not None:
                    headers["X-Trace-Id"] = trace_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            # The last line of defence: whatever it is, it is logged with its trace id and answered without details.
            log.error("unexpected", route=route_of(scope), exc_info=error)
            self._metrics.errors.labels(route=route_of(scope), code="internal").inc()
            if status == 0:
                detail = "Something went wrong here; the log has the details under this trace id."
                response = problem_response(500, "internal", detail, path=scope["path"])
                await response(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            route = route_of(scope)
            method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD", "OPTIONS", "DELETE"} else "other"
            self._metrics.http_seconds.labels(method=method, route=route, status=str(status or 499)).observe(seconds)
            log.info("request", method=method, route=route, status=status or 499, ms=round(seconds * 1000, 1))


class Guard:
    """Host, origin, key and rate, in this order; each refusal is a problem document."""

    def __init__(self, app: ASGIApp, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._key_hashes = [_digest(key.get_secret_value()) for key in settings.api_keys]
        owner = settings.owner_key
        self._owner_hash = _digest(owner.get_secret_value()) if owner is not None else None
        self._hosts = LOOPBACK_HOSTS | {settings.host.lower()}
        self._limiter = RateLimiter(settings.rate_limit_per_minute, clock) if settings.rate_limit_per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal if refusal is not None else self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ProblemResponse | None:
        path: str = scope["path"]
        headers = Headers(scope=scope)
        if "\x00" in path or b"%00" in scope["query_string"]:
            return problem_response(400, "bad_request", "The address holds a NUL character.", path=path)
        if not self._key_hashes and host_name(headers.get("host", "")) not in self._hosts:
            detail = "This service answers only under its own host name; use http://127.0.0.1 with its port."
            return problem_response(421, "bad_host", detail, path=path)
        key, ambient = given_key(headers)
        owners = self._owner_hash is not None and is_owners(path)
        key_ok = key is not None and self._is_known(key, owners)
        if scope["method"] not in SAFE_METHODS and not (key_ok and not ambient) and is_cross_origin(headers):
            detail = "Requests from pages of another origin are refused; call this service from your own server."
            return problem_response(403, "cross_origin", detail, path=path)
        if owners and not key_ok:
            detail = "This is the owner's: give the owner's key, as Authorization: Bearer KEY or X-API-Key: KEY."
            refused = problem_response(401, "no_owner_key", detail, path=path, headers=_OWNER_CHALLENGE)
            return self._over_rate(scope, None) or refused  # so that nobody can try many keys
        if self._key_hashes and not key_ok and path not in OPEN_PATHS:
            detail = "Give a valid API key: Authorization: Bearer KEY, or X-API-Key: KEY."
            return problem_response(401, "no_key", detail, path=path, headers=_CHALLENGE)
        return self._over_rate(scope, key if key_ok else None)

    def _is_known(self, key: str, owners: bool) -> bool:
        """Whether it is the owner's key, or where others do, one of the others."""
        given = _digest(key)
        owner = self._owner_hash is not None and hmac.compare_digest(given, self._owner_hash)
        # Every key is compared, so that the time says nothing about which one was close.
        matches = [hmac.compare_digest(given, known) for known in self._key_hashes]
        return owner or (any(matches) and not owners)

    def _over_rate(self, scope: Scope, key: str | None) -> ProblemResponse | None:
        path: str = scope["path"]
        if self._limiter is None or path in UNLIMITED_PATHS or path.startswith("/static/"):
            return None
        client = scope.get("client")
        who = _digest(key).hex() if key is not None else (client[0] if client else "unknown")
        wait = self._limiter.take(who)
        if wait <= 0:
            return None
        detail = f"Too many requests; try again in {max(1, round(wait))} s."
        return problem_response(429, "rate_limited", detail, path=path, headers=retry_after(wait))


class RateLimiter:
    """A token bucket a client: ``per_minute`` requests at once, refilled evenly over a minute.

    Holds at most :data:`CLIENTS_KEPT` clients; the one unseen for longest is forgotten first.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take one request.

        Returns:
            0 when it may go ahead, else the seconds until the next one may.
        """
        now = self._clock()
        tokens, at = self._buckets.pop(client, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - at) * self._per_second)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > CLIENTS_KEPT:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._per_second


def given_key(headers: Headers) -> tuple[str | None, bool]:
    """The API key in a request, and whether a browser sends it by itself (Basic)."""
    direct = headers.get("x-api-key")
    if direct:
        return direct, False
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip(), False
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None, True
        return decoded.partition(":")[2] or None, True
    return None, False


def is_owners(path: str) -> bool:
    """Whether a path is the dashboard's, or one of the routes behind it."""
    return any(path == start or path.startswith(f"{start}/") for start in OWNER_PATHS)


def is_cross_origin(headers: Headers) -> bool:
    """Whether a browser says that the request comes from a page of another origin."""
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2].lower() != headers.get("host", "").lower()
    return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


def host_name(host: str) -> str:
    """``Host`` without its port, in lower case: ``[::1]:8000`` gives ``::1``."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _policy_for(path: str) -> str:
    return TOOL_CSP if path.startswith(("/shop/", "/docs")) else PAGE_CSP


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


_OWNER_CHALLENGE = {
    "WWW-Authenticate": 'Bearer realm="owner", Basic realm="owner: any name, the owner key as password"'
}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="shopfloor", Basic realm="shopfloor: any name, the key as password"'}
