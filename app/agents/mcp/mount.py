"""Where MCP hangs in the application; the SDK is imported by the first request that needs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.config import Settings

PATHS = ("/mcp", "/.well-known/oauth-protected-resource/mcp")


class LazyMcp:
    """Builds the MCP application once, at the first request, and keeps its sessions running until `close`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: ASGIApp | None = None
        self._lock = asyncio.Lock()
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._lock:
            app = self._app or await self._start()
        await app(scope, receive, send)

    async def _start(self) -> ASGIApp:
        from app.agents.mcp.server import make_app  # noqa: PLC0415  a start does not need the SDK

        app, server = await asyncio.to_thread(make_app, self._settings)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run(server, ready))
        await ready
        self._app = app
        return app

    async def _run(self, server: Any, ready: asyncio.Future[None]) -> None:
        async with server.session_manager.run():
            ready.set_result(None)
            await self._stop.wait()

    async def close(self) -> None:
        """End the sessions."""
        self._stop.set()
        if self._running:
            await self._running


def mount_mcp(app: FastAPI, settings: Settings) -> None:
    """Add the routes of MCP."""
    app.state.mcp = LazyMcp(settings)
    app.router.routes.extend(Route(path, app.state.mcp, include_in_schema=False) for path in PATHS)


@asynccontextmanager
async def mcp_open(app: FastAPI) -> AsyncIterator[None]:
    """End the sessions of MCP with the application."""
    yield
    await app.state.mcp.close()
