"""The engine of a process: its pool, and how it connects."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.core.config import Settings
from app.db.driver import watch_pool
from app.db.security import ROLE
from app.db.slow import slow_log, watch_statements

SUPABASE_POOLER_PORT = 6543


def make_engine(settings: Settings, url: str, connect_seconds: float) -> AsyncEngine:
    """An engine in autocommit mode: `app.db.transaction` sends BEGIN and COMMIT, so that nothing is sent besides.

    So long a connection is waited for at most.
    """
    arguments: dict[str, Any] = {
        "timeout": connect_seconds,
        "command_timeout": settings.database_timeout_seconds,
    }
    engine_arguments: dict[str, Any] = {}
    if is_pooled(url):
        arguments["statement_cache_size"] = 0
        engine_arguments["connect_args"] = {
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"__lv_{uuid4()}__",
        }
    dsn = asyncpg_url(url)

    async def open_connection(*_: Any, **__: Any) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(dsn, **arguments)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=open_connection,
        isolation_level="AUTOCOMMIT",
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_overflow,
        pool_timeout=connect_seconds,
        **engine_arguments,
    )
    watch_pool(engine.sync_engine)
    slow_log.set(settings.slow_query_seconds)
    watch_statements(engine.sync_engine)
    return engine


def role_of(url: str) -> str | None:
    """The role that transactions take; None for a URL that has it already."""
    return None if urlsplit(asyncpg_url(url)).username == ROLE else ROLE


def is_pooled(url: str) -> bool:
    """Whether a transaction pooler (PgBouncer, Supabase) stands in between, where prepared statements don't last."""
    parts = urlsplit(url)
    return parts.port == SUPABASE_POOLER_PORT or "pooler" in (parts.hostname or "") or "pgbouncer=true" in url


def asyncpg_url(url: str) -> str:
    """A URL as asyncpg reads it: no driver suffix, no marks meant for other libraries."""
    scheme, separator, rest = url.partition("://")
    rest = rest.replace("?pgbouncer=true&", "?").replace("?pgbouncer=true", "").replace("&pgbouncer=true", "")
    return f"{scheme.partition('+')[0]}{separator}{rest}"
