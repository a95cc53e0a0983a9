"""The application: settings → middleware → problem handlers → routers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from app import models
from app.agents.mcp.mount import mount_mcp
from app.agents.openai.router import router as openai_router
from app.agents.router import router as agents_router
from app.api.compression import Compress
from app.api.docs import router as docs_router
from app.api.health import router as health_router
from app.api.limits import LimitBody, LimitRate
from app.api.observe import Observe
from app.api.openapi import describe, operation_id
from app.api.problems import add_problem_handlers
from app.api.routes import RouteTable
from app.api.tracing import TraceRequests
from app.audit.router import router as audit_router
from app.auth.router import router as auth_router
from app.core.config import Settings, load_settings
from app.core.logging import configure_logging
from app.db.runtime import close_runtime, open_runtime
from app.events.router import router as events_router
from app.jobs.router import router as jobs_router
from app.nominees.router import router as nominees_router
from app.notifications.router import router as notifications_router
from app.operator.router import router as operator_router
from app.payments.marketplace import Marketplace
from app.payments.router import router as payments_router
from app.rag.router import router as rag_router
from app.reminders.router import router as reminders_router
from app.vault.router import router as vault_router

ROUTERS: tuple[APIRouter, ...] = (
    auth_router,
    vault_router,
    rag_router,
    reminders_router,
    agents_router,
    nominees_router,
    payments_router,
    notifications_router,
    jobs_router,
    audit_router,
    events_router,
)
ALLOWED_HEADERS = ["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Range"]
ALLOWED_EVENT_HEADERS = ["Last-Event-ID"]
ALLOWED_TUS_HEADERS = ["Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum"]
EXPOSED_HEADERS = ["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID", "Content-Range"]
EXPOSED_TUS_HEADERS = [
    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
    *("Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Upload-Document"),
]

__all__ = ["app", "create_app", "models"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the runtime for as long as the application serves."""
    configure_logging(debug=app.state.settings.debug)
    open_runtime(app.state.settings)
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
        generate_unique_id_function=operation_id,
    )
    app.state.settings = settings
    add_problem_handlers(app)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    app.include_router(openai_router)
    mount_mcp(app)
    app.include_router(health_router)
    app.include_router(docs_router)
    app.include_router(operator_router)
    app.router.routes.insert(0, RouteTable(app.routes))
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
