"""Transactions that do the same thing, one after the other."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def take_turns(session: AsyncSession, what: str) -> None:
    """Wait until no other transaction that named this is open; what those have committed, the next statement sees."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))
