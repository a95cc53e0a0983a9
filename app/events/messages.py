"""How messages are written: as server-sent events, and as the text of a WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.openapi import event_stream
from app.core.errors import AppError
from app.db.runtime import current
from app.events import measures
from app.events.errors import TooSlow
from app.events.following import Told
from app.events.schemas import EventRead

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY: Final = b"retry: 2000\n"
CURSOR: Final[dict[str, Any]] = {"type": "object", "properties": {"cursor": {"type": "string"}}, "required": ["cursor"]}
BATCH: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "cursor": {"type": "string"},
        "changes": {"type": "array", "items": EventRead.model_json_schema(mode="serialization")},
    },
    "required": ["cursor", "changes"],
}
DOCUMENTED: Final = event_stream(ready=CURSOR, changes=BATCH, alive=CURSOR, reset=CURSOR)


def _content(told: Told) -> dict[str, Any]:
    content: dict[str, Any] = {"cursor": told.cursor}
    if told.kind == "changes":
        content["changes"] = told.changes
    return content


def as_text(told: Told) -> str:
    """A message as JSON."""
    return orjson.dumps({"type": told.kind, **_content(told)}).decode()


def as_event(told: Told) -> bytes:
    """A message as a server-sent event."""
    data = orjson.dumps(_content(told))
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (told.cursor.encode(), told.kind.encode(), data)


class EventStream(StreamingResponse):
    """Messages as server-sent events, until they end, or somebody takes none for too long."""

    media_type = "text/event-stream"

    def __init__(self, first: Told, following: AsyncGenerator[Told, None]) -> None:
        super().__init__(_events(first, following), headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them; whoever is too slow is cut off, and goes on from the cursor they have."""
        seconds = current().settings.event_send_seconds

        with measures.counted("sse") as end:

            async def in_time(message: Any) -> None:
                try:
                    async with asyncio.timeout(seconds):
                        await send(message)
                except TimeoutError:
                    end.reason = TooSlow.code()
                    raise

            with suppress(TimeoutError, ClientDisconnect):
                await super().__call__(scope, receive, in_time)


async def _events(first: Told, following: AsyncGenerator[Told, None]) -> AsyncIterator[bytes]:
    async with aclosing(following):
        yield RETRY + as_event(first)
        try:
            async for told in following:
                measures.told.labels("sse").inc(len(told.changes))
                yield as_event(told)
        except AppError:  # it has to end, and a client that asks again is told why
            return
