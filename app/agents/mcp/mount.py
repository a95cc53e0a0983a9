"""`/mcp`: where hosts of assistants connect. The SDK is imported by the first request that needs it.

Callers are known as on every other route: by an access token or an API key in the header `Authorization`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.deps import enter, get_settings
from app.api.problems import render_error
from app.api.routes import Router
from app.auth.principal import SCOPES, Principal
from app.core.config import Settings
from app.core.errors import AppError, Unauthorized, Unavailable
from app.db.runtime import current, when_closing
from app.db.session import new_session

PATH: Final = "/mcp"
RESOURCE_METADATA: Final = "/.well-known/oauth-protected-resource"
SERVER_METADATA: Final = "/.well-known/oauth-authorization-server"
CALLER: Final = "lifevault.principal"  # in the scope of a request
SHOWN_SCOPES: Final = ("vault:read", "vault:write", "rag:ask", "agents:run")


class McpMissing(Unavailable):
    """The SDK is not installed: it comes with the extra `ai`."""

    title = "MCP is not installed on this server"


class LazyMcp:
    """Builds the MCP application once, at the first request, and keeps its sessions running until `close`."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._lock = asyncio.Lock()
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            scope[CALLER] = await _caller(request)
            async with self._lock:
                app = self._app or await self._start(get_settings(request))
        except AppError as error:
            if isinstance(error, Unauthorized):
                error.headers["WWW-Authenticate"] = _challenge(get_settings(request))
            await render_error(request, error)(scope, receive, send)
            return
        await app(scope, receive, send)

    async def _start(self, settings: Settings) -> ASGIApp:
        try:
            from app.agents.mcp import server  # noqa: PLC0415  a start does not need the SDK
        except ImportError:
            raise McpMissing from None
        app, manager = await asyncio.to_thread(server.make_app, settings)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run(manager, ready))
        await ready
        when_closing(current(), self.close)
        self._app = app
        return app

    async def _run(self, manager: Any, ready: asyncio.Future[None]) -> None:
        async with manager.run():
            ready.set_result(None)
            await self._stop.wait()

    async def close(self) -> None:
        """End the sessions."""
        self._stop.set()
        if self._running:
            await self._running


async def _caller(request: Request) -> Principal:
    """For whom the request is. Raises `Unauthorized`, `TooManyRequests`."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Unauthorized
    async with new_session() as session:
        principal = await enter(session, token, request)
        await session.commit()
    return principal


def _base(settings: Settings) -> str:
    return settings.public_url.rstrip("/")


def _challenge(settings: Settings) -> str:
    return f'Bearer resource_metadata="{_base(settings)}{RESOURCE_METADATA}{PATH}"'


async def _resource_metadata(request: Request) -> Response:
    """Who gives out tokens for `/mcp` (RFC 9728)."""
    settings = get_settings(request)
    foreign = [issuer.issuer for issuer in settings.foreign_issuers]
    return JSONResponse(
        {
            "resource": f"{_base(settings)}{PATH}",
            "resource_name": "LifeVault",
            "authorization_servers": [_base(settings), *foreign],
            "scopes_supported": list(SHOWN_SCOPES),
            "bearer_methods_supported": ["header"],
            "resource_documentation": f"{_base(settings)}/docs",
        }
    )


async def _server_metadata(request: Request) -> Response:
    """How this service gives out tokens itself (RFC 8414): for a password, and API keys to the signed-in person."""
    base = _base(get_settings(request))
    return JSONResponse(
        {
            "issuer": base,
            "token_endpoint": f"{base}/v1/auth/token",
            "grant_types_supported": ["password", "refresh_token"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": list(SCOPES),
            "service_documentation": f"{base}/docs",
        }
    )


class _Mcp:
    """The MCP application that belongs to the application asked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["app"].state
        if not hasattr(state, "mcp"):
            state.mcp = LazyMcp()
        await state.mcp(scope, receive, send)


ENDPOINTS: Final[Mapping[str, Any]] = {
    f"{RESOURCE_METADATA}{PATH}": _resource_metadata,
    SERVER_METADATA: _server_metadata,
    PATH: _Mcp(),
}

router = Router(routes=[Route(path, endpoint, include_in_schema=False) for path, endpoint in ENDPOINTS.items()])
