"""Progress of background work."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Security
from starlette.responses import StreamingResponse

from app.api.deps import SessionDep, get_principal
from app.api.openapi import event_stream
from app.api.problems import problems
from app.api.routes import Router
from app.auth.principal import Principal
from app.db.session import session_scope
from app.jobs import measures, service
from app.jobs.errors import JobNotFound
from app.jobs.schemas import JobRead

POLL_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 15
LONGEST_STREAM_SECONDS = 900
JOB = {"$ref": "#/components/schemas/JobRead"}
EVENTS = event_stream(progress=JOB, succeeded=JOB, failed=JOB)

__all__ = ["measures", "router"]

router = Router(prefix="/jobs", tags=["jobs"])
Reader = Annotated[Principal, Security(get_principal, scopes=["vault:read"])]


@router.get("/{job_id}", responses=problems(JobNotFound))
async def read_job(job_id: UUID, principal: Reader, session: SessionDep) -> JobRead:
    """See how far a piece of background work is."""
    return await service.read_job(session, principal, job_id)


@router.get(
    "/{job_id}/events",
    responses={200: {"content": EVENTS}, **problems(JobNotFound)},
    response_class=StreamingResponse,
)
async def stream_job(job_id: UUID, principal: Reader, session: SessionDep) -> StreamingResponse:
    """Follow a piece of background work as server-sent events.

    Each event is named `progress` and carries the job as JSON; the last one is named `succeeded` or `failed`.
    """
    first = await service.read_job(session, principal, job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(principal, first), media_type="text/event-stream", headers=headers)


async def _events(principal: Principal, job: JobRead) -> AsyncIterator[bytes]:
    shown: JobRead | None = None
    idle = 0.0
    for number in range(int(LONGEST_STREAM_SECONDS / POLL_SECONDS)):
        if job != shown:
            shown, idle = job, 0.0
            yield _event(number, job)
        elif idle >= KEEP_ALIVE_SECONDS:
            idle = 0.0
            yield b": still working\n\n"
        if job.state in ("succeeded", "failed"):
            return
        await asyncio.sleep(POLL_SECONDS)
        idle += POLL_SECONDS
        try:
            async with session_scope(principal.actor) as session:
                job = await service.read_job(session, principal, job.id)
        except JobNotFound:
            return


def _event(number: int, job: JobRead) -> bytes:
    name = job.state if job.state in ("succeeded", "failed") else "progress"
    data = orjson.dumps(job.model_dump(mode="json"))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), data)
