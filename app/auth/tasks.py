"""House-keeping of accounts and sessions."""

from datetime import datetime, timedelta

from app.auth import service
from app.core.clock import utc_now
from app.core.tasks import task
from app.db.session import session_scope


@task("auth.purge", every=timedelta(hours=1))
async def purge() -> None:
    """Delete what is of no use any more: expired links, ended sessions, accounts that were never confirmed."""
    async with session_scope() as session:
        await service.purge(session)


@task("auth.delete_accounts", every=timedelta(minutes=5))
async def delete_accounts(now: datetime | None = None) -> int:
    """Destroy the accounts whose days of grace are over; returns how many."""
    return await service.delete_accounts(now or utc_now())
