"""Jobs: created with their cause, leased with a fencing token, finished with their effect."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Exists, case, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.tasks import listeners
from app.db.models import OutboxEvent
from app.db.outbox import emit
from app.db.session import SYSTEM, Actor, session_scope
from app.jobs.errors import JobNotFound, LeaseLost
from app.jobs.models import Job
from app.jobs.schemas import JobRead

RESEND_AFTER = timedelta(seconds=20)
MOST_IN_FLIGHT = 200
KEEP_FINISHED = timedelta(days=30)
FIRST_RETRY_SECONDS = 2
GAVE_UP = "gave-up"

EVENT_HOOKS: list[Callable[[AsyncSession, Sequence[OutboxEvent]], Awaitable[None]]] = []
"""What sees every event once, in the transaction that takes it out of the outbox; packages above add to it."""


async def create_job(
    session: AsyncSession,
    kind: str,
    *,
    subject_id: UUID | None = None,
    vault_id: UUID | None = None,
    user_id: UUID | None = None,
    **ids: UUID | str | int,
) -> UUID:
    """Queue work in the transaction that causes it; it starts after the commit, at least once. Ids only."""
    job_id = new_id()
    payload = {name: value if isinstance(value, int) else str(value) for name, value in ids.items()}
    values = {"subject_id": subject_id, "vault_id": vault_id, "user_id": user_id, "payload": payload}
    await session.execute(insert(Job).values(id=job_id, kind=kind, **values))
    return job_id


async def read_job(session: AsyncSession, principal: Principal, job_id: UUID) -> JobRead:
    """A job that the principal started or whose vault they may read. Raises `JobNotFound`."""
    job = await session.scalar(select(Job).where(Job.id == job_id, visible_jobs(principal)))
    if job is None:
        raise JobNotFound
    return job_read(job)


def visible_jobs(principal: Principal) -> Any:
    """The condition for jobs that the principal may see: their own, and those of vaults they see.

    Who is in a vault is known above; below, row-level security shows only jobs of the principal's own vaults.
    """
    return (Job.user_id == principal.user_id) | Job.vault_id.is_not(None)


def job_read(job: Job) -> JobRead:
    """A job as it is shown."""
    done = (
        1.0
        if job.state == "succeeded"
        else min(job.progress_done / job.progress_total, 0.99)
        if job.progress_total
        else 0.0
    )
    return JobRead.model_validate(
        {**{name: getattr(job, name) for name in JobRead.model_fields if name != "progress"}, "progress": done}
    )


async def find_open_job(session: AsyncSession, kind: str, vault_id: UUID) -> UUID | None:
    """A job of this kind for this vault that has not ended."""
    mine = Job.kind == kind, Job.vault_id == vault_id, Job.state.in_(["queued", "running"])
    found: UUID | None = await session.scalar(select(Job.id).where(*mine).limit(1))
    return found


async def open_subject(session: AsyncSession, kind: str, **ids: str) -> tuple[UUID, UUID] | None:
    """Subject and id of a job of this kind that has not ended and whose payload holds these ids."""
    mine = Job.kind == kind, Job.state.in_(["queued", "running"]), Job.payload.contains(ids)
    found = (await session.execute(select(Job.subject_id, Job.id).where(*mine).limit(1))).first()
    return found and (found.subject_id, found.id)


async def has_queued_job(session: AsyncSession, kind: str) -> bool:
    """Whether a job of this kind, whoever's, has still to begin: it will see everything that is there then."""
    return bool(await session.scalar(select(is_queued(kind))))


def is_queued(kind: str) -> Exists:
    """The same as a condition, for a statement that asks more."""
    return select(Job.id).where(Job.kind == kind, Job.state == "queued").exists()


async def unfinished_jobs(session: AsyncSession, job_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these jobs that wait or are being worked on."""
    unfinished = select(Job.id).where(Job.id.in_(job_ids), Job.state.in_(["queued", "running"]))
    return set(await session.scalars(unfinished))


async def job_states(session: AsyncSession, job_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The states of these jobs; one that finished long ago is not there any more."""
    rows = (await session.execute(select(Job.id, Job.state).where(Job.id.in_(job_ids)))).all()
    return {row.id: row.state for row in rows}


async def cancel_jobs(session: AsyncSession, subject_id: UUID, reason: str, detail: str) -> None:
    """Fail what is not finished yet for a subject; a worker that holds one loses its lease."""
    open_jobs = Job.subject_id == subject_id, Job.state.in_(["queued", "running"])
    values = {"state": "failed", "error_code": reason, "error_detail": detail, "finished_at": func.now()}
    await session.execute(update(Job).where(*open_jobs).values(**values))


@dataclass(slots=True)
class JobRun:
    """One try of a job by the worker that holds its lease."""

    id: UUID
    kind: str
    subject_id: UUID | None
    vault_id: UUID | None
    user_id: UUID | None
    payload: dict[str, Any]
    attempt: int
    finished: bool = field(default=False)
    """Whether the runner has nothing to do any more: the job is done, or goes on another time."""

    @property
    def actor(self) -> Actor:
        """Whom the job's transactions act for: its vault, its user, or the system."""
        if self.vault_id:
            return Actor.vault(self.vault_id)
        return Actor.user(self.user_id) if self.user_id else SYSTEM

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[AsyncSession]:
        """One transaction of the job; it commits only while this try holds the lease. Raises `LeaseLost`."""
        async with session_scope(self.actor) as session:
            await self._hold(session)
            yield session

    async def _hold(self, session: AsyncSession) -> None:
        held = select(Job.id).where(*self._mine()).with_for_update()
        if await session.scalar(held) is None:
            raise LeaseLost

    def _mine(self) -> tuple[Any, ...]:
        return Job.id == self.id, Job.attempts == self.attempt, Job.state == "running"

    async def progress(self, step: str, done: int = 0, total: int = 0) -> None:
        """Show how far the job is. Raises `LeaseLost`."""
        values = {"step": step, "progress_done": done, "progress_total": total}
        async with session_scope(self.actor) as session:
            changed = update(Job).where(*self._mine()).values(**values).returning(Job.id)
            if await session.scalar(changed) is None:
                raise LeaseLost

    async def extend(self, seconds: int) -> None:
        """Prolong the lease. Raises `LeaseLost`."""
        async with session_scope(self.actor) as session:
            values = {"due_at": func.now() + timedelta(seconds=seconds), "updated_at": Job.updated_at}
            changed = update(Job).where(*self._mine()).values(**values).returning(Job.id)
            if await session.scalar(changed) is None:
                raise LeaseLost

    async def finish(self, session: AsyncSession) -> None:
        """Mark the job as done in the transaction of its last effect. Raises `LeaseLost`."""
        values = {"state": "succeeded", "step": "done", "finished_at": func.now(), "progress_done": Job.progress_total}
        changed = update(Job).where(*self._mine()).values(**values, error_code=None, error_detail=None)
        if await session.scalar(changed.returning(Job.id)) is None:
            raise LeaseLost
        self.finished = True

    async def fail(self, code: str, detail: str) -> None:
        """Mark the job as failed for good."""
        values = {"state": "failed", "error_code": code, "error_detail": detail, "finished_at": func.now()}
        async with session_scope(self.actor) as session:
            failed = update(Job).where(*self._mine()).values(**values).returning(Job.id)
            if await session.scalar(failed) is not None and (self.user_id or self.vault_id):
                about = {name: each for name in ("user_id", "vault_id") if (each := getattr(self, name))}
                await emit(session, "jobs.failed", job_id=self.id, kind=self.kind, **about)

    async def postpone(self, seconds: float, step: str) -> None:
        """Give the worker free and go on after a while; this does not count as a try. Raises `LeaseLost`."""
        later = func.now() + timedelta(seconds=seconds)
        values = {"state": "queued", "step": step, "attempts": Job.attempts - 1, "due_at": later}
        async with session_scope(self.actor) as session:
            if await session.scalar(update(Job).where(*self._mine()).values(**values).returning(Job.id)) is None:
                raise LeaseLost
        self.finished = True

    async def retry(self, code: str) -> None:
        """Put the job back; it is tried again after a pause that doubles."""
        pause = timedelta(seconds=FIRST_RETRY_SECONDS * 2 ** (self.attempt - 1))
        values = {"state": "queued", "step": "waiting", "error_code": code, "due_at": func.now() + pause}
        async with session_scope(self.actor) as session:
            await session.execute(update(Job).where(*self._mine()).values(**values))


async def take(job_id: UUID, lease_seconds: int) -> JobRun | None:
    """Take the lease of a job that is due; None if somebody else holds it or it is finished."""
    free = (Job.state == "queued") | ((Job.state == "running") & (Job.due_at < func.now()))
    values = {
        "state": "running",
        "attempts": Job.attempts + 1,
        "due_at": func.now() + timedelta(seconds=lease_seconds),
    }
    async with session_scope() as session:
        job = await session.scalar(update(Job).where(Job.id == job_id, free).values(**values).returning(Job))
    if job is None:
        return None
    return JobRun(job.id, job.kind, job.subject_id, job.vault_id, job.user_id, job.payload, job.attempts)


async def expand_events(session: AsyncSession, limit: int = 200) -> int:
    """Turn outbox events into one job for each listener, exactly once; returns how many events."""
    oldest = select(OutboxEvent).order_by(OutboxEvent.created_at).limit(limit).with_for_update(skip_locked=True)
    events = list(await session.scalars(oldest))
    rows = [
        {"id": new_id(), "kind": task.name, "event_id": event.id, "payload": event.payload}
        for event in events
        for task in listeners(event.event)
    ]
    if rows:
        await session.execute(upsert(Job).on_conflict_do_nothing(), rows)
    if events:
        for hook in EVENT_HOOKS:
            await hook(session, events)
        await session.execute(delete(OutboxEvent).where(OutboxEvent.id.in_([event.id for event in events])))
    return len(events)


async def claim_due(session: AsyncSession, max_attempts: int) -> list[UUID]:
    """The jobs to send to the queue now: new ones, ones to try again, ones whose worker fell silent.

    Jobs that used up their attempts are failed, so that one that kills its worker can't go round for ever.
    """
    await session.execute(_give_up(max_attempts))
    waiting = select(func.count()).where(Job.state == "queued", Job.due_at > func.now(), Job.attempts == 0)
    room = MOST_IN_FLIGHT - (await session.scalar(waiting) or 0)
    due = (
        select(Job.id)
        .where(Job.state.in_(["queued", "running"]), Job.due_at <= func.now())
        .order_by(Job.due_at)
        .limit(max(room, 0))
        .with_for_update(skip_locked=True)
    )
    ids = list(await session.scalars(due))
    if ids:
        values = {"state": "queued", "due_at": func.now() + RESEND_AFTER, "updated_at": Job.updated_at}
        await session.execute(update(Job).where(Job.id.in_(ids)).values(**values))
    return ids


def _give_up(max_attempts: int) -> Any:
    used_up = Job.state.in_(["queued", "running"]), Job.due_at <= func.now(), Job.attempts >= max_attempts
    detail = "It was tried several times and did not come to an end. Your file is kept as it is."
    values = {
        "state": "failed",
        "error_code": case((Job.error_code.is_not(None), Job.error_code), else_=GAVE_UP),
        "error_detail": detail,
        "finished_at": func.now(),
    }
    return update(Job).where(*used_up).values(**values)


async def purge_finished(session: AsyncSession) -> int:
    """Delete what finished long ago; returns how many."""
    old = delete(Job).where(Job.finished_at < func.now() - KEEP_FINISHED).returning(Job.id)
    return len((await session.scalars(old)).all())
