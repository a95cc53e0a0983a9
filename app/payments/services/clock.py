"""The time that plans, periods and credits go by: the database's, moved as far as the provider's is moved."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.statements import Statement
from app.payments.models.clock import ProviderClock

MOVABLE: Final = "sim"
"""Only the simulator's clock is moved; a real provider's is taken for ours."""
BARELY: Final = timedelta(seconds=2)

_AHEAD: Final[ScalarSelect[Any]] = (
    select(ProviderClock.ahead).where(ProviderClock.provider == MOVABLE).scalar_subquery()
)
NOW: Final = func.now() + func.coalesce(_AHEAD, timedelta(0))
"""The same within a statement."""
_NOW: Final = Statement(select(NOW.label("now")))


async def payments_now(session: AsyncSession) -> datetime:
    """The time of payments; the same throughout a transaction, unless the clock is moved in it."""
    now: datetime = await _NOW.scalar(session)
    return now


async def follow(session: AsyncSession, provider: str, provider_time: datetime) -> None:
    """Let our time of payments go by the provider's, if it is one that can be moved; forwards and backwards."""
    if provider != MOVABLE:
        return
    ahead = provider_time - (await session.scalars(select(func.clock_timestamp()))).one()
    if abs(ahead) < BARELY:
        ahead = timedelta(0)
    put = upsert(ProviderClock).values(provider=provider, ahead=ahead, heard_at=func.now())
    put = put.on_conflict_do_update(
        index_elements=["provider"], set_={"ahead": put.excluded.ahead, "heard_at": func.now()}
    )
    await session.execute(put)
