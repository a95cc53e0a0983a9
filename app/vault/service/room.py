"""Limits that hold however many write at the same time."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.turns import take_turns
from app.vault.errors import LimitReached

NEAR: Final = 1_000  # more rows than transactions can have on their way at once: a server has fewer connections


async def require_below(session: AsyncSession, counted: Select[Any], most: int, owner_id: UUID, refusal: str) -> None:
    """See that there are fewer rows than the limit, and that this stays so until the caller's transaction ends.

    Far from the limit nobody waits for anybody. Raises `LimitReached`.
    """
    if most > NEAR and (await session.scalar(counted) or 0) < most - NEAR:
        return
    await one_at_a_time(session, owner_id)
    if (await session.scalar(counted) or 0) >= most:
        raise LimitReached(refusal)


async def one_at_a_time(session: AsyncSession, owner_id: UUID) -> None:
    """Wait until no other transaction that adds something of this owner's near a limit is open.

    What those have committed is seen by the next statement.
    """
    await take_turns(session, f"room of {owner_id}")
