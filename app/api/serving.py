"""How uvicorn ends: `uvicorn app.main:app --http app.api.serving:DrainingProtocol`.

When it is told to stop, uvicorn closes each connection that no request is being answered on, though one may have been
sent already. Here such a connection is served for a moment longer, so that a restart cuts off nobody. Streams that have
no end are told to end.

Answers are sent without delay also on a socket that was handed over by its number (`--fd`), which uvicorn takes for one
that is not TCP: else the body of each answer waits for the client to acknowledge its head, 40 ms on Linux (RFC 896).
"""

import asyncio
from contextlib import suppress
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.draining import drain

SETTLE_SECONDS: Final = 0.5


class PromptProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose answers are sent as soon as they are written."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop for each new connection."""
        connection = transport.get_extra_info("socket")
        with suppress(OSError):  # one that is not TCP
            connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        super().connection_made(transport)


class DrainingProtocol(PromptProtocol):
    """HTTP/1.1 whose quiet connections are closed a moment after the server was told to stop."""

    def shutdown(self) -> None:
        """Called by the server, once it takes no new connections."""
        drain()
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(SETTLE_SECONDS, self._close)
        else:
            super().shutdown()

    def _close(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
