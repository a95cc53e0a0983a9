"""Migrations, run as the owner of the tables."""

import asyncio

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import load_settings
from app.db.engine import asyncpg_url
from app.models import Base

URL = context.config.attributes.get("url") or load_settings().migration_url


# Held until the connection is closed: of two that migrate the same database the second waits, and finds nothing to do.
# It asks again and again: within a statement that waits, it would hold up an index that is made concurrently.
ONE_AT_A_TIME = text("SELECT pg_try_advisory_lock(7140922218)")
PAUSE_SECONDS = 0.2


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    async def open_connection(*_: object, **__: object) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(asyncpg_url(URL), timeout=10, statement_cache_size=0)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=open_connection, poolclass=NullPool)
    async with engine.connect() as connection:
        while not await connection.scalar(ONE_AT_A_TIME):
            await connection.commit()
            await asyncio.sleep(PAUSE_SECONDS)
        await connection.commit()
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():  # `alembic upgrade FROM:TO --sql` writes what would be done
    context.configure(url="postgresql://", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(main())
