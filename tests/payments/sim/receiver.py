"""A real little server that takes webhooks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import stripe

from tests.payments.simulator import Simulator


@dataclass
class Receiver:
    """What came, in its order. `plan` are the statuses of the next answers; after them everything is taken."""

    url: str = ""
    plan: list[int] = field(default_factory=list)
    came: list[tuple[str, bytes]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = await reader.readexactly(int(fields["content-length"]))
            self.came.append((fields["stripe-signature"], body))
            status = self.plan.pop(0) if self.plan else 200
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sender has died
        finally:
            writer.close()

    def events(self, secret: str) -> list[Any]:
        """Everything that came, each verified by the official SDK."""
        return [stripe.Webhook.construct_event(body, signature, secret) for signature, body in self.came]

    def ids(self) -> list[str]:
        return [stripe.Webhook.construct_event_without_verification(body).id for _, body in self.came]


@asynccontextmanager
async def receiving(simulator: Simulator) -> AsyncIterator[Receiver]:
    """A server that the simulator is told to send to."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        await simulator.control("/webhook", {"url": receiver.url, "secret": simulator.webhook_secret})
        yield receiver
        await simulator.control("/webhook", {"url": ""})
