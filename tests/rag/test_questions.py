"""From a stored document to a cited answer, through the API and the real steps of reading."""

import json

import pytest
from sqlalchemy import func, select

from app.db.session import session_scope
from app.rag.models import VECTORS, Artifact, ShardRow
from tests.conftest import drain_jobs
from tests.factories import auth, make_user, make_vault
from tests.rag.asking import POLICY, ask, upload

pytestmark = pytest.mark.anyio


async def test_a_question_is_answered_with_a_verbatim_located_quote(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    document = await upload(client, user, vault.id)
    await drain_jobs(settings)

    answer = await ask(client, user, "What is the excess for a comprehensive claim on the car insurance?")

    assert answer["found"] is True
    assert "350 euros" in answer["answer"]
    citation = answer["citations"][0]
    assert citation["document_id"] == document["id"]
    page = (await client.get(f"/v1/rag/documents/{document['id']}/pages/{citation['page']}", headers=auth(user))).json()
    assert page["text"][citation["start"] : citation["end"]] == citation["quote"]
    job = (await client.get(f"/v1/jobs/{document['job_id']}", headers=auth(user))).json()
    assert (job["state"], job["progress"]) == ("succeeded", 1.0)


async def test_what_the_documents_do_not_say_is_not_found(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    await upload(client, user, vault.id)
    await drain_jobs(settings)

    answer = await ask(client, user, "Under what law is the licence agreement with Zephyr Biotech Holdings governed?")

    assert answer["found"] is False
    assert answer["citations"] == []


async def test_someone_without_documents_gets_no_answer_and_no_hits(client):
    user = await make_user()

    answer = await ask(client, user, "When does my passport expire?")
    hits = await client.post("/v1/rag/search", json={"query": "passport"}, headers=auth(user))

    assert answer["found"] is False
    assert hits.json() == {"hits": []}


async def test_a_stranger_finds_nothing_of_mine(client, settings):
    owner, stranger = await make_user(), await make_user()
    vault = await make_vault(owner)
    document = await upload(client, owner, vault.id)
    await drain_jobs(settings)

    hits = await client.post("/v1/rag/search", json={"query": "excess car insurance"}, headers=auth(stranger))
    named = await client.post(
        "/v1/rag/search", json={"query": "excess", "vault_ids": [str(vault.id)]}, headers=auth(stranger)
    )
    page = await client.get(f"/v1/rag/documents/{document['id']}/pages/1", headers=auth(stranger))
    state = await client.get(f"/v1/rag/documents/{document['id']}", headers=auth(stranger))

    assert hits.json() == {"hits": []}
    assert (named.status_code, page.status_code, state.status_code) == (404, 404, 404)


async def test_vault_ids_narrow_the_search(client, settings):
    user = await make_user()
    first, second = await make_vault(user), await make_vault(user)
    await upload(client, user, first.id)
    other = await upload(client, user, second.id, name="Another car insurance.txt")
    await drain_jobs(settings)

    body = {"query": "excess", "vault_ids": [str(second.id)], "limit": 50}
    hits = (await client.post("/v1/rag/search", json=body, headers=auth(user))).json()["hits"]

    assert {hit["document_id"] for hit in hits} == {other["id"]}


async def test_an_answer_streams_and_ends_with_the_whole_one(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    await upload(client, user, vault.id)
    await drain_jobs(settings)

    body = {"question": "What is the policy number of the Skoda insurance?", "stream": True}
    response = await client.post("/v1/rag/ask", json=body, headers=auth(user))

    events = [part.split("\n") for part in response.text.strip().split("\n\n")]
    assert [event[0] for event in events][-1] == "event: answer"
    answer = json.loads(events[-1][1].removeprefix("data: "))
    assert "TQ-4471-93" in answer["answer"]
    assert "".join(json.loads(e[1].removeprefix("data: "))["text"] for e in events[:-1]) == answer["answer"]


async def test_a_deleted_document_is_found_no_more_and_a_purged_one_leaves_nothing(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    document = await upload(client, user, vault.id)
    await drain_jobs(settings)

    path = f"/v1/vault/documents/{document['id']}"
    assert (await client.delete(path, headers=auth(user))).status_code == 204
    assert (await client.post("/v1/rag/search", json={"query": "excess"}, headers=auth(user))).json() == {"hits": []}
    assert (await client.post(f"{path}/purge", headers=auth(user))).status_code in (202, 204)
    await drain_jobs(settings)

    async with session_scope() as session:
        for table in (Artifact, ShardRow):
            assert await session.scalar(select(func.count()).where(table.vault_id == vault.id)) == 0


async def test_a_new_version_supersedes_the_old_one_in_answers(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    document = await upload(client, user, vault.id)
    await drain_jobs(settings)
    content = POLICY.replace("350 euros", "475 euros").encode()
    headers = {**auth(user), "Content-Type": "text/plain"}
    response = await client.put(f"/v1/vault/documents/{document['id']}/content", content=content, headers=headers)
    assert response.status_code == 202

    before = await ask(client, user, "What is the excess for a comprehensive claim on the car insurance?")
    await drain_jobs(settings)
    after = await ask(client, user, "What is the excess for a comprehensive claim on the car insurance?")

    assert "350 euros" in before["answer"]
    assert "475 euros" in after["answer"]
    async with session_scope() as session:
        artifacts = select(Artifact.version_id, Artifact.stage).where(Artifact.vault_id == vault.id).distinct()
        rows = (await session.execute(artifacts)).all()
    assert len({row.version_id for row in rows}) == 1
    assert VECTORS not in {row.stage for row in rows}


async def test_a_renamed_document_is_found_by_its_new_title(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    document = await upload(client, user, vault.id)
    await drain_jobs(settings)
    path = f"/v1/vault/documents/{document['id']}"
    etag = (await client.get(path, headers=auth(user))).headers["etag"]
    changed = await client.patch(path, json={"title": "Octavia papers"}, headers={**auth(user), "If-Match": etag})
    assert changed.status_code == 200
    await drain_jobs(settings)

    hits = (await client.post("/v1/rag/search", json={"query": "Octavia papers"}, headers=auth(user))).json()["hits"]

    assert {hit["title"] for hit in hits} == {"Octavia papers"}


async def test_a_file_that_cannot_be_read_fails_with_a_reason_and_is_kept(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    content = bytes(range(256)) * 40
    response = await client.post(
        "/v1/vault/documents",
        data={"vault_id": str(vault.id)},
        files={"file": ("something.bin", content)},
        headers=auth(user),
    )
    assert response.status_code == 202
    document = response.json()
    await drain_jobs(settings)

    job = (await client.get(f"/v1/jobs/{document['job_id']}", headers=auth(user))).json()
    assert (job["state"], job["error_code"], job["attempts"]) == ("failed", "file-unsupported", 1)
    assert job["error_detail"]
    kept = await client.get(f"/v1/vault/documents/{document['id']}/content", headers=auth(user))
    assert kept.content == content
