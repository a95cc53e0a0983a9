"""How uvicorn ends: `uvicorn app.main:app --http app.api.serving:DrainingProtocol`.

When it is told to stop, uvicorn closes each connection that no request is being answered on, though one may have been
sent already. Here such a connection is served for a moment longer, so that a restart cuts off nobody. Streams that have
no end are told to end.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.draining import drain

SETTLE_SECONDS: Final = 0.5


class DrainingProtocol(HttpToolsProtocol):
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
