"""The log kept and looked after."""

from datetime import datetime, timedelta

from app.audit import service
from app.core.clock import utc_now
from app.core.tasks import task


@task("audit.checkpoint", every=timedelta(minutes=1))
async def checkpoint() -> int:
    """Sign the ends of the chains that have grown; returns how many."""
    return await service.checkpoint_grown()


@task("audit.verify", every=timedelta(hours=1))
async def verify(now: datetime | None = None) -> int:
    """Walk the chains that nobody walked for a day; returns how many are broken."""
    return len(await service.verify_due(now or utc_now()))


@task("audit.sweep_marks", every=timedelta(days=1))
async def sweep_marks() -> int:
    """Delete the checkpoints of what was destroyed with its log; returns how many logs are gone without that."""
    return len(await service.sweep_marks())
