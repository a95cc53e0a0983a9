"""Background work of agents."""

import asyncio
from datetime import datetime, timedelta
from importlib import import_module

from app.agents import housekeeping, runs, schedules
from app.core.clock import utc_now
from app.core.tasks import task
from app.jobs.service import JobRun


@task(runs.RUN_JOB)
async def run(job: JobRun) -> None:
    """Work on a run until it ends or needs an approval."""
    loop = await asyncio.to_thread(import_module, "app.agents.loop")  # pydantic-ai takes seconds, once
    await loop.execute(job)


@task("agents.start_due", every=timedelta(seconds=30))
async def start_due(now: datetime | None = None) -> int:
    """Start the runs whose schedules are due; returns how many."""
    return await schedules.start_due(now or utc_now())


@task("agents.tidy", every=timedelta(minutes=1))
async def tidy(now: datetime | None = None) -> int:
    """Let runs go on whose questions nobody answered in time, and end those that nobody works on; returns how many."""
    return await housekeeping.tidy(now or utc_now())
