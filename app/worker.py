"""The only file that knows Celery: carries job ids, runs the schedule, relays the outbox.

`celery -A app.worker worker` does the work; `celery -A app.worker beat` is the clock and the relay.
"""

from app.core.start import without_collection

with without_collection():  # what children share with this process is not looked through, so it stays shared
    import asyncio
    import os
    import threading
    from importlib import import_module
    from typing import Any
    from uuid import UUID

    import asyncpg
    from celery import Celery
    from celery.signals import beat_init, setup_logging, worker_init, worker_process_shutdown
    from kombu.exceptions import OperationalError

    from app import models, tasks, ties
    from app.core.config import load_settings
    from app.core.logging import configure_logging, get_log
    from app.core.tasks import QUEUE, TASKS
    from app.db.listening import listen
    from app.db.outbox import CHANNEL
    from app.db.runtime import close_runtime, open_runtime
    from app.db.session import session_scope
    from app.jobs import service as jobs
    from app.jobs.runner import run_job
    from app.jobs.workers import note_worker

__all__ = ["models", "tasks", "ties"]

RELAY_SECONDS = 1.0
LONGEST_TASK_SECONDS = 3_600
RUN_JOB = "jobs.run"
RUN_PERIODIC = "tasks.run_periodic"

log = get_log(__name__)
settings = load_settings()
celery = Celery("lifevault", broker=settings.redis_url.get_secret_value())
celery.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_time_limit=LONGEST_TASK_SECONDS,
    task_default_queue=QUEUE,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=10,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    visibility_timeout=LONGEST_TASK_SECONDS + 300,  # jobs are found again by their lease long before
    broker_transport_options={
        "visibility_timeout": LONGEST_TASK_SECONDS + 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "max_retries": 1,
    },
    beat_scheduler="celery.beat:Scheduler",  # every periodic task is idempotent, so nothing needs to be remembered
    beat_schedule={
        task.name: {"task": RUN_PERIODIC, "schedule": task.every, "args": [task.name]}
        for task in TASKS.values()
        if task.every
    },
)


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    configure_logging(debug=settings.debug)


class _Loop:
    """One event loop and one runtime for each worker process, opened after the fork."""

    def __init__(self) -> None:
        self._pid = 0
        self._runner: asyncio.Runner | None = None

    def run(self, work: Any) -> None:
        """Run a coroutine to its end."""
        if self._pid != os.getpid():
            self._pid, self._runner = os.getpid(), asyncio.Runner()
            open_runtime(settings)
        assert self._runner is not None  # noqa: S101
        self._runner.run(_noted(work))

    def close(self) -> None:
        """Close what this process opened."""
        if self._runner and self._pid == os.getpid():
            self._runner.run(close_runtime())
            self._runner.close()


async def _noted(work: Any) -> None:
    await note_worker()
    await work


_loop = _Loop()


@worker_init.connect
def _import_reading(**_: Any) -> None:
    """Before the fork, so that each child has it."""
    with without_collection():
        import_module("app.rag.ingest")


@worker_process_shutdown.connect
def _close(**_: Any) -> None:
    _loop.close()


@celery.task(name=RUN_JOB)
def run(job_id: str) -> None:
    """Run one job; everything about it stands in its row."""
    _loop.run(run_job(UUID(job_id), settings.job_lease_seconds))


@celery.task(name=RUN_PERIODIC)
def run_periodic(name: str) -> None:
    """Run one task of the schedule."""
    _loop.run(TASKS[name].function())


@beat_init.connect
def _start_relay(**_: Any) -> None:
    threading.Thread(target=_relay_or_die, name="relay", daemon=True).start()


def _relay_or_die() -> None:
    """Relay for ever; if even that fails the process ends, and its supervisor starts another."""
    try:
        asyncio.run(_relay_forever())
    finally:
        os._exit(1)


async def _relay_forever() -> None:
    open_runtime(settings)
    wake = asyncio.Event()
    listener = asyncio.create_task(listen(settings, CHANNEL, lambda _: wake.set()))
    while not listener.cancelled():
        try:
            while await relay() and not wake.is_set():
                pass
        except (OSError, OperationalError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("relay waits", error=type(error).__name__)
        except Exception as error:
            log.error("relay failed", error=type(error).__name__)
        wake.clear()
        try:
            await asyncio.wait_for(wake.wait(), RELAY_SECONDS)
        except TimeoutError:
            continue


async def relay() -> int:
    """Turn events into jobs and send due jobs to the queue; what can't be sent stays due. Returns how many went out."""
    async with session_scope() as session:
        await jobs.expand_events(session)
    async with session_scope() as session:
        due = await jobs.claim_due(session, settings.job_max_attempts)
        for job_id in due:
            await asyncio.to_thread(celery.send_task, RUN_JOB, [str(job_id)], retry=False)
    return len(due)
