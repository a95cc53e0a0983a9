"""What is deleted after a while."""

from sqlalchemy import delete, func
from sqlalchemy.ext.asyncio import AsyncSession

from app.nominees.models import codes, links, sessions


async def purge(session: AsyncSession) -> None:
    """Delete links, codes and sign-ins that are over; the transaction is the system's."""
    for table in (codes, sessions, links):
        await session.execute(delete(table).where(table.c.expires_at < func.now()))
