"""WebSockets: who is at the other end, what they send, and with which code they are told why it ends."""

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.api.deps import enter
from app.auth.principal import Principal
from app.core.errors import BadRequest, Forbidden, Unauthorized
from app.db.session import new_session

CLOSED: Final = 4_000
"""Added to the status of an error it is the code that a socket is closed with: 4401, 4403, 4404, …"""
TOKEN_SECONDS: Final = 15.0
MOST_CHARACTERS: Final = 10_000


class OriginRefused(Forbidden):
    """A web page of an origin that may not call the API."""

    title = "Web pages of this origin may not call the API"


def check_origin(socket: WebSocket, origins: tuple[str, ...]) -> None:
    """See that a browser's page may call the API (RFC 6455 §10.2); other clients name no origin, or this host.

    Raises `OriginRefused`.
    """
    origin = socket.headers.get("origin")
    if origin is None or "*" in origins or origin in origins:
        return
    if urlsplit(origin).netloc != socket.headers.get("host"):
        raise OriginRefused


async def token_of(socket: WebSocket) -> str:
    """The bearer token: of the header, or of a first message `{"token": "…"}`.

    Raises `Unauthorized`, `BadRequest`, `WebSocketDisconnect`.
    """
    kind, _, token = socket.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                token = str((await message_of(socket)).get("token") or "")
        except TimeoutError:
            raise Unauthorized from None
    if not token:
        raise Unauthorized
    return token


async def admitted(socket: WebSocket, token: str, scope: str) -> Principal:
    """Whom a token speaks for. Raises `Unauthorized`, `Forbidden`, `TooManyRequests`."""
    async with new_session() as session:
        principal = await enter(session, token, socket)
        await session.commit()
    if scope not in principal.scopes:
        raise Forbidden(f"The token lacks the scope {scope}")
    return principal


async def message_of(socket: WebSocket) -> dict[str, Any]:
    """The next message. Raises `BadRequest`, `WebSocketDisconnect`."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1_000))
    try:
        sent = orjson.loads((message.get("text") or "")[:MOST_CHARACTERS])
    except orjson.JSONDecodeError:
        raise BadRequest from None
    if not isinstance(sent, dict):
        raise BadRequest
    return sent
