"""Jobs survive whatever happens to the queue and to workers."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from app.core.tasks import TASKS, Task
from app.db.outbox import emit
from app.db.session import session_scope
from app.jobs import service
from app.jobs.errors import JobFailed, LeaseLost
from app.jobs.models import Job
from app.jobs.runner import run_job
from tests.conftest import drain_jobs
from tests.factories import auth, make_user

pytestmark = pytest.mark.anyio


@pytest.fixture
def kind(monkeypatch):
    """Registers a function as a kind of job for the length of a test."""

    def register(function, *, on=None):
        name = f"tests.{uuid4().hex}"
        monkeypatch.setitem(TASKS, name, Task(name, function, None, on))
        return name

    return register


async def queue(kind: str, **values) -> UUID:
    async with session_scope() as session:
        return await service.create_job(session, kind, **values)


async def state_of(job_id: UUID) -> Job:
    async with session_scope() as session:
        job = await session.get(Job, job_id)
        assert job is not None
        return job


async def expire_lease(job_id: UUID) -> None:
    async with session_scope() as session:
        past = func.now() - timedelta(seconds=1)
        await session.execute(update(Job).where(Job.id == job_id).values(due_at=past))


async def test_a_job_runs_and_shows_its_progress(runtime, settings, kind):
    seen = []

    async def work(run):
        await run.progress("counting", 1, 2)
        seen.append(service.job_read(await state_of(run.id)))

    job_id = await queue(kind(work))
    await drain_jobs(settings)

    assert (seen[0].state, seen[0].step, seen[0].progress) == ("running", "counting", 0.5)
    job = service.job_read(await state_of(job_id))
    assert (job.state, job.progress, job.attempts) == ("succeeded", 1.0, 1)
    assert job.finished_at is not None


async def test_two_workers_with_the_same_message_run_the_job_once(runtime, kind):
    runs = []

    async def work(run):
        runs.append(run.attempt)
        await asyncio.sleep(0.05)

    job_id = await queue(kind(work))
    await asyncio.gather(*(run_job(job_id, 30) for _ in range(8)))

    assert runs == [1]


async def test_a_worker_that_lost_its_lease_can_neither_write_nor_finish(runtime, kind):
    job_id = await queue(kind(None))
    first = await service.take(job_id, 30)
    await expire_lease(job_id)
    second = await service.take(job_id, 30)

    assert (first.attempt, second.attempt) == (1, 2)
    with pytest.raises(LeaseLost):
        await first.scope().__aenter__()
    with pytest.raises(LeaseLost):
        await first.progress("late")
    async with second.scope() as session:
        await second.finish(session)
    assert (await state_of(job_id)).state == "succeeded"


async def test_the_effect_and_the_end_of_a_job_are_one_transaction(runtime, kind):
    job_id = await queue(kind(None))
    run = await service.take(job_id, 30)

    async def fail_after_the_effect():
        async with run.scope() as session:
            await emit(session, "tests.effect", job_id=job_id)
            await run.finish(session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_after_the_effect()

    assert (await state_of(job_id)).state == "running"


async def test_an_error_is_tried_again_and_given_up_in_the_end(runtime, settings, kind):
    attempts = []

    async def work(run):
        attempts.append(run.attempt)
        raise ConnectionError("with a secret in it")

    job_id = await queue(kind(work))
    for _ in range(settings.job_max_attempts + 2):
        await drain_jobs(settings)
        await expire_lease(job_id)

    job = await state_of(job_id)
    assert attempts == list(range(1, settings.job_max_attempts + 1))
    assert (job.state, job.error_code) == ("failed", "ConnectionError")
    assert "secret" not in f"{job.error_code} {job.error_detail}"


async def test_a_permanent_failure_says_why_and_is_not_tried_again(runtime, settings, kind):
    async def work(run):
        raise JobFailed("file-encrypted", "The file is protected by a password.")

    job_id = await queue(kind(work))
    await drain_jobs(settings)

    job = await state_of(job_id)
    assert (job.state, job.attempts, job.error_code) == ("failed", 1, "file-encrypted")
    assert job.error_detail == "The file is protected by a password."


async def test_a_job_whose_worker_fell_silent_is_sent_again(runtime, settings, kind):
    job_id = await queue(kind(None))
    await service.take(job_id, 30)
    await expire_lease(job_id)

    async with session_scope() as session:
        assert job_id in await service.claim_due(session, settings.job_max_attempts)
    assert (await state_of(job_id)).state == "queued"


async def test_a_sent_job_is_not_sent_again_at_once(runtime, settings, kind):
    job_id = await queue(kind(None))
    for expected in (True, False):
        async with session_scope() as session:
            assert (job_id in await service.claim_due(session, settings.job_max_attempts)) is expected


async def test_an_event_runs_each_listener_once_and_a_rolled_back_one_none(runtime, settings, kind):
    seen = []

    async def first(item_id):
        seen.append(("first", item_id))

    async def second(item_id):
        seen.append(("second", item_id))

    event, kept, lost = f"tests.{uuid4().hex}", uuid4(), uuid4()
    kind(first, on=event)
    kind(second, on=event)
    async with session_scope() as session:
        await emit(session, event, item_id=kept)
    with suppress(RuntimeError):
        async with session_scope() as session:
            await emit(session, event, item_id=lost)
            raise RuntimeError
    await drain_jobs(settings)

    assert sorted(seen) == [("first", str(kept)), ("second", str(kept))]


async def test_only_the_person_behind_a_job_sees_it(client, session, kind):
    owner, stranger = await make_user(), await make_user()
    job_id = await queue(kind(None), user_id=owner.id)

    mine = await client.get(f"/v1/jobs/{job_id}", headers=auth(owner))
    theirs = await client.get(f"/v1/jobs/{job_id}", headers=auth(stranger))

    assert (mine.status_code, mine.json()["state"]) == (200, "queued")
    assert (theirs.status_code, theirs.json()["code"]) == (404, "job-not-found")


async def test_progress_is_streamed_until_the_end(client, settings, kind):
    owner = await make_user()

    async def work(run):
        await run.progress("reading", 1, 3)
        await asyncio.sleep(0.6)

    job_id = await queue(kind(work), user_id=owner.id)
    working = asyncio.create_task(drain_jobs(settings))
    response = await client.get(f"/v1/jobs/{job_id}/events", headers=auth(owner))
    await working

    names = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event: ")]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert names[0] == "progress"
    assert names[-1] == "succeeded"


async def test_finished_jobs_are_purged_after_their_time(runtime, settings, kind):
    async def work(run):
        pass

    old, new = await queue(kind(work)), await queue(kind(work))
    await drain_jobs(settings)
    async with session_scope() as session:
        long_ago = func.now() - service.KEEP_FINISHED - timedelta(days=1)
        await session.execute(update(Job).where(Job.id == old).values(finished_at=long_ago))
    async with session_scope() as session:
        assert await service.purge_finished(session) >= 1
        left = list(await session.scalars(select(Job.id).where(Job.id.in_([old, new]))))

    assert left == [new]
