"""Reading under way: interrupted, doubled, overtaken, given up, and begun anew for another embedder or pipeline."""

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from app.core.clock import first_id_at, utc_now
from app.db import runtime as runtimes
from app.db.session import session_scope
from app.jobs.runner import run_job
from app.jobs.service import JobRun
from app.rag import cache, engine, ingest, publishing, renewal, service, serving, tasks
from app.rag.models import FIELDS, PAGE, Artifact, ShardRow
from app.rag.steps import Steps
from tests.conftest import application, drain_jobs
from tests.factories import make_user, make_vault
from tests.rag.asking import POLICY, ask, auth, upload
from tests.rag.parsing_files import mail, scanned_pdf
from tests.rag.parsing_reader import kill_the_reader
from tests.rag.provider import DIMENSIONS, serve

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LONG = "\f".join(f"Page {number} says that the boiler was serviced {number} times." for number in range(1, 41))
EMBEDDER = "test-embedder"


@pytest.fixture(scope="module")
def server():
    with serve() as provider:
        yield provider
        for seconds in (engine.PASSAGES_SECONDS, engine.QUESTION_SECONDS):
            engine._http(provider.url, provider.key, EMBEDDER, DIMENSIONS, seconds).close()
        engine._http.cache_clear()


@pytest.fixture
def provider(server):
    server.reset()
    engine.embedder_breaker.succeeded()
    yield server
    engine.embedder_breaker.succeeded()


@pytest.fixture
def client_with(runtime, monkeypatch):
    """The whole application, its worker included, with changed settings."""

    def make(**changes) -> httpx.AsyncClient:
        settings = runtime.settings.model_copy(update=changes)
        monkeypatch.setattr(runtimes, "_current", [replace(runtime, settings=settings)])
        transport = httpx.ASGITransport(application(settings), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://lifevault.test")

    return make


@pytest.fixture
def remote(client_with, provider):
    """The application with an embeddings endpoint."""
    return client_with(**embeddings(provider))


def embeddings(provider):
    return {
        "embedder": "http",
        "embedder_url": provider.url,
        "embedder_api_key": SecretStr(provider.key),
        "embedder_model": EMBEDDER,
        "embedder_dimensions": DIMENSIONS,
    }


async def stored(client, content=POLICY, name="Car insurance 2026.txt"):
    """A person with a document that is not read yet, its id and its vault's."""
    user = await make_user()
    vault = await make_vault(user)
    document = await upload(client, user, vault.id, text=content, name=name)
    return user, document, vault.id


async def state_of(client, user, document):
    response = await client.get(f"/v1/rag/documents/{document['id']}", headers=auth(user))
    return response.json() if response.status_code == 200 else response.status_code


async def job_of(client, user, document):
    return (await client.get(f"/v1/jobs/{document['job_id']}", headers=auth(user))).json()


async def rows_of(vault_id):
    """Stages of the artifacts but fields, and how many shards there are."""
    async with session_scope() as session:
        mine = Artifact.vault_id == vault_id, Artifact.stage != FIELDS
        stages = await session.scalars(select(Artifact.stage).where(*mine))
        shards = await session.scalar(select(func.count()).where(ShardRow.vault_id == vault_id))
        return sorted(stages), shards


async def make_jobs_due():
    async with session_scope() as session:
        await session.execute(text("UPDATE jobs SET due_at = now() WHERE state = 'queued' AND attempts > 0"))


async def age(vault_id, since=timedelta(hours=2)):
    """Let the indexes of a vault be old."""
    async with session_scope() as session:
        old = first_id_at(utc_now() - since)
        await session.execute(update(ShardRow).where(ShardRow.vault_id == vault_id).values(revision=old))


async def renew(monkeypatch, most=1):
    """One round of renewals, as if nothing else were under way than `most` allows."""
    async with session_scope() as session:
        recent = ShardRow.revision >= first_id_at(utc_now() - renewal.TRY_AGAIN_AFTER)
        under_way = await session.scalar(select(func.count()).where(renewal._outdated(), recent))
    monkeypatch.setattr(renewal, "AT_ONCE", under_way + most)
    return await tasks.renew_indexes()


@contextmanager
def once(monkeypatch, owner, name, first):
    """Let `first` happen before the first call of a method."""
    original = getattr(owner, name)
    happened = []

    async def wrapped(*arguments, **named):
        if not happened:
            happened.append(True)
            await first()
        return await original(*arguments, **named)

    monkeypatch.setattr(owner, name, wrapped)
    yield happened
    monkeypatch.setattr(owner, name, original)


async def broken():
    raise ConnectionError


async def test_an_embeddings_endpoint_reads_and_finds(remote, provider, settings):
    user, document, vault_id = await stored(remote)
    await drain_jobs(settings)

    answer = await ask(remote, user)

    assert "350 euros" in answer["answer"]
    assert (await state_of(remote, user, document))["model_id"] == f"{EMBEDDER}.{DIMENSIONS}"
    assert any("excess of 350 euros" in sent for sent in provider.embedded)
    assert "What is the excess for a comprehensive claim on the car insurance?" in provider.embedded
    assert await rows_of(vault_id) == ([PAGE] * 2, 1)


async def test_without_an_embedder_words_are_enough(client_with, settings):
    client = client_with(embedder="none")
    user, document, _ = await stored(client)
    await drain_jobs(settings)

    answer = await ask(client, user)

    assert "350 euros" in answer["answer"]
    assert (await state_of(client, user, document))["model_id"] is None


async def test_an_endpoint_that_fails_at_question_time_leaves_the_words_and_is_soon_left_alone(
    remote, provider, settings, monkeypatch
):
    user, _, _ = await stored(remote)
    await drain_jobs(settings)
    provider.embeddings_status = 500
    asked = []
    monkeypatch.setattr(service.log, "warning", lambda *_, **__: asked.append(1))

    for _ in range(6):
        answer = await ask(remote, user)
        assert "350 euros" in answer["answer"]

    assert len(asked) == 3


async def test_an_endpoint_that_fails_while_reading_delays_the_vectors_not_the_document(
    client_with, provider, settings, monkeypatch
):
    client = client_with(**embeddings(provider), job_max_attempts=2)
    provider.embeddings_status = 503
    user, document, vault_id = await stored(client)
    await drain_jobs(settings)
    assert await state_of(client, user, document) == 404
    await make_jobs_due()
    await drain_jobs(settings)

    assert (await job_of(client, user, document))["state"] == "succeeded"
    assert (await state_of(client, user, document))["model_id"] is None
    assert "350 euros" in (await ask(client, user))["answer"]

    provider.embeddings_status = 200
    await age(vault_id)
    assert await renew(monkeypatch) == 1
    await drain_jobs(settings)
    assert (await state_of(client, user, document))["model_id"] == f"{EMBEDDER}.{DIMENSIONS}"


async def test_another_embedder_indexes_all_again_a_few_at_a_time_and_doubles_nothing(
    client_with, provider, settings, monkeypatch
):
    client = client_with(embedder="none")
    user, first, vault_id = await stored(client)
    second = await upload(client, user, vault_id, name="The same again.txt")
    await drain_jobs(settings)
    client = client_with(**embeddings(provider))
    await age(vault_id)

    assert await renew(monkeypatch, most=1) == 1
    assert await tasks.renew_indexes() == 0
    assert "350 euros" in (await ask(client, user))["answer"]
    await drain_jobs(settings)
    assert await renew(monkeypatch, most=5) == 1
    await drain_jobs(settings)

    states = [await state_of(client, user, document) for document in (first, second)]
    assert {state["model_id"] for state in states} == {f"{EMBEDDER}.{DIMENSIONS}"}
    assert await rows_of(vault_id) == ([PAGE] * 4, 2)
    await age(vault_id)
    assert await renew(monkeypatch, most=5) == 0
    await age(vault_id, timedelta())


async def test_a_renewal_that_is_queued_twice_is_done_once(client_with, provider, settings, monkeypatch):
    client = client_with(embedder="none")
    _, _, vault_id = await stored(client)
    await drain_jobs(settings)
    client_with(**embeddings(provider))
    for _ in range(2):
        await age(vault_id)
        assert await renew(monkeypatch) == 1

    await drain_jobs(settings)

    assert len(provider.embedded) == len(set(provider.embedded)) > 0


async def test_another_pipeline_reads_again_and_old_citations_hold_until_it_is_done(client, settings, monkeypatch):
    user, document, vault_id = await stored(client)
    await drain_jobs(settings)
    before = await ask(client, user)
    for module in (ingest, publishing, renewal, serving):
        monkeypatch.setattr(module, "PIPELINE", "next")
    await age(vault_id)
    assert await renew(monkeypatch) == 1
    with once(monkeypatch, ingest, "publish", broken):
        await drain_jobs(settings)

    path = f"/v1/rag/documents/{document['id']}/pages/1"
    citation = before["citations"][0]
    page = (await client.get(path, headers=auth(user))).json()
    assert page["text"][citation["start"] : citation["end"]] == citation["quote"]
    assert (await rows_of(vault_id))[0].count(PAGE) == 4

    await make_jobs_due()
    await drain_jobs(settings)
    assert await rows_of(vault_id) == ([PAGE] * 2, 1)
    assert (await client.get(path, headers=auth(user))).status_code == 200


async def test_reading_goes_on_where_a_killed_worker_left_off(remote, provider, settings, monkeypatch):
    user, document, vault_id = await stored(remote, LONG)
    monkeypatch.setattr(ingest, "TEXTS_AT_ONCE", 16)
    with once(monkeypatch, ingest, "publish", broken):
        await drain_jobs(settings)
    sentences = len(provider.embedded)
    assert sentences > 40
    assert (await rows_of(vault_id))[1] == 0

    async def refuse(*_, **__):
        raise AssertionError("everything was read already")
        yield

    monkeypatch.setattr(ingest, "read_pages", refuse)
    await make_jobs_due()
    await drain_jobs(settings)

    assert (await state_of(remote, user, document))["pages"] == 40
    assert len(provider.embedded) == sentences


async def test_pages_read_before_a_crash_are_not_read_again(client, settings, monkeypatch):
    user, document, vault_id = await stored(client, LONG)
    calls = []
    original = ingest.read_pages

    def counted(*arguments, skip=(), **named):
        calls.append(len(skip))
        return original(*arguments, skip=skip, **named)

    shown = []
    show = JobRun.progress

    async def crashing(run, step, done=0, total=0):
        shown.append(done)
        if len(shown) == 3:
            raise ConnectionError
        await show(run, step, done, total)

    monkeypatch.setattr(ingest, "read_pages", counted)
    monkeypatch.setattr(JobRun, "progress", crashing)
    await drain_jobs(settings)
    await make_jobs_due()
    await drain_jobs(settings)

    assert calls == [0, 32]
    assert (await state_of(client, user, document))["pages"] == 40
    assert await rows_of(vault_id) == ([PAGE] * 41, 1)


async def test_progress_is_shown_often_and_never_goes_back(client, settings, monkeypatch):
    shown = []
    show = JobRun.progress

    async def recorded(run, step, done=0, total=0):
        shown.append((step, done / total))
        await show(run, step, done, total)

    monkeypatch.setattr(JobRun, "progress", recorded)
    monkeypatch.setattr(ingest, "TEXTS_AT_ONCE", 8)
    user, document, _ = await stored(client, LONG)
    await drain_jobs(settings)

    shares = [share for _, share in shown]
    assert shares == sorted(shares)
    assert len(set(shares)) >= 10
    assert list(dict.fromkeys(step for step, _ in shown)) == ["reading", "fields", "embedding", "indexing"]
    assert (await job_of(client, user, document))["progress"] == 1.0


async def test_pages_that_could_not_be_read_are_told(client_with, settings):
    client = client_with(ocr_max_pages=0)
    letter = mail("Please find our lease as a scan.", ("lease.pdf", scanned_pdf("The rent is 900 euros.")))
    user, document, _ = await stored(client, letter, "Lease.eml")
    await drain_jobs(settings)

    state = await state_of(client, user, document)

    assert (state["pages"], state["pages_unread"]) == (2, [2])
    assert (await job_of(client, user, document))["state"] == "succeeded"


async def test_a_file_without_any_text_fails_clearly(client, settings):
    user, document, vault_id = await stored(client, "  \n\f  \n")
    await drain_jobs(settings)

    job = await job_of(client, user, document)

    assert (job["state"], job["error_code"], job["attempts"]) == ("failed", "file-no-text", 1)
    assert job["error_detail"] == "No text was found in the file."
    assert await rows_of(vault_id) == ([], 0)


async def test_a_file_without_any_text_fails_clearly_on_the_second_try_too(client, settings, monkeypatch):
    monkeypatch.setattr(ingest, "PAGES_AT_ONCE", 1)
    user, document, vault_id = await stored(client, "  \n\f  \n\f  ")
    shown = []
    show = JobRun.progress

    async def crashing(run, step, done=0, total=0):
        shown.append(done)
        if len(shown) == 2:
            raise ConnectionError
        await show(run, step, done, total)

    monkeypatch.setattr(JobRun, "progress", crashing)
    await drain_jobs(settings)
    assert (await rows_of(vault_id))[0] == [PAGE] * 2
    await make_jobs_due()
    await drain_jobs(settings)

    job = await job_of(client, user, document)
    assert (job["state"], job["error_code"], job["attempts"]) == ("failed", "file-no-text", 2)
    assert await rows_of(vault_id) == ([], 0)


async def test_a_file_whose_reader_was_killed_is_read_again(client, settings):
    user, document, _ = await stored(client)

    await asyncio.gather(kill_the_reader(), run_job(UUID(document["job_id"]), 30))

    job = await job_of(client, user, document)
    assert (job["state"], job["error_code"], job["attempts"]) == ("queued", "Unreadable", 1)
    await make_jobs_due()
    await drain_jobs(settings)
    job = await job_of(client, user, document)
    assert (job["state"], job["error_code"], job["attempts"]) == ("succeeded", None, 2)
    assert (await ask(client, user))["found"]


async def test_a_file_whose_reader_is_killed_each_time_is_given_up(client_with):
    client = client_with(job_max_attempts=1)
    user, document, vault_id = await stored(client)

    await asyncio.gather(kill_the_reader(), run_job(UUID(document["job_id"]), 30))

    job = await job_of(client, user, document)
    assert (job["state"], job["error_code"], job["attempts"]) == ("failed", "file-killed", 1)
    assert await rows_of(vault_id) == ([], 0)


@pytest.mark.parametrize("step", ["keep_pages", "keep_vectors"])
async def test_a_document_that_is_purged_meanwhile_leaves_nothing(client, settings, monkeypatch, step):
    user, document, vault_id = await stored(client)
    path = f"/v1/vault/documents/{document['id']}"

    async def purge():
        assert (await client.delete(path, headers=auth(user))).status_code == 204
        assert (await client.post(f"{path}/purge", headers=auth(user))).status_code in (202, 204)

    with once(monkeypatch, Steps, step, purge) as purged:
        await drain_jobs(settings)

    assert purged
    assert await rows_of(vault_id) == ([], 0)
    job = await job_of(client, user, document)
    assert (job["state"], job["error_code"], job["attempts"]) == ("failed", "document-gone", 1)


async def test_a_vault_that_is_destroyed_meanwhile_leaves_nothing(client, settings, monkeypatch):
    _, document, vault_id = await stored(client, LONG)

    async def destroy():
        async with session_scope() as session:
            await session.execute(text("DELETE FROM vaults WHERE id = :id"), {"id": vault_id})
            await runtimes.current().keys.destroy(session, vault_id)

    with once(monkeypatch, Steps, "keep_pages", destroy):
        await drain_jobs(settings)

    assert await rows_of(vault_id) == ([], 0)
    async with session_scope() as session:
        job = text("SELECT error_code FROM jobs WHERE id = :id")
        assert await session.scalar(job, {"id": UUID(document["job_id"])}) == "document-gone"


async def test_a_cancelled_job_stops_without_publishing(client, settings, monkeypatch):
    user, document, vault_id = await stored(client, LONG)

    async def cancel():
        from app.jobs.service import cancel_jobs

        async with session_scope() as session:
            await cancel_jobs(session, UUID(document["version_id"]), "cancelled", "Cancelled.")

    with once(monkeypatch, Steps, "keep_pages", cancel):
        await drain_jobs(settings)

    assert await rows_of(vault_id) == ([], 0)
    assert (await job_of(client, user, document))["error_code"] == "cancelled"


async def test_two_jobs_for_one_version_do_no_harm(client, settings):
    user, document, vault_id = await stored(client, LONG)
    async with session_scope() as session:
        await service.reindex(session, UUID(document["id"]), vault_id)
        ids = list(
            await session.scalars(
                text("SELECT id FROM jobs WHERE subject_id = :id"), {"id": UUID(document["version_id"])}
            )
        )
    assert len(ids) == 2

    await asyncio.gather(*(run_job(job_id, 30) for job_id in ids))

    assert await rows_of(vault_id) == ([PAGE] * 41, 1)
    answer = await ask(client, user, "How often was the boiler serviced according to page 17?")
    for citation in answer["citations"]:
        path = f"/v1/rag/documents/{document['id']}/pages/{citation['page']}"
        page = (await client.get(path, headers=auth(user))).json()
        assert page["text"][citation["start"] : citation["end"]] == citation["quote"]
    async with session_scope() as session:
        states = await session.scalars(
            text("SELECT state FROM jobs WHERE subject_id = :id"), {"id": UUID(document["version_id"])}
        )
        assert set(states) == {"succeeded"}


async def test_a_version_that_is_superseded_meanwhile_leaves_nothing_and_answers_nothing(client, settings, monkeypatch):
    user, document, vault_id = await stored(client)

    async def supersede():
        content = POLICY.replace("350 euros", "475 euros").encode()
        headers = {**auth(user), "Content-Type": "text/plain"}
        path = f"/v1/vault/documents/{document['id']}"
        headers["If-Match"] = (await client.get(path, headers=auth(user))).headers["etag"]
        response = await client.put(f"{path}/content", content=content, headers=headers)
        assert response.status_code == 202

    with once(monkeypatch, ingest, "publish", supersede):
        await drain_jobs(settings)

    assert "475 euros" in (await ask(client, user))["answer"]
    assert await rows_of(vault_id) == ([PAGE] * 2, 1)
    assert (await job_of(client, user, document))["state"] == "succeeded"


async def test_a_title_that_changes_meanwhile_is_the_one_that_is_found(client, settings, monkeypatch):
    user, document, vault_id = await stored(client)
    path = f"/v1/vault/documents/{document['id']}"

    async def rename():
        headers = {**auth(user), "If-Match": (await client.get(path, headers=auth(user))).headers["etag"]}
        assert (await client.patch(path, json={"title": "Octavia papers"}, headers=headers)).status_code == 200

    with once(monkeypatch, ingest, "publish", rename):
        await run_job(UUID(document["job_id"]), 30)

    body = {"query": "Octavia papers"}
    hits = (await client.post("/v1/rag/search", json=body, headers=auth(user))).json()["hits"]
    assert {hit["title"] for hit in hits} == {"Octavia papers"}
    assert await rows_of(vault_id) == ([PAGE] * 2, 1)


async def test_what_a_given_up_reading_has_left_is_swept_away_and_what_serves_stays(client, settings, monkeypatch):
    _, _, published = await stored(client)
    await drain_jobs(settings)
    _, _, given_up = await stored(client, LONG)
    with once(monkeypatch, ingest, "publish", broken):
        await drain_jobs(settings)
    async with session_scope() as session:
        await session.execute(text("UPDATE jobs SET state = 'failed' WHERE state = 'queued'"))
    assert (await rows_of(given_up))[0] != []

    await tasks.sweep_artifacts()
    assert (await rows_of(given_up))[0] != []
    await tasks.sweep_artifacts(utc_now() + timedelta(days=2))

    assert await rows_of(given_up) == ([], 0)
    assert await rows_of(published) == ([PAGE] * 2, 1)


async def test_one_damaged_index_does_not_keep_the_others_from_answering(client, settings):
    user, document, vault_id = await stored(client)
    other = await upload(client, user, vault_id, name="Damaged.txt")
    await drain_jobs(settings)
    cache.shelf_cache(settings.shard_cache_bytes).clear()
    async with session_scope() as session:
        damaged = ShardRow.document_id == UUID(other["id"])
        body = ShardRow.body.op("||")(b"\0")
        await session.execute(update(ShardRow).where(damaged).values(body=body))

    answer = await ask(client, user)

    assert {citation["document_id"] for citation in answer["citations"]} == {document["id"]}
