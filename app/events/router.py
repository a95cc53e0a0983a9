"""Live events: as server-sent events, and as a WebSocket."""

import asyncio
import time
from contextlib import aclosing, suppress
from typing import Annotated, Final
from uuid import UUID

from fastapi import Header, Query, Request, Security, WebSocket
from pydantic import WithJsonSchema
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from app.api.deps import SessionDep, get_principal, oauth2
from app.api.pages import CURSOR, CursorText, InvalidCursor, parse_cursor
from app.api.problems import OUTAGES, outage_of, problems, render_error
from app.api.routes import Router
from app.api.sockets import CLOSED, OriginRefused, admitted, check_origin, token_of
from app.auth import service as auth
from app.auth.principal import Principal
from app.core.errors import AppError
from app.db.runtime import current
from app.db.session import session_scope
from app.events import measures
from app.events.errors import SocketsUnavailable, TooManyStreams, TooSlow
from app.events.following import SCOPE, Subscription, follow
from app.events.messages import DOCUMENTED, EventStream, as_text
from app.vault import service as vaults
from app.vault.errors import VaultNotFound

LAMBDA: Final = "aws.event"  # in the scope of a request that Mangum brings: its answer is sent when it is whole
RESTARTS: Final = 1_012  # service restart (IANA, WebSocket Close Code Number Registry)
MOST_VAULTS: Final = 100
GOODBYE_SECONDS: Final = 2.0

router = Router(tags=["events"])

Reader = Annotated[Principal, Security(get_principal, scopes=[SCOPE])]
Token = Annotated[str | None, Security(oauth2)]
Since = Annotated[
    CursorText | None, Query(description="`cursor` of the last message, or `until` of the feed; left out: from now on.")
]
LastEventId = Annotated[
    str | None,
    Header(description="The cursor of the last message, as a browser sends it by itself."),
    WithJsonSchema({"type": "string", "pattern": CURSOR.pattern}),
]
OfVaults = Annotated[
    list[UUID] | None, Query(max_length=MOST_VAULTS, description="Only what concerns these vaults; may be repeated.")
]


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": DOCUMENTED},
        **problems(VaultNotFound, InvalidCursor, TooManyStreams, SocketsUnavailable),
    },
)
async def follow_events(
    request: Request,
    principal: Reader,
    token: Token,
    session: SessionDep,
    since: Since = None,
    vault_ids: OfVaults = None,
    last_event_id: LastEventId = None,
) -> EventStream:
    """Be told at once of what changes: in your vaults, of your reminders, jobs, runs of agents and notifications.

    Ask with `Accept: text/event-stream` to stay connected; without, the answer ends with what there is now, as it does
    where nothing can stay open (functions). Begin with `until` of `GET /v1/vault/changes`: nothing is left out between
    the two. Each message has a `cursor`, which is its `id` here; after a break go on from the last one. Something may
    be told twice, nothing is left out. Messages name things and contents are asked for.

    - `ready`: you are told of what follows.
    - `changes`: what has changed.
    - `alive`: nothing has for a while (20 seconds by default). If that fails to come, connect again.
    - `reset`: your cursor was too old: read the feed anew from the beginning, and go on here.

    The same as a WebSocket: `wss://…/v1/events` with the same parameters. It takes the header Authorization, or a first
    message `{"token": "…"}`. Messages are JSON, with their name as `type`. It is closed with 4401 when the token or
    the session has ended, with 4400, 4403, 4404, 4429 and 4503 for what these statuses mean, with 4408 if you take no
    messages, and with 1012 before a restart: connect again.
    """
    if request.headers.get("upgrade", "").lower() == "websocket":
        raise SocketsUnavailable
    began, went_on = parse_cursor(since), parse_cursor(last_event_id)
    subscription = Subscription(
        principal=principal,
        since=went_on or began,
        vault_ids=vault_ids or None,
        until=_end_of(token),
        wait=EventStream.media_type in request.headers.get("accept", "") and LAMBDA not in request.scope,
    )
    if vault_ids:
        await vaults.require_vaults(session, principal, vault_ids, any_tier=True)
    await session.commit()  # nobody holds a connection of the database while nothing happens
    messages = follow(subscription)
    return EventStream(await anext(messages), messages)


def _end_of(token: str | None) -> float | None:
    """When a token ends, by `time.monotonic`."""
    seconds = auth.seconds_left(token) if token else None
    return None if seconds is None else time.monotonic() + seconds


@router.websocket("/events")
async def follow_events_by_socket(socket: WebSocket, since: Since = None, vault_ids: OfVaults = None) -> None:
    """Tell of what changes; see `follow_events`."""
    try:
        check_origin(socket, current().settings.cors_origins)
    except OriginRefused as refusal:
        await render_error(socket, refusal)(socket.scope, socket.receive, socket.send)
        return
    await socket.accept()
    with measures.counted("websocket") as end:
        code, end.reason = await _outcome(socket, since, vault_ids)
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await socket.close(code, end.reason)


async def _outcome(socket: WebSocket, since: str | None, vault_ids: list[UUID] | None) -> tuple[int, str]:
    """Tell until it ends; returns the code and the reason to close with."""
    try:
        subscription = await _subscription(socket, since, vault_ids)
        return await _tell_while_there(socket, subscription)
    except WebSocketDisconnect:
        return 1_000, "gone"
    except AppError as error:
        return CLOSED + error.status, error.code()
    except OUTAGES as error:
        outage = outage_of(error)
        if not isinstance(outage, AppError):
            raise
        return CLOSED + outage.status, outage.code()


async def _subscription(socket: WebSocket, since: str | None, vault_ids: list[UUID] | None) -> Subscription:
    token = await token_of(socket)
    principal = await admitted(socket, token, SCOPE)
    if vault_ids:
        async with session_scope(principal.actor) as session:
            await vaults.require_vaults(session, principal, vault_ids, any_tier=True)
    return Subscription(principal, parse_cursor(since), vault_ids or None, _end_of(token))


async def _tell_while_there(socket: WebSocket, subscription: Subscription) -> tuple[int, str]:
    telling = asyncio.create_task(_tell(socket, subscription))
    listening = asyncio.create_task(_until_gone(socket))
    try:
        await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, listening):
            task.cancel()
        await asyncio.gather(telling, listening, return_exceptions=True)
    if telling.cancelled():
        return 1_000, "gone"
    telling.result()
    return RESTARTS, "restart"


async def _tell(socket: WebSocket, subscription: Subscription) -> None:
    """Send messages until the process ends. Raises as `follow`; `TooSlow`, `WebSocketDisconnect`."""
    seconds = current().settings.event_send_seconds
    async with aclosing(follow(subscription)) as messages:
        async for told in messages:
            try:
                async with asyncio.timeout(seconds):
                    await socket.send_text(as_text(told))
            except TimeoutError:
                raise TooSlow from None
            measures.told.labels("websocket").inc(len(told.changes))


async def _until_gone(socket: WebSocket) -> None:
    """Wait until nobody is there any more; what they say besides is not for us."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
