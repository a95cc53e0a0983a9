"""Connections, transactions, and the principal that row-level security goes by."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction

from app.core.config import Settings
from app.db.security import ROLE

SUPABASE_POOLER_PORT = 6543
ENTER = text("SELECT set_config('app.principal', :principal, true)")
ENTER_AS_ROLE = text("SELECT set_config('role', :role, true), set_config('app.principal', :principal, true)")


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom a transaction acts for; row-level security compares rows with `setting`."""

    setting: str

    @classmethod
    def user(cls, user_id: UUID) -> "Actor":
        """A person: their own rows and those of their vaults."""
        return cls(f"user:{user_id}")

    @classmethod
    def vault(cls, vault_id: UUID) -> "Actor":
        """A job that works within one vault."""
        return cls(f"vault:{vault_id}")


SYSTEM = Actor("system")
NOBODY = Actor("")

new_session: async_sessionmaker[AsyncSession] = async_sessionmaker(expire_on_commit=False)


def is_pooled(url: str) -> bool:
    """Whether a transaction pooler (PgBouncer, Supabase) stands in between, where prepared statements don't last."""
    parts = urlsplit(url)
    return parts.port == SUPABASE_POOLER_PORT or "pooler" in (parts.hostname or "") or "pgbouncer=true" in url


def connect(settings: Settings) -> AsyncEngine:
    """The engine of this process; sessions opened by `session_scope` use it from now on."""
    url = settings.database_url.get_secret_value()
    arguments: dict[str, Any] = {
        "timeout": settings.database_connect_timeout_seconds,
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
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_overflow,
        pool_timeout=settings.database_connect_timeout_seconds,
        pool_pre_ping=True,
        **engine_arguments,
    )
    login = urlsplit(dsn).username
    new_session.configure(bind=engine, info={"role": None if login == ROLE else ROLE})
    return engine


def asyncpg_url(url: str) -> str:
    """A URL as asyncpg reads it: no driver suffix, no marks meant for other libraries."""
    scheme, separator, rest = url.partition("://")
    rest = rest.replace("?pgbouncer=true&", "?").replace("?pgbouncer=true", "").replace("&pgbouncer=true", "")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


@event.listens_for(Session, "after_begin")
def _enter(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    actor = session.info.get("actor", NOBODY)
    role = session.info.get("role")
    if role:
        connection.execute(ENTER_AS_ROLE, {"role": role, "principal": actor.setting})
    else:
        connection.execute(ENTER, {"principal": actor.setting})


def act_for(session: AsyncSession, actor: Actor) -> None:
    """Say whom the session acts for; must be called before its transaction begins."""
    if session.in_transaction() and session.info.get("actor", NOBODY) != actor:
        raise RuntimeError("the transaction has begun for somebody else")
    session.info["actor"] = actor


@asynccontextmanager
async def session_scope(actor: Actor = SYSTEM) -> AsyncIterator[AsyncSession]:
    """One transaction for `actor`: committed at the end, rolled back by an exception."""
    async with new_session() as session:
        session.info["actor"] = actor
        async with session.begin():
            yield session
