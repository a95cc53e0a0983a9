"""A span for each request: its method, route, status and request id; nothing that was sent."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.observe import METHODS, route_of
from app.core.telemetry import span

CARRIED = frozenset({b"traceparent", b"tracestate"})  # W3C Trace Context


class TraceRequests:
    """ASGI middleware around all others."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "?"
        parent = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in CARRIED}
        with span(method, {"http.request.method": method}, parent) as current:
            try:
                await self.app(scope, receive, noted)
            finally:
                if current is not None:
                    route = route_of(scope)
                    current.update_name(f"{method} {route}")
                    current.set_attribute("http.route", route)
                    current.set_attribute("http.response.status_code", status)
                    current.set_attribute("lifevault.request_id", scope.get("state", {}).get("request_id", ""))
