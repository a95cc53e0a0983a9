"""The twin of a run's server-sent events as a WebSocket; it can also cancel the run."""

import asyncio
from contextlib import aclosing, suppress
from typing import Annotated, Final
from uuid import UUID

import orjson
from fastapi import Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from app.agents import events, runs
from app.agents.errors import RunOver
from app.api.routes import Router
from app.api.sockets import CLOSED, admitted, message_of, token_of
from app.auth.principal import Principal
from app.core.errors import AppError, BadRequest
from app.db.session import session_scope

SCOPE: Final = "agents:run"

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
        principal = await admitted(socket, await token_of(socket), SCOPE)
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
            if (await message_of(socket)).get("cancel") is not True:
                raise BadRequest
            with suppress(RunOver):
                async with session_scope(principal.actor) as session:
                    await runs.cancel_run(session, principal, run_id)
            events.wake(run_id)
