"""What time does to legacy."""

from datetime import datetime, timedelta

from app.core.tasks import task
from app.db.session import session_scope
from app.nominees import service


@task("nominees.advance_cases", every=timedelta(minutes=5))
async def advance_cases(now: datetime | None = None) -> int:
    """Take release cases on that are due; returns how many."""
    return await service.advance_due(now)


@task("nominees.suspect_inactive", every=timedelta(hours=1))
async def suspect_inactive(now: datetime | None = None) -> int:
    """Begin the release of plans whose owner was not seen for as long as they say; returns how many."""
    return await service.suspect_inactive(now)


@task("nominees.advance_drills", every=timedelta(minutes=5))
async def advance_drills(now: datetime | None = None) -> int:
    """Take drills on whose step is over; returns how many."""
    return await service.advance_drills(now)


@task("nominees.purge", every=timedelta(hours=6))
async def purge() -> None:
    """Delete links, codes and sign-ins that are over."""
    async with session_scope() as session:
        await service.purge(session)
