"""Run one job under its lease."""

import asyncio
import time
from contextlib import suppress
from uuid import UUID

from app.core.logging import bound, get_log, where
from app.core.tasks import TASKS
from app.core.telemetry import report, span
from app.jobs import measures, service
from app.jobs.errors import JobFailed, LeaseLost
from app.jobs.service import JobRun

log = get_log(__name__)


async def run_job(job_id: UUID, lease_seconds: int) -> None:
    """Take the lease and do the work; a failure is retried or recorded, a lost lease ends the try silently."""
    run = await service.take(job_id, lease_seconds)
    if run is None:
        return
    with bound(job_id=str(run.id), kind=run.kind, attempt=run.attempt):
        work = asyncio.ensure_future(_work(run))
        pulse = asyncio.ensure_future(_pulse(run, lease_seconds))
        done, _ = await asyncio.wait({work, pulse}, return_when=asyncio.FIRST_COMPLETED)
        for each in {work, pulse} - done:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
        for each in done:
            await each


async def _pulse(run: JobRun, lease_seconds: int) -> None:
    """Keep the lease; returns when it is lost, which ends the work."""
    while True:
        await asyncio.sleep(lease_seconds / 3)
        try:
            await run.extend(lease_seconds)
        except LeaseLost:
            log.warning("lease lost")
            return
        except OSError:
            log.warning("lease not extended")


async def _work(run: JobRun) -> None:
    started = time.perf_counter()
    with span(f"job {run.kind}", {"lifevault.job_id": str(run.id), "lifevault.attempt": run.attempt}):
        outcome = await _try(run)
    measures.runs.labels(run.kind, outcome).inc()
    measures.seconds.labels(run.kind).observe(time.perf_counter() - started)


async def _try(run: JobRun) -> str:
    """Do the work once; what came of it."""
    try:
        task = TASKS[run.kind]
        await (task.function(**run.payload) if task.on else task.function(run))
        if not run.finished:
            async with run.scope() as session:
                await run.finish(session)
        log.info("job succeeded")
        return "succeeded"
    except LeaseLost:
        log.warning("job given up to another worker")
        return "lost"
    except JobFailed as error:
        log.info("job failed", code=error.code)
        await run.fail(error.code, error.message)
        return "failed"
    except Exception as error:  # whatever it was, the job must not hang: it is tried again, later
        log.error("job will be retried", error=type(error).__name__, where=where(error))
        report(error)
        await run.retry(type(error).__name__)
        return "retried"
