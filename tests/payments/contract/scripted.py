"""A real HTTP server that says what it is told to, and keeps what it was asked."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: str


class Drop:
    """Read the request and close the connection."""


class Hang:
    """Read the request and say nothing."""


Said = tuple[int, bytes] | Drop | Hang


@dataclass
class Scripted:
    """`script` is what it says, one after the other; the last goes on."""

    url: str = ""
    script: deque[Said] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)

    def say(self, *said: Said) -> None:
        self.script = deque(said)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await _head(reader):
                await self._answer(head, reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = first.split(" ")
        self.asked.append(Asked(method, target, headers, body.decode()))
        said = self.script.popleft() if len(self.script) > 1 else self.script[0]
        if isinstance(said, Drop):
            raise ConnectionResetError
        if isinstance(said, Hang):
            await reader.read()
            raise ConnectionResetError
        status, content = said
        writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (status, len(content)) + content)
        await writer.drain()


async def _head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
    except asyncio.IncompleteReadError:
        return ""


def said(http_status: int, /, **body: Any) -> Said:
    return http_status, json.dumps(body).encode()


def refused(status: int, type: str, **more: str) -> Said:
    return said(status, error={"type": type, "message": "words that stay there", **more})


@asynccontextmanager
async def scripted_server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(scripted.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield scripted
    server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
