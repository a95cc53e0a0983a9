"""The outermost layer: request id, security headers, one log line and one observation for each request.

A WebSocket gets a request id and, when it has ended, a log line.
"""

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import note_unexpected, render_unexpected
from app.api.routes import FOUND
from app.core.clock import new_id
from app.core.logging import bound, write_line

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
API_POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-site"),
]
FAULT = 1_011  # internal error (RFC 6455 §7.4.1)
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")

duration = Histogram(
    "lifevault_http_request_duration_seconds",
    "Time until the last byte of the answer.",
    ["method", "route"],
    buckets=SECONDS,
)
answers = Counter("lifevault_http_requests_total", "Answers by route and status.", ["method", "route", "status"])
in_flight = Gauge("lifevault_http_requests_in_flight", "Requests that are being answered.", multiprocess_mode="livesum")


class Observe:
    """ASGI middleware, see the module's title; it logs ids, route, status and time, nothing that was sent."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        self._headers = SECURITY_HEADERS + [STRICT_TRANSPORT] * https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, request_id)
            return
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._complete(list(message.get("headers", [])), request_id)
            await send(message)

        in_flight.inc()
        with bound(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_headers)
            except Exception as error:
                response = render_unexpected(Request(scope), error)
                if status:  # too late for another answer: the connection is cut, so that nobody takes it for whole
                    raise
                await response(scope, receive, send_with_headers)
            finally:
                in_flight.dec()
                _record(scope, request_id, status, time.perf_counter() - started)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        with bound(request_id=request_id):
            try:
                await self.app(scope, receive, send)
            except Exception as error:
                note_unexpected(error)
                with suppress(RuntimeError, OSError):  # it may be closed already
                    await send({"type": "websocket.close", "code": FAULT})
            finally:
                seconds = round(time.perf_counter() - started, 2)
                write_line("socket", request_id=request_id, route=route_of(scope), seconds=seconds)

    def _complete(self, headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in headers}
        headers.append((b"x-request-id", request_id.encode()))
        headers += self._headers
        if b"cache-control" not in present:
            headers.append((b"cache-control", b"no-store"))
        if b"content-security-policy" not in present:
            headers.append((b"content-security-policy", API_POLICY))
        return headers


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return str(new_id())


def route_of(scope: Scope) -> str:
    """The template of the route, such as /v1/vault/items/{item_id}; `unmatched` if there is none."""
    found: Any = scope.get(FOUND) or scope.get("route")
    return getattr(found, "path_format", None) or "unmatched"


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one route: looking them up by their labels costs more than using them."""

    duration: Histogram
    answers: Counter


@lru_cache(maxsize=4_096)
def _measures(method: str, route: str, status: int) -> Measures:
    return Measures(duration.labels(method, route), answers.labels(method, route, status))


def _record(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    route, method = route_of(scope), scope["method"] if scope["method"] in METHODS else "?"
    measures = _measures(method, route, status)
    measures.duration.observe(seconds)
    measures.answers.inc()
    write_line(
        "request",
        request_id=request_id,
        method=method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 2),
    )
