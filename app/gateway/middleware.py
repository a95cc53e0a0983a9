"""The gateway: requests of its routes are passed on to older services, or answered here, as its table says."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api.limits import client_address
from app.api.problems import OUTAGES, outage_of, render_error
from app.api.routes import FOUND
from app.api.sockets import CLOSED
from app.auth.principal import Principal
from app.core.config import Settings
from app.core.errors import AppError, Unauthorized
from app.core.routing import OWN_PREFIX, Route, RoutingTable, TableFile
from app.db.runtime import current, when_closing
from app.gateway import measures
from app.gateway.choosing import Side, depends_on_caller, find, is_shadowed, moved, side_of
from app.gateway.errors import ServiceNotFound, ServiceUnsigned
from app.gateway.exchange import ClientGone, Exchange, told_headers
from app.gateway.identity import admitted, check_scopes, may_pass, signer_of
from app.gateway.shadow import Seen, Shadows
from app.gateway.sockets import ClientSocket, SocketRefused, open_upstream, pump
from app.gateway.upstream import Upstream

EVENT_STREAM: Final = "text/event-stream"
UNSIGNED_SECONDS: Final = "60"


@dataclass(frozen=True, slots=True)
class Passed:
    """The route of a request that is passed on, for logs and metrics."""

    path_format: str


class Gateway:
    """ASGI middleware, see the module's title. Requests that are no route's go through untouched."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.shadows = Shadows()
        self._settings = settings
        self._file = TableFile(settings.gateway_file) if settings.gateway_file else None
        self._table = self._file.table if self._file else (settings.gateway_table or RoutingTable())
        self._routes = self._table.all_routes
        self._features = {**settings.features, **self._table.features}
        self._upstreams: dict[str, Upstream] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._opened = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        self._follow_table()
        is_http = scope["type"] == "http"
        route = find(self._routes, scope["method"] if is_http else "GET", scope["path"])
        if route is not None:
            await (self._request if is_http else self._socket)(route, scope, receive, send)
        elif is_http and scope["path"].startswith(OWN_PREFIX):
            await render_error(Request(scope), ServiceNotFound())(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def close(self) -> None:
        """Close every connection to a service."""
        await self.shadows.close()
        for task in self._retiring:
            task.cancel()
        for upstream in self._upstreams.values():
            await upstream.close()
        self._upstreams.clear()

    async def _request(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        side: Side = "service"
        outcome = "unexpected"
        try:
            side, principal = await self._choose(route, HTTPConnection(scope))
            outcome = await self._answer(route, side, principal, scope, receive, noted)
        except ClientGone:
            outcome = "client-gone"
        except AppError as error:
            outcome = error.code()
            if has_begun:
                raise
            await render_error(Request(scope), error)(scope, receive, send)
        finally:
            scope.setdefault(FOUND, Passed(f"{route.prefix}/{{path}}"))
            measures.requests.labels(route.prefix, side, outcome).inc()

    async def _choose(
        self, route: Route, connection: HTTPConnection, token: str | None = None
    ) -> tuple[Side, Principal | None]:
        """Who answers, and who asks, if it has to be known. Raises as `admitted`, `check_scopes`."""
        if route.local_percent == 100 and not route.shadow_percent:
            return "local", None
        try:
            principal = await admitted(connection, route, token)
        except OUTAGES as error:
            raise outage_of(error) from None
        except Unauthorized:
            if route.local_percent == 100:
                return "local", None  # whoever answers here decides about that
            raise
        address = client_address(connection.scope, self._settings.trusted_proxies)
        side: Side = "service"
        if depends_on_caller(route):
            side = side_of(route, self._features, principal, address)
        if side == "service":
            check_scopes(principal, route)
        return side, principal

    async def _answer(
        self, route: Route, side: Side, principal: Principal | None, scope: Scope, receive: Receive, send: Send
    ) -> str:
        request_id = _request_id(scope)
        shadowed = is_shadowed(route, scope["method"], request_id) and may_pass(principal, route)
        seen = Seen() if shadowed else None
        exchange = None
        if side == "service" or seen:
            exchange = self._exchange(route, scope, principal, seen if side == "service" else None)
        local = _local_scope(scope, route)
        if side == "service":
            assert exchange  # noqa: S101
            with exchange.upstream.held():
                status = await exchange.run(scope, receive, send)
        else:
            status = await _run_local(self.app, local, receive, send, seen)
            scope.update({name: value for name, value in local.items() if name not in ("path", "raw_path")})
        if seen and exchange and not seen.media_type.startswith(EVENT_STREAM):
            self.shadows.start(route.prefix, seen, self._copy(side, exchange, local))
        return f"{status // 100}xx"

    def _exchange(self, route: Route, scope: Scope, principal: Principal | None, seen: Seen | None) -> Exchange:
        upstream = self._upstream(route.service)
        target = moved(_raw_path(scope), route.prefix, route.service_prefix)
        query: bytes = scope.get("query_string", b"")
        headers = told_headers(scope, upstream, principal, self._settings, _request_id(scope))
        return Exchange(
            upstream, route, target + (b"?" + query if query else b""), headers, seen.watch if seen else None
        )

    def _copy(self, side: Side, exchange: Exchange, local: Scope) -> Callable[[Seen], Awaitable[None]]:
        """How the side that did not answer is asked."""

        async def ask(other: Seen) -> None:
            if side == "service":
                copy = {**local, "state": dict(local.get("state", {}))}
                copy.pop(FOUND, None)
                await _run_local(self.app, copy, _no_body(), _nowhere, other)
            else:
                copied = Exchange(exchange.upstream, exchange.route, exchange.target, exchange.headers, other.watch)
                with copied.upstream.held():
                    await copied.run({**local, "headers": []}, _no_body(), _nowhere)

        return ask

    async def _socket(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        client = ClientSocket(WebSocket(scope, receive, send))
        side: Side = "service"
        try:
            side, principal = await self._choose_for_socket(route, client)
            if side == "local":
                await self.app(_local_scope(scope, route), client.replayed(receive), client.once(send))
                outcome = "1xx"
            else:
                outcome = await self._pass_socket(route, client, principal)
        except WebSocketDisconnect:
            outcome = "client-gone"
        except AppError as error:
            outcome = error.code()
            await client.refuse(error)
        measures.requests.labels(route.prefix, side, outcome).inc()

    async def _choose_for_socket(self, route: Route, client: ClientSocket) -> tuple[Side, Principal | None]:
        token = None
        if not route.anonymous and route.local_percent < 100 and "authorization" not in client.socket.headers:
            token = await client.token()
        return await self._choose(route, client.socket, token)

    async def _pass_socket(self, route: Route, client: ClientSocket, principal: Principal | None) -> str:
        exchange = self._exchange(route, client.socket.scope, principal, None)
        wanted = [] if client.accepted else list(client.socket.scope.get("subprotocols", []))
        with exchange.upstream.held():
            try:
                connection = await open_upstream(exchange.upstream, exchange.target, exchange.headers, wanted)
            except SocketRefused as refusal:
                await client.accept(None)
                await client.socket.close(CLOSED + refusal.status)
                return f"{refusal.status // 100}xx"
            async with connection:
                await client.accept(connection.subprotocol)
                await pump(client, connection)
        return "1xx"

    def _upstream(self, name: str) -> Upstream:
        """The service of this name. Raises `ServiceUnsigned`."""
        upstream = self._upstreams.get(name)
        if upstream is None:
            if not self._opened:
                self._opened = True
                when_closing(current(), self.close)
            service = self._table.services[name]
            signer = signer_of(self._settings, name, service)
            if signer is None and service.identity == "signed":
                raise ServiceUnsigned(headers={"Retry-After": UNSIGNED_SECONDS})
            upstream = self._upstreams[name] = Upstream(name, service, signer)
        return upstream

    def _follow_table(self) -> None:
        """Take a table that has changed; services that changed with it are closed when nobody uses them any more."""
        if self._file is None or (table := self._file.table) is self._table:
            return
        for name, upstream in list(self._upstreams.items()):
            if table.services.get(name) != upstream.service:
                del self._upstreams[name]
                task = asyncio.create_task(_retire(upstream))
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
        self._table, self._routes = table, table.all_routes
        self._features = {**self._settings.features, **table.features}


async def _retire(upstream: Upstream) -> None:
    await upstream.unused.wait()
    await upstream.close()


async def _run_local(app: ASGIApp, scope: Scope, receive: Receive, send: Send, seen: Seen | None) -> int:
    """Let the application answer; returns the status."""
    status, headers = 0, list[Any]()

    async def watched(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", []))
        elif seen and message["type"] == "http.response.body":
            seen.watch(status, headers, message.get("body", b""))
            if not message.get("more_body", False):
                seen.watch(status, headers, None)
        await send(message)

    await app(scope, receive, watched)
    return status


def _local_scope(scope: Scope, route: Route) -> Scope:
    """The request as this application's own routes know it. Raises `PathRefused`."""
    if route.local_prefix is None:
        return dict(scope)
    raw = moved(_raw_path(scope), route.prefix, route.local_prefix)
    path = (route.local_prefix + scope["path"].removeprefix(route.prefix)) or "/"
    return {**scope, "path": path, "raw_path": raw}


def _raw_path(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.split(b"?", 1)[0]


def _request_id(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id") or f"{time.time_ns():x}")


def _no_body() -> Receive:
    """A request without a body, by a client that waits."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


async def _nowhere(_message: Message) -> None:
    """An answer that nobody gets."""
