"""A served application, and clients that follow its events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.db.runtime import Runtime
from tests.conftest import application
from tests.factories import TestUser, auth
from tests.serving import served

EVENTS = "/v1/events"
WAIT_SECONDS = 60
Message = dict[str, Any]


@pytest.fixture
async def url(runtime: Runtime) -> AsyncIterator[str]:
    """The application, served by uvicorn."""
    async with served(application(runtime.settings)) as url:
        yield url


class Following:
    """One WebSocket and all that came through it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[Message] = []

    @property
    def cursor(self) -> str:
        return str(self.messages[-1]["cursor"])

    @property
    def changes(self) -> list[Message]:
        return [change for message in self.messages for change in message.get("changes", [])]

    def named(self) -> list[tuple[str, str]]:
        return [(change["kind"], change["change"]) for change in self.changes]

    async def next(self) -> Message:
        async with asyncio.timeout(WAIT_SECONDS):
            self.messages.append(json.loads(await self.socket.recv()))
        return self.messages[-1]

    async def until(self, found: Callable[[], Any]) -> None:
        """Listen until it is so."""
        while not found():
            await self.next()

    async def told_of(self, subject_id: Any) -> Message:
        """Listen until something is told of this; returns the last that was."""
        await self.until(lambda: any(change["subject_id"] == str(subject_id) for change in self.changes))
        return [change for change in self.changes if change["subject_id"] == str(subject_id)][-1]

    async def closed(self) -> tuple[int | None, str | None]:
        """Listen to the end; returns code and reason."""
        try:
            while True:
                await self.next()
        except ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def following(
    url: str, person: TestUser | None = None, *, token: str = "", headers: dict[str, str] | None = None, **query: Any
) -> AsyncIterator[Following]:
    """A WebSocket of a person, by header, or by the first message with `token`; `ready` has come, unless it closed."""
    target = httpx.URL(url.replace("http", "ws", 1) + EVENTS, params=query)
    sent = {**(headers or {}), **(auth(person) if person and not token else {})}
    async with connect(str(target), additional_headers=sent, proxy=None) as socket:
        if token:
            await socket.send(json.dumps({"token": token}))
        listening = Following(socket)
        with suppress(ConnectionClosed):
            await listening.next()
        yield listening


async def events_of(client: httpx.AsyncClient, person: TestUser, **options: Any) -> list[Message]:
    """What there is now, by a request that does not wait."""
    response = await client.get(EVENTS, headers={**auth(person), **options.pop("headers", {})}, params=options)
    assert response.status_code == 200, response.text
    return parsed(response.text)


def parsed(text: str) -> list[Message]:
    """Server-sent events: name as `type`, id, data."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append({"type": fields["event"], "id": fields["id"], **json.loads(fields["data"])})
    return found
