"""What there is to do and what was done, in numbers, for operators."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import first_id_at, utc_now
from app.db.models import OutboxEvent
from app.jobs.models import Job

DAY: Final = timedelta(days=1)
HOURS: Final = 24
LONGEST_JOB: Final = timedelta(days=2)
MOST_FAILURES: Final = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not finished; ages in seconds of what is due and not begun."""

    queued: int
    running: int
    oldest_seconds: float
    events: int
    oldest_event_seconds: float


@dataclass(frozen=True, slots=True)
class KindOverview:
    """Jobs of one kind: unfinished now, finished within a day."""

    kind: str
    queued: int
    running: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Failures:
    """Jobs of one kind that failed for one reason within a day."""

    kind: str
    code: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """Jobs by kind, the busiest first, and by the hour of their end, the present hour last."""

    kinds: list[KindOverview]
    succeeded_by_hour: list[int]
    failed_by_hour: list[int]
    failures: list[Failures]


async def waiting(session: AsyncSession) -> Waiting:
    """How much waits, and for how long; for the system."""
    overdue = func.extract("epoch", func.now() - func.min(Job.due_at).filter(Job.state == "queued"))
    counts = func.count().filter(Job.state == "queued"), func.count().filter(Job.state == "running")
    open_jobs = select(*counts, overdue).where(Job.state.in_(["queued", "running"]))
    queued, running, oldest = (await session.execute(open_jobs)).one()
    age = func.extract("epoch", func.now() - func.min(OutboxEvent.created_at))
    events, eldest = (await session.execute(select(func.count(), age).select_from(OutboxEvent))).one()
    return Waiting(queued, running, max(0.0, float(oldest or 0)), events, max(0.0, float(eldest or 0)))


async def work(session: AsyncSession) -> Work:
    """What the jobs of the last day came to; for the system. A job that took longer than two days is left out."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    by_hour = {"succeeded": [0] * HOURS, "failed": [0] * HOURS}
    open_jobs = select(Job.kind, Job.state, func.count()).where(Job.state.in_(["queued", "running"]))
    for kind, state, count in await session.execute(open_jobs.group_by(Job.kind, Job.state)):
        counts[kind][state] += count
    recent = Job.id >= first_id_at(utc_now() - LONGEST_JOB), Job.finished_at > func.now() - DAY
    ago = cast(func.floor(func.extract("epoch", func.now() - Job.finished_at) / 3600), Integer)
    finished = select(Job.kind, Job.state, ago.label("ago"), func.count()).where(*recent)
    for kind, state, hours, count in await session.execute(finished.group_by(Job.kind, Job.state, "ago")):
        counts[kind][state] += count
        by_hour[state][HOURS - 1 - min(max(hours, 0), HOURS - 1)] += count
    kinds = [
        KindOverview(kind, each["queued"], each["running"], each["succeeded"], each["failed"])
        for kind, each in sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    ]
    return Work(kinds, by_hour["succeeded"], by_hour["failed"], await _failures(session, *recent))


async def _failures(session: AsyncSession, *recent: ColumnElement[bool]) -> list[Failures]:
    last_at = func.max(Job.finished_at).label("last_at")
    code = func.coalesce(Job.error_code, "unknown").label("code")
    statement = select(Job.kind, code, func.count(), last_at).where(Job.state == "failed", *recent)
    statement = statement.group_by(Job.kind, "code").order_by(last_at.desc()).limit(MOST_FAILURES)
    rows = (await session.execute(statement)).all()
    return [Failures(kind, code, count, at) for kind, code, count, at in rows if at]
