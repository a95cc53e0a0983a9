"""A transaction that acts for somebody else, after a policy has decided that it may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import Actor


@asynccontextmanager
async def acting_for(session: AsyncSession, actor: Actor) -> AsyncIterator[None]:
    """Let a transaction act for a vault, a family, or the system, after the policy has decided.

    Row-level security lets a person read the rows of their vaults and write items and documents; other people's
    memberships are read, and memberships, keys and the vaults themselves written, by the vault alone; what a family
    pays is its family's. An exception ends the transaction, and with it the actor.
    """
    before = session.info["actor"]
    await _act(session, actor)
    yield
    await _act(session, before)


async def _act(session: AsyncSession, actor: Actor) -> None:
    await session.execute(select(func.set_config("app.principal", actor.setting, True)))
    session.info["actor"] = actor
