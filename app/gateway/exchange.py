"""One request passed on to a service, and its answer passed back, part by part as they come."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx
from starlette.types import Message, Receive, Scope, Send

from app.api.limits import BodyTooLarge, client_address
from app.auth.principal import Principal
from app.core.config import Settings
from app.core.errors import BadRequest
from app.core.routing import Route
from app.gateway.errors import LoopFound
from app.gateway.headers import Headers, for_client, for_service, moved_location, value_of
from app.gateway.upstream import Upstream

Watch = Callable[[int, Headers, bytes | None], None]
"""Is told the status and headers of an answer, and then each part of its body; None ends it."""


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


@dataclass
class Inbound:
    """The body of a request as it comes, counted; afterwards, whether the client is still there."""

    receive: Receive
    most: int
    seen: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def parts(self) -> AsyncIterator[bytes]:
        """Raises `BodyTooLarge`, `ClientGone`."""
        more = True
        while more:
            message: Message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            self.seen += len(part)
            if self.seen > self.most:
                raise BodyTooLarge(f"At most {self.most} bytes are accepted here")
            more = message.get("more_body", False)
            if part:
                yield part
        self.ended.set()

    async def gone(self) -> None:
        """Returns when the client has left; it is asked once the body has been read."""
        await self.ended.wait()
        while (await self.receive())["type"] != "http.disconnect":
            pass


def told_headers(
    scope: Scope, upstream: Upstream, principal: Principal | None, settings: Settings, request_id: str
) -> Headers:
    """The headers of the request as the service gets it. Raises `LoopFound`."""
    service, given = upstream.service, scope["headers"]
    via = value_of(given, b"via") or b""
    if settings.gateway_name.encode() in via.replace(b",", b" ").split():
        raise LoopFound
    identity_header = service.identity_header.encode("ascii")
    headers = for_service(given, credentials=service.identity == "credentials", identity_header=identity_header)
    headers = [each for each in headers if each[0].lower() != b"via"]
    if upstream.signer is not None:
        kind = b"Bearer " if identity_header.lower() == b"authorization" else b""
        headers.append((identity_header, kind + upstream.signer.sign(principal, request_id).encode("ascii")))
    secure = scope.get("scheme") in ("https", "wss") or settings.public_url.startswith("https:")
    return [
        *headers,
        (b"x-request-id", request_id.encode("ascii")),
        (b"x-forwarded-for", client_address(scope, settings.trusted_proxies).encode("ascii", "replace")),
        (b"x-forwarded-proto", b"https" if secure else b"http"),
        (b"x-forwarded-host", value_of(given, b"host") or b""),
        (b"via", b", ".join(each for each in (via, b"1.1 " + settings.gateway_name.encode()) if each)),
    ]


def body_of(scope: Scope, receive: Receive, most: int) -> tuple[Inbound, bool, Headers]:
    """The body, whether there is one, and the headers that frame it. Raises `BodyTooLarge`, `BadRequest`."""
    declared = value_of(scope["headers"], b"content-length")
    chunked = value_of(scope["headers"], b"transfer-encoding") is not None
    inbound = Inbound(receive, most)
    if declared is None:
        return inbound, chunked, [(b"transfer-encoding", b"chunked")] if chunked else []
    if not declared.isdigit():
        raise BadRequest
    if int(declared) > most:
        raise BodyTooLarge(f"At most {most} bytes are accepted here")
    return inbound, int(declared) > 0, [(b"content-length", declared)]


@dataclass(frozen=True)
class Exchange:
    """How one request goes to a service; `target` is the path and query there."""

    upstream: Upstream
    route: Route
    target: bytes
    headers: Headers
    watch: Watch | None = None

    async def run(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Pass the request on and the answer back; returns its status.

        An answer that breaks off is cut off for the client, too, so that nobody takes it for whole. Raises what
        `Upstream.call` does, `BodyTooLarge`, and `ClientGone` when the client did not wait.
        """
        inbound, has_body, framing = body_of(scope, receive, self.upstream.service.max_body_bytes)
        if not has_body:
            inbound.ended.set()
        headers = [each for each in self.headers if each[0].lower() != b"content-length"] + framing
        passing = asyncio.ensure_future(self._pass(scope["method"], headers, inbound if has_body else None, send))
        leaving = asyncio.ensure_future(inbound.gone())
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not passing.done():
                raise ClientGone
            return passing.result()
        finally:
            for each in (passing, leaving):
                each.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)

    async def _pass(self, method: str, headers: Headers, inbound: Inbound | None, send: Send) -> int:
        response = await self.upstream.call(method, self.target, headers, inbound.parts if inbound else None)
        try:
            return await self._answer(response, send)
        finally:
            await response.aclose()

    async def _answer(self, response: httpx.Response, send: Send) -> int:
        shown = self._shown(response.headers.raw)
        await send({"type": "http.response.start", "status": response.status_code, "headers": shown})
        self._tell(response.status_code, shown, b"")
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101
        try:
            async for part in response.stream:
                await send({"type": "http.response.body", "body": part, "more_body": True})
                self._tell(response.status_code, shown, part)
        except httpx.HTTPError as error:
            raise self.upstream.failed(error) from None
        await send({"type": "http.response.body", "body": b""})
        self._tell(response.status_code, shown, None)
        return response.status_code

    def _shown(self, given: Headers) -> Headers:
        credentials = self.upstream.service.identity == "credentials"
        shown = for_client(given, cookies=credentials)
        location = value_of(shown, b"location")
        if location is None:
            return shown
        route, service = self.route, self.upstream.service
        inside = route.prefix if route.service_prefix is None else route.service_prefix
        moved = moved_location(location, service.url, inside, route.prefix)
        rest = [each for each in shown if each[0] != b"location"]
        return rest if moved is None else [*rest, (b"location", moved)]

    def _tell(self, status: int, headers: Headers, part: bytes | None) -> None:
        if self.watch is not None:
            self.watch(status, headers, part)
