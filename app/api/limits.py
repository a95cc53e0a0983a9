"""What is refused before anything is parsed or anybody is authenticated: size, malformed JSON, rate."""

import hashlib
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import render_error
from app.core.config import Settings
from app.core.errors import AppError, BadRequest, TooLarge, TooManyRequests

MULTIPART_OVERHEAD_BYTES = 64 * 1024
CONSUMER: Final = "consumer"  # in the state of a request that a marketplace vouches for: its principal
WINDOW_SECONDS = 60
MOST_CALLERS = 50_000
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
WEBHOOKS = "/v1/payments/webhooks/"
UNLIMITED = ("/health/", "/metrics", WEBHOOKS)


class BodyTooLarge(TooLarge):
    """The body is larger than this route takes."""

    title = "The request is too large"


class WebhookTooLarge(BadRequest):
    """No provider sends a webhook of this size."""

    title = "The webhook is not valid"


class InvalidJson(BadRequest):
    """The body is not JSON (RFC 8259), is nested too deep, or has NaN, Infinity or unpaired surrogates in it."""

    title = "The body is not valid JSON"


class RateExceeded(TooManyRequests):
    """More requests than allowed in this minute."""

    title = "Too many requests in a short time"


@dataclass(frozen=True, slots=True)
class UploadRoute:
    """A route that takes files; its pattern is matched against the whole path."""

    method: str
    pattern: re.Pattern[str]
    most: str = "max_upload_bytes"
    """The setting that says how large its files may be."""


UPLOADS = (
    UploadRoute("POST", re.compile(r"/v1/vault/documents")),
    UploadRoute("POST", re.compile(r"/v1/vault/(uploads|imports)")),
    UploadRoute("PATCH", re.compile(r"/v1/vault/uploads/[^/]+")),
    UploadRoute("POST", re.compile(r"/v1/vault/documents/[^/]+/versions")),
    UploadRoute("PUT", re.compile(r"/v1/vault/documents/[^/]+/content")),
    UploadRoute("POST", re.compile(r"/v1/nominees/(visit/cases/[^/]+|pages)/proofs"), "max_proof_bytes"),
    UploadRoute("POST", re.compile(r"/openai/v1/files")),
    UploadRoute("POST", re.compile(r"/v1/vault/sealed/.*"), "sealed_body_bytes"),
    UploadRoute("PUT", re.compile(r"/v1/vault/sealed/.*"), "sealed_body_bytes"),
)


class LimitRate:
    """ASGI middleware that holds every caller to the rates of the settings."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings
        self._rates = Rates(settings.rate_limit_per_minute, settings.anonymous_rate_limit_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            send = self._within_rate(scope, send)
        except AppError as error:
            await render_error(HTTPConnection(scope), error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _within_rate(self, scope: Scope, send: Send) -> Send:
        if not self._rates.active or scope["path"].startswith(UNLIMITED) or CONSUMER in scope.get("state", {}):
            return send
        caller = _caller(scope, self._settings.trusted_proxies)
        rate = self._rates.count(caller)

        async def send_with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":  # never of a WebSocket, which tells no rates
                message["headers"] = [*message.get("headers", []), *rate.headers]
                self._rates.learn(caller, accepted=message["status"] != 401)
            await send(message)

        return send_with_rate


class LimitBody:
    """ASGI middleware that holds every body to the sizes of the settings, and JSON to its standard."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            receive = await self._within_size(scope, receive)
        except AppError as error:
            await render_error(Request(scope), error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _within_size(self, scope: Scope, receive: Receive) -> Receive:
        most = self._most_bytes(scope)
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > most:
            error = WebhookTooLarge if scope["path"].startswith(WEBHOOKS) else BodyTooLarge
            raise error(f"At most {most} bytes are accepted here")
        if b"json" in headers.get(b"content-type", b""):
            return await self._strict_json(receive, most)
        return _counted(receive, most)

    def _most_bytes(self, scope: Scope) -> int:
        for route in UPLOADS:
            if scope["method"] == route.method and route.pattern.fullmatch(scope["path"]):
                most: int = getattr(self._settings, route.most)
                return most + MULTIPART_OVERHEAD_BYTES
        return self._settings.max_body_bytes

    async def _strict_json(self, receive: Receive, most: int) -> Receive:
        """Read the whole body and refuse what Python's parser lets pass but RFC 8259 and PostgreSQL do not."""
        counted = _counted(receive, most)
        body, more = b"", True
        while more:
            message = await counted()
            if message["type"] == "http.disconnect":
                return _replay(message)
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if body:
            check_json(body, self._settings.max_json_depth)
        return _replay({"type": "http.request", "body": body, "more_body": False}, receive)


def check_json(body: bytes, max_depth: int) -> None:
    """Raises `InvalidJson`."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidJson from None
    if body.count(b"[") + body.count(b"{") > max_depth and _depth(body) > max_depth:
        raise InvalidJson(f"JSON may be nested {max_depth} levels deep at most")


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for byte in re.sub(rb"[^\[\]{}]", b"", STRINGS.sub(b"", body)):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _replay(message: Message, receive: Receive | None = None) -> Receive:
    messages = [message]

    async def next_message() -> Message:
        if messages:
            return messages.pop()
        return await receive() if receive else {"type": "http.disconnect"}

    return next_message


def _counted(receive: Receive, most: int) -> Receive:
    seen = 0

    async def next_message() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise BodyTooLarge(f"At most {most} bytes are accepted here")
        return message

    return next_message


@dataclass(slots=True)
class Rate:
    """How much of its limit a caller has used in this window."""

    limit: int
    used: int
    resets_in: int

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """`RateLimit` and `RateLimit-Policy` (IETF draft-ietf-httpapi-ratelimit-headers)."""
        left = max(self.limit - self.used, 0)
        policy = f'"default";q={self.limit};w={WINDOW_SECONDS}'
        return [
            (b"ratelimit-policy", policy.encode()),
            (b"ratelimit", f'"default";r={left};t={self.resets_in}'.encode()),
        ]


@dataclass(frozen=True, slots=True)
class Caller:
    """A bearer of a token, known by its digest, or an address."""

    key: bytes
    address: bytes


class Rates:
    """Fixed windows of one minute for each caller, kept by each process for itself.

    A token counts for itself only once it was accepted; until then its requests count for the address.
    """

    def __init__(self, per_principal: int, per_address: int) -> None:
        self._per_principal = per_principal
        self._per_address = per_address
        self._accepted: OrderedDict[bytes, None] = OrderedDict()
        self._used: dict[bytes, int] = {}
        self._window = 0

    @property
    def active(self) -> bool:
        """Whether there is any limit."""
        return bool(self._per_principal or self._per_address)

    def count(self, caller: Caller) -> Rate:
        """Count one request. Raises `RateExceeded`."""
        now = time.time()
        window = int(now // WINDOW_SECONDS)
        if window != self._window or len(self._used) > MOST_CALLERS:
            self._window, self._used = window, {}
        known = caller.key in self._accepted
        key = caller.key if known else caller.address
        limit = self._per_principal if known else self._per_address
        used = self._used[key] = self._used.get(key, 0) + 1
        rate = Rate(limit, used, int((window + 1) * WINDOW_SECONDS - now) + 1)
        if limit and used > limit:
            headers = {name.decode(): value.decode() for name, value in rate.headers}
            raise RateExceeded(headers={**headers, "Retry-After": str(rate.resets_in)})
        return rate

    def learn(self, caller: Caller, *, accepted: bool) -> None:
        """Remember whether a token was accepted."""
        if caller.key == caller.address:
            return
        if accepted:
            self._accepted[caller.key] = None
            if len(self._accepted) > MOST_CALLERS:
                self._accepted.popitem(last=False)
        else:
            self._accepted.pop(caller.key, None)


def _caller(scope: Scope, trusted: tuple[str, ...]) -> Caller:
    headers = dict(scope["headers"])
    address = client_address(scope, trusted).encode()
    token = headers.get(b"authorization")
    return Caller(hashlib.sha256(token).digest() if token else address, address)


def client_address(scope: Scope, trusted: tuple[str, ...]) -> str:
    """The caller's address; X-Forwarded-For is believed from trusted proxies only, from the right."""
    address: str = scope["client"][0] if scope.get("client") else "unknown"
    if address not in trusted:
        return address
    forwarded = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode("latin-1")
    hops: list[str] = [part.strip() for part in forwarded.split(",")]
    return next((hop for hop in reversed(hops) if hop and hop not in trusted), address)
