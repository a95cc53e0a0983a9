"""House-keeping of jobs."""

from datetime import timedelta

from app.core.tasks import task
from app.db.session import session_scope
from app.jobs import service


@task("jobs.purge_finished", every=timedelta(hours=6))
async def purge_finished() -> int:
    """Delete jobs that finished long ago; returns how many."""
    async with session_scope() as session:
        return await service.purge_finished(session)
