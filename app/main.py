"""The application: settings → middleware → problem handlers → rooms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.api.compression import Compress
from app.api.limits import LimitBody, LimitRate
from app.api.observe import Observe
from app.api.openapi import describe
from app.api.problems import add_problem_handlers
from app.api.rooms import Room, Rooms
from app.api.tracing import TraceRequests
from app.core.config import Settings, load_settings
from app.core.logging import configure_logging
from app.db.runtime import close_runtime, open_runtime

PACKAGES = (
    *("auth", "vault", "rag", "reminders", "agents"),
    *("nominees", "payments", "notifications", "jobs", "audit", "events"),
)
ROOMS = (
    *(Room(f"app.{name}.router", (f"/v1/{name}",), prefix="/v1") for name in PACKAGES),
    Room("app.agents.openai.router", ("/openai/v1",)),
    Room("app.agents.mcp.mount", ("/mcp", "/.well-known")),
    Room("app.api.health", ("/health", "/metrics")),
    Room("app.api.docs", ("/docs", "/redoc", "/openapi.json")),
    Room("app.operator.router", ("/operator",)),
)
ALONGSIDE = ("app.models", "app.ties")  # all tables, and what packages tell those below them: no room works without
ALLOWED_HEADERS = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Range"]
ALLOWED_EVENT_HEADERS = ["Last-Event-ID"]
ALLOWED_TUS_HEADERS = ["Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum"]
EXPOSED_HEADERS = ["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID", "Content-Range"]
EXPOSED_TUS_HEADERS = [
    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
    *("Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Upload-Document"),
]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the runtime and all rooms for as long as the application serves."""
    configure_logging(debug=app.state.settings.debug)
    open_runtime(app.state.settings)
    async with AsyncExitStack() as stack:
        for router in await asyncio.to_thread(app.state.rooms.open_all):
            await stack.enter_async_context(router.lifespan_context(app))
        yield
    await close_runtime()


def create_app(settings: Settings) -> FastAPI:
    """The whole API for these settings."""
    app = FastAPI(
        title="LifeVault",
        summary="Encrypted vaults, cited answers, reminders and legacy release for families.",
        version=version("lifevault"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.settings = settings
    add_problem_handlers(app)
    app.state.rooms = Rooms(app, ROOMS, ALONGSIDE)
    app.router.routes.insert(0, app.state.rooms)
    describe(app)
    add_middleware(app, settings)
    return app


def add_middleware(app: FastAPI, settings: Settings) -> None:
    """From the inside out: compression, sizes, older services, rates, consumers of a marketplace, CORS, observation."""
    app.add_middleware(Compress, settings=settings)
    app.add_middleware(LimitBody, settings=settings)
    if settings.has_gateway:
        from app.gateway.middleware import Gateway  # noqa: PLC0415  not needed without a table

        app.add_middleware(Gateway, settings=settings)
    app.add_middleware(LimitRate, settings=settings)
    if settings.rapidapi_secrets.get_secret_value():
        from app.payments.marketplace import Marketplace  # noqa: PLC0415  as the gateway

        app.add_middleware(Marketplace, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=ALLOWED_HEADERS + ALLOWED_EVENT_HEADERS + ALLOWED_TUS_HEADERS,
            expose_headers=EXPOSED_HEADERS + EXPOSED_TUS_HEADERS,
            max_age=600,
        )
    app.add_middleware(Observe, https=settings.environment == "production")
    if settings.otel_endpoint:
        app.add_middleware(TraceRequests)


app = create_app(load_settings())
