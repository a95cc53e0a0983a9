"""A WebSocket passed on to a service: messages in both directions, whole, as they come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import orjson
from starlette.types import Message, Receive, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.frames import EXTERNAL_CLOSE_CODES, CloseCode
from websockets.typing import Subprotocol

from app.api.sockets import CLOSED, token_of
from app.core.errors import AppError, BadRequest, Unauthorized
from app.core.routing import Service
from app.gateway.errors import PathRefused
from app.gateway.headers import Headers
from app.gateway.upstream import FAILING, Upstream


class _Connect(connect):
    """Never goes where an answer points to."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass
class ClientSocket:
    """The client's end."""

    socket: WebSocket
    accepted: bool = field(default=False, init=False)
    _token: str = field(default="", init=False, repr=False)

    async def token(self) -> str:
        """The token of its first message, `{"token": "…"}`, from who can't send a header. Raises `Unauthorized`."""
        await self.accept(None)
        try:
            self._token = await token_of(self.socket)
        except BadRequest:
            raise Unauthorized from None
        return self._token

    def replayed(self, receive: Receive) -> Receive:
        """What comes from the client, for this application's own route: all of it, what was read here included."""
        token = {"type": "websocket.receive", "text": orjson.dumps({"token": self._token}).decode()}
        read: list[Message] = [token, {"type": "websocket.connect"}] if self.accepted else []

        async def next_message() -> Message:
            return read.pop() if read else await receive()

        return next_message

    def once(self, send: Send) -> Send:
        """What goes to the client, who is let in once."""

        async def but_accept(message: Message) -> None:
            if not (self.accepted and message["type"] == "websocket.accept"):
                await send(message)

        return but_accept

    async def accept(self, subprotocol: str | None) -> None:
        """Let it in, once."""
        if not self.accepted:
            self.accepted = True
            await self.socket.accept(subprotocol)

    async def refuse(self, error: AppError) -> None:
        """Close it, saying why: a socket that was never let in could not be told."""
        await self.accept(None)
        await self.socket.close(CLOSED + error.status, error.code())


async def open_upstream(
    upstream: Upstream, target: bytes, headers: Headers, subprotocols: list[str]
) -> ClientConnection:
    """The service's end. Raises `ServiceResting`, `ServiceUnreachable`, `ServiceTimeout`, `SocketRefused`."""
    upstream.check_breaker()
    service = upstream.service
    try:
        connection = await _Connect(
            _url(service, target),
            additional_headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers],
            subprotocols=[Subprotocol(each) for each in subprotocols] or None,
            open_timeout=service.connect_seconds,
            max_size=service.max_message_bytes,
            user_agent_header=None,
            proxy=None,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if status in FAILING:
            raise upstream.failed(error) from None
        upstream.breaker.succeeded()
        raise SocketRefused(status) from None
    except (OSError, InvalidHandshake, WebSocketException) as error:  # TimeoutError is an OSError
        raise upstream.failed(error) from None
    upstream.breaker.succeeded()
    return connection


class SocketRefused(Exception):
    """The service answered without opening a socket; `status` is its answer's."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


def _url(service: Service, target: bytes) -> str:
    try:
        return f"ws{service.url.removeprefix('http')}{target.decode('ascii')}"
    except UnicodeDecodeError:
        raise PathRefused from None


async def pump(client: ClientSocket, connection: ClientConnection) -> None:
    """Carry messages until one end closes, and close the other one with the same code."""
    inward = asyncio.create_task(_inward(client.socket, connection))
    outward = asyncio.create_task(_outward(client.socket, connection))
    await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
    code, reason = (inward if inward.done() else outward).result()
    if inward.done():
        await connection.close(code, reason)
    else:
        await client.socket.close(code, reason)
    for each in (inward, outward):
        each.cancel()
    await asyncio.gather(inward, outward, return_exceptions=True)


async def _inward(socket: WebSocket, connection: ClientConnection) -> tuple[int, str]:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return _code(message.get("code")), _reason(message)
        content = message.get("text")
        try:
            await connection.send(message["bytes"] if content is None else content)
        except ConnectionClosed:
            await asyncio.Event().wait()  # the other direction knows why


async def _outward(socket: WebSocket, connection: ClientConnection) -> tuple[int, str]:
    try:
        async for message in connection:
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)
    except ConnectionClosed as error:
        broken = error.rcvd is None
        return CloseCode.BAD_GATEWAY if broken else _code(connection.close_code), connection.close_reason or ""
    return _code(connection.close_code), connection.close_reason or ""


def _code(code: int | None) -> int:
    """A code that may be sent: that of a connection that was closed without one may not."""
    known = code is not None and (code in EXTERNAL_CLOSE_CODES or 3_000 <= code < 5_000)
    return cast(int, code) if known else CloseCode.NORMAL_CLOSURE


def _reason(message: Mapping[str, object]) -> str:
    return str(message.get("reason") or "")
