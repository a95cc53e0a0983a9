"""What jobs cost and how long they wait."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import func, select

from app.core.metrics import asked_for
from app.core.tasks import QUEUE
from app.db.models import OutboxEvent
from app.db.runtime import current
from app.db.session import session_scope
from app.jobs.models import Job

SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800)

runs: Final = Counter("lifevault_job_runs_total", "Tries of jobs by kind and outcome.", ["kind", "outcome"])
seconds: Final = Histogram("lifevault_job_duration_seconds", "Time of one try of a job.", ["kind"], buckets=SECONDS)


@asked_for
async def waiting() -> Iterable[Metric]:
    """Jobs and events that wait, and how long the oldest has; from the database, so every process says the same."""
    depth = GaugeMetricFamily("lifevault_jobs", "Jobs that are not finished, by state.", labels=["state"])
    age = GaugeMetricFamily("lifevault_job_oldest_seconds", "How long the job that is due longest has been due.")
    events = GaugeMetricFamily("lifevault_outbox_events", "Events that no job has been made of yet.")
    event_age = GaugeMetricFamily("lifevault_outbox_oldest_seconds", "Age of the oldest of them.")
    due = func.extract("epoch", func.now() - func.min(Job.due_at).filter(Job.state == "queued"))
    states = select(Job.state, func.count().label("n")).where(Job.state.in_(("queued", "running"))).group_by(Job.state)
    oldest = func.extract("epoch", func.now() - func.min(OutboxEvent.created_at))
    async with session_scope() as session:
        counts = {str(row.state): int(row.n) for row in await session.execute(states)}
        longest = await session.scalar(select(due).where(Job.state.in_(("queued", "running"))))
        count, eldest = (await session.execute(select(func.count(), oldest).select_from(OutboxEvent))).one()
    for state in ("queued", "running"):
        depth.add_metric([state], counts.get(state, 0))
    age.add_metric([], max(0.0, float(longest or 0)))
    events.add_metric([], count)
    event_age.add_metric([], max(0.0, float(eldest or 0)))
    return [depth, age, events, event_age]


@asked_for
async def queued() -> Iterable[Metric]:
    """Messages in the queue that no worker has taken."""
    redis = current().redis
    if redis is None or not current().redis_breaker.closed:
        return []
    depth = GaugeMetricFamily("lifevault_queue_messages", "Messages in the queue that no worker has taken.")
    depth.add_metric([], await redis.llen(QUEUE))
    return [depth]
