"""The outbox: events are rows of the transaction that caused them."""

from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.db.models import OutboxEvent

CHANNEL = "lifevault_wake"  # a trigger on the outbox and on the jobs notifies it, so that the relay wakes on commit


async def emit(session: AsyncSession, event: str, **ids: UUID | str | int) -> None:
    """Record an event; its listeners run after the commit, at least once. Ids only, never contents."""
    payload = {name: value if isinstance(value, int) else str(value) for name, value in ids.items()}
    await session.execute(insert(OutboxEvent).values(id=new_id(), event=event, payload=payload))
