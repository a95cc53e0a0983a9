"""The twin of a run's server-sent events as a WebSocket; it can also cancel the run."""

import asyncio
from contextlib import aclosing, suppress
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from app.agents import events, runs
from app.agents.errors import RunOver
from app.api.deps import enter
from app.api.routes import Router
from app.auth.principal import Principal
from app.core.errors import AppError, BadRequest, Forbidden, Unauthorized
from app.db.session import new_session, session_scope

SCOPE: Final = "agents:run"
CLOSED: Final = 4_000
"""Added to the status of an error it is the code that a socket is closed with: 4401, 4403, 4404, …"""
TOKEN_SECONDS: Final = 15.0
MOST_CHARACTERS: Final = 10_000

router = Router(prefix="/agents")


@router.websocket("/runs/{run_id:uuid}/socket")
async def follow_run(
    socket: WebSocket, run_id: UUID, last_event_id: Annotated[int, Query(ge=0, le=999_999_999)] = 0
) -> None:
    """Watch a run, after the event `last_event_id`: messages `{"id", "event", "data"}` until it rests.

    Who can't send the header `Authorization` sends `{"token": "…"}` first. `{"cancel": true}` ends the run.
    """
    await socket.accept()
    try:
        principal = await _caller(socket)
        async with session_scope(principal.actor) as session:
            await runs.find(session, principal, run_id)
    except AppError as error:
        await socket.close(CLOSED + error.status, error.code())
        return
    except WebSocketDisconnect:
        return
    listening = asyncio.create_task(_listen(socket, principal, run_id))
    with suppress(WebSocketDisconnect):
        await _tell(socket, principal, run_id, last_event_id, listening)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def _caller(socket: WebSocket) -> Principal:
    """Who is at the other end. Raises `Unauthorized`, `Forbidden`, `TooManyRequests`, `BadRequest`."""
    kind, _, token = socket.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                token = str((await _message(socket)).get("token") or "")
        except TimeoutError:
            raise Unauthorized from None
    if not token:
        raise Unauthorized
    async with new_session() as session:
        principal = await enter(session, token, socket)
        await session.commit()
    if SCOPE not in principal.scopes:
        raise Forbidden(f"The token lacks the scope {SCOPE}")
    return principal


async def _message(socket: WebSocket) -> dict[str, Any]:
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


async def _tell(
    socket: WebSocket, principal: Principal, run_id: UUID, after: int, listening: asyncio.Task[None]
) -> None:
    """Send what happens until the run rests or nobody is there any more."""
    async with aclosing(runs.stream_run(principal, run_id, after=after)) as coming:
        async for event in coming:
            if listening.done():
                break
            if event:
                told = {"id": event.ordinal, "event": event.kind, "data": event.data}
                await socket.send_text(orjson.dumps(told).decode())
    error = listening.exception() if listening.done() and not listening.cancelled() else None
    if isinstance(error, AppError):
        await socket.close(CLOSED + error.status, error.code())
    elif not listening.done():
        await socket.close()


async def _listen(socket: WebSocket, principal: Principal, run_id: UUID) -> None:
    """Do what the client asks for; returns when it has gone. Raises `BadRequest`."""
    with suppress(WebSocketDisconnect):
        while True:
            if (await _message(socket)).get("cancel") is not True:
                raise BadRequest
            with suppress(RunOver):
                async with session_scope(principal.actor) as session:
                    await runs.cancel_run(session, principal, run_id)
            events.wake(run_id)
