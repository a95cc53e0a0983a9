"""Background work without a worker: what is due is done within one call, which some clock makes again and again."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime

from app.core.logging import get_log, where
from app.core.tasks import TASKS
from app.db.runtime import current
from app.db.session import session_scope
from app.jobs import service
from app.jobs.runner import run_job

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one call did: tasks of the schedule that ran, those of them that failed, jobs that were worked on."""

    tasks: int
    failed: list[str]
    jobs: int

    def as_json(self) -> dict[str, object]:
        """For the answer to the clock."""
        return asdict(self)


@dataclass
class Sweeper:
    """Remembers for this process in which of its periods each task has run; all of them may run twice."""

    _periods: dict[str, int] = field(default_factory=dict)

    async def sweep(self, now: datetime, may_go_on: Callable[[], bool]) -> Swept:
        """Run the tasks that are due at `now`, then jobs until none is due or time is short."""
        ran = [name for name in TASKS if self._is_due(name, now)]
        failed = [name for name in ran if not await _run(name)]
        jobs = 0
        while may_go_on() and (done := await _work(may_go_on)):
            jobs += done
        return Swept(len(ran), failed, jobs)

    def _is_due(self, name: str, now: datetime) -> bool:
        every = TASKS[name].every
        if every is None:
            return False
        period = int(now.timestamp() // every.total_seconds())
        is_due = self._periods.get(name) != period
        self._periods[name] = period
        return is_due


async def _run(name: str) -> bool:
    try:
        await TASKS[name].function()
    except Exception as error:  # one that fails must not keep the others from their turn
        log.error("periodic task failed", task=name, error=type(error).__name__, where=where(error))
        return False
    return True


async def _work(may_go_on: Callable[[], bool]) -> int:
    """Turn events into jobs, and work on those that are due; what there is no time for is due again soon."""
    settings = current().settings
    async with session_scope() as session:
        await service.expand_events(session)
    async with session_scope() as session:
        due = await service.claim_due(session, settings.job_max_attempts)
    done = 0
    for job_id in due:
        if not may_go_on():
            break
        await run_job(job_id, settings.job_lease_seconds)
        done += 1
    return done
