"""Fields as the API gives them: after reading, of a new version, after deletion, and made anew by a newer pipeline."""

import pytest
from sqlalchemy import func, select, text, update

from app.core.clock import first_id_at, utc_now
from app.db.session import session_scope
from app.rag import pipelines, renewal, tasks
from app.rag.models import FIELDS, Artifact, ShardRow
from tests.conftest import drain_jobs
from tests.factories import auth, make_user, make_vault
from tests.rag.asking import POLICY, upload

pytestmark = pytest.mark.anyio


async def fields_of(client, user, document, **query):
    path = f"/v1/rag/documents/{document['id']}/fields"
    response = await client.get(path, params=query, headers=auth(user))
    assert response.status_code == 200, response.text
    return response.json()["items"]


async def read(client, settings, content=POLICY):
    user = await make_user()
    vault = await make_vault(user)
    document = await upload(client, user, vault.id, text=content)
    await drain_jobs(settings)
    return user, vault, document


async def test_the_fields_of_a_document_stand_where_they_say(client, settings):
    user, _, document = await read(client, settings)

    fields = await fields_of(client, user, document)

    page = (await client.get(f"/v1/rag/documents/{document['id']}/pages/1", headers=auth(user))).json()["text"]
    assert all(page[field["start"] : field["end"]] == field["text"] for field in fields)
    known = {(field["kind"], field["role"], field["value"]) for field in fields}
    assert {
        ("number", "policy", "TQ-4471-93"),
        ("name", "holder", "Ana Brandt"),
        ("date", "starts", "2026-03-01"),
        ("date", "expires", "2027-02-28"),
        ("amount", "excess", "350"),
    } <= known
    dates = await fields_of(client, user, document, kind="date")
    assert [field["value"] for field in dates] == ["2026-03-01", "2027-02-28"]


async def test_fields_are_sealed_and_shown_to_nobody_else(client, settings):
    user, vault, document = await read(client, settings)
    stranger = await make_user()

    path = f"/v1/rag/documents/{document['id']}/fields"
    assert (await client.get(path, headers=auth(stranger))).status_code == 404
    assert (await client.get(path, params={"kind": "smell"}, headers=auth(user))).status_code == 422
    async with session_scope() as session:
        kept = select(Artifact.body).where(Artifact.vault_id == vault.id, Artifact.stage == FIELDS)
        cells = list(await session.scalars(kept))
    assert cells
    assert not any(b"4471" in cell or b"Brandt" in cell for cell in cells)


async def test_an_unread_document_has_no_fields_yet(client):
    user = await make_user()
    document = await upload(client, user, (await make_vault(user)).id)

    response = await client.get(f"/v1/rag/documents/{document['id']}/fields", headers=auth(user))

    assert response.status_code == 404
    assert response.json()["type"] == "/problems/not-read-yet"


async def test_a_new_version_has_its_own_fields_and_a_purged_document_none(client, settings):
    user, vault, document = await read(client, settings)
    content = POLICY.replace("TQ-4471-93", "ZZ-1234-56").encode()
    headers = {**auth(user), "Content-Type": "text/plain"}
    await client.put(f"/v1/vault/documents/{document['id']}/content", content=content, headers=headers)
    assert "TQ-4471-93" in {field["value"] for field in await fields_of(client, user, document)}

    await drain_jobs(settings)

    values = {field["value"] for field in await fields_of(client, user, document)}
    assert "ZZ-1234-56" in values
    assert "TQ-4471-93" not in values
    path = f"/v1/vault/documents/{document['id']}"
    await client.delete(path, headers=auth(user))
    await client.post(f"{path}/purge", headers=auth(user))
    await drain_jobs(settings)
    async with session_scope() as session:
        assert await session.scalar(select(func.count()).where(Artifact.vault_id == vault.id)) == 0


async def test_what_an_older_pipeline_extracted_is_extracted_anew_without_reading_again(client, settings, monkeypatch):
    user, vault, document = await read(client, settings)
    mine = Artifact.vault_id == vault.id
    async with session_scope() as session:
        await session.execute(update(Artifact).where(mine, Artifact.stage == FIELDS).values(pipeline="3/0"))
        shard = await session.scalar(select(ShardRow.created_at).where(ShardRow.vault_id == vault.id))
        old = first_id_at(utc_now() - 2 * renewal.TRY_AGAIN_AFTER)
        await session.execute(update(ShardRow).where(ShardRow.vault_id == vault.id).values(revision=old))
    assert await fields_of(client, user, document) == []
    monkeypatch.setattr(renewal, "AT_ONCE", 10_000)

    await tasks.renew_indexes()
    await drain_jobs(settings, rounds=60)

    assert "TQ-4471-93" in {field["value"] for field in await fields_of(client, user, document)}
    async with session_scope() as session:
        made_by = set(await session.scalars(select(Artifact.pipeline).where(mine, Artifact.stage == FIELDS)))
        assert await session.scalar(select(ShardRow.created_at).where(ShardRow.vault_id == vault.id)) == shard
        waiting = text("SELECT count(*) FROM jobs WHERE vault_id = :id AND state <> 'succeeded'")
        assert await session.scalar(waiting, {"id": vault.id}) == 0
    assert made_by == {pipelines.FIELDS_PIPELINE}
