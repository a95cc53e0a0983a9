"""Connections, transactions, and the principal that row-level security goes by.

A transaction begins with one round trip: BEGIN, role, principal, and a question where there is one (see `enter`).
The engine is in autocommit mode and BEGIN, COMMIT and ROLLBACK are sent from here, so that nothing is sent besides.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction

from app.core.config import Settings
from app.db.driver import Driver, driver_of, run, watch_pool
from app.db.security import ROLE

SUPABASE_POOLER_PORT = 6543
NOT_FOUND: Final = "SELECT 0"


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

    @classmethod
    def family(cls, family_id: UUID) -> "Actor":
        """What one family pays and uses."""
        return cls(f"family:{family_id}")


SYSTEM = Actor("system")
NOBODY = Actor("")


@dataclass(frozen=True, slots=True)
class Entered:
    """A transaction that has begun: the connection that it is on, and the tag of what it began with."""

    transaction: SessionTransaction
    driver: Driver
    tag: str


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
        isolation_level="AUTOCOMMIT",
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_overflow,
        pool_timeout=settings.database_connect_timeout_seconds,
        **engine_arguments,
    )
    watch_pool(engine.sync_engine, ping_seconds=settings.database_connect_timeout_seconds)
    event.listen(engine.sync_engine, "commit", _commit)
    event.listen(engine.sync_engine, "rollback", _roll_back)
    login = urlsplit(dsn).username
    new_session.configure(bind=engine, info={"role": None if login == ROLE else ROLE})
    return engine


def asyncpg_url(url: str) -> str:
    """A URL as asyncpg reads it: no driver suffix, no marks meant for other libraries."""
    scheme, separator, rest = url.partition("://")
    rest = rest.replace("?pgbouncer=true&", "?").replace("?pgbouncer=true", "").replace("&pgbouncer=true", "")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


@event.listens_for(Session, "after_begin")
def _begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if transaction.nested:
        return
    settings = f"set_config('app.principal', {_quoted(session.info.get('actor', NOBODY).setting)}, true)"
    if role := session.info.get("role"):
        settings = f"set_config('role', {_quoted(role)}, true), {settings}"
    tag = run(connection, f"BEGIN; SELECT {settings}; {session.info.pop('question', '')}")
    session.info["entered"] = Entered(transaction, driver_of(connection), tag)


def _commit(connection: Connection) -> None:
    if run(connection, "COMMIT") != "COMMIT":
        raise InvalidRequestError("a statement of the transaction had failed, so the database rolled it back")


def _roll_back(connection: Connection) -> None:
    if not connection.invalidated and driver_of(connection).is_in_transaction():
        run(connection, "ROLLBACK")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def act_for(session: AsyncSession, actor: Actor) -> None:
    """Say whom the session acts for; must be called before its transaction begins."""
    if session.in_transaction() and session.info.get("actor", NOBODY) != actor:
        raise RuntimeError("the transaction has begun for somebody else")
    session.info["actor"] = actor


async def enter(session: AsyncSession, actor: Actor, question: str) -> bool:
    """Begin the session's transaction for `actor`; whether a query, asked in the same round trip, found a row.

    The query has no parameters; it must be made by `Statement.with_ids`. Raises `DBAPIError`.
    """
    if session.in_transaction():
        raise RuntimeError("the transaction has begun")
    session.info.update(actor=actor, question=question)
    return (await entered(session)).tag != NOT_FOUND


async def entered(session: AsyncSession) -> Entered:
    """The transaction of the session, begun if it was not. Raises `DBAPIError`."""
    last: Entered | None = session.info.get("entered")
    if last is None or last.transaction is not session.sync_session.get_transaction():
        await session.run_sync(Session.connection)
        last = session.info["entered"]
    return last


@asynccontextmanager
async def session_scope(actor: Actor = SYSTEM) -> AsyncIterator[AsyncSession]:
    """One transaction for `actor`: committed at the end, rolled back by an exception."""
    async with new_session() as session:
        session.info["actor"] = actor
        async with session.begin():
            yield session
