"""The time that releases go by: the database's, and nobody else's."""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.statements import Statement

_NOW: Final = Statement(select(func.now().label("now")))


async def legacy_now(session: AsyncSession, given: datetime | None = None) -> datetime:
    """The beginning of the transaction by the clock of the database; or the time that a test says it is."""
    if given is not None:
        return given
    now: datetime = await _NOW.scalar(session)
    return now
