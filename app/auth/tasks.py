"""House-keeping of accounts and sessions."""

from datetime import timedelta

from app.auth import service
from app.core.tasks import task
from app.db.session import session_scope


@task("auth.purge", every=timedelta(hours=1))
async def purge() -> None:
    """Delete what is of no use any more: expired links, ended sessions, accounts that were never confirmed."""
    async with session_scope() as session:
        await service.purge(session)
