"""From sealed rows to what is searched: exactly what may be read now, whatever was opened before."""

from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.rag import cache, opening
from app.rag.chunking import chunk_pages
from app.rag.document import Page
from app.rag.models import PAGE, Artifact, ShardRow
from app.rag.scope import Scope
from app.rag.shelving import open_shelves
from tests.conftest import drain_jobs
from tests.factories import make_member, make_user, make_vault
from tests.rag.asking import POLICY, auth, upload
from tests.rag.old_shards import build_old_shard

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

QUESTION = "What is the excess for a comprehensive claim?"


@pytest.fixture(autouse=True)
def _nothing_is_opened(runtime):
    cache.shelf_cache(current().settings.shard_cache_bytes).clear()


def kept(vault_id):
    """The shelves of a vault in memory, of whatever model."""
    held = cache.shelf_cache(current().settings.shard_cache_bytes)._kept
    return [shelf for (owner, *_), (_, shelves, _) in held.items() if owner == vault_id for shelf in shelves]


async def found(client, user, **more):
    """The documents in which passages are found."""
    response = await client.post("/v1/rag/search", json={"query": QUESTION, "limit": 50, **more}, headers=auth(user))
    assert response.status_code == 200, response.text
    return {hit["document_id"] for hit in response.json()["hits"]}


async def stored(client, settings, count=1):
    user = await make_user()
    vault = await make_vault(user)
    papers = [await upload(client, user, vault.id, name=f"Policy {number}.txt") for number in range(count)]
    await drain_jobs(settings)
    return user, vault.id, [paper["id"] for paper in papers]


async def test_a_document_in_the_trash_leaves_memory_at_the_next_question(client, settings):
    user, vault_id, (first, second) = await stored(client, settings, 2)
    assert await found(client, user) == {first, second}
    assert [len(shelf.known) for shelf in kept(vault_id)] == [2]

    response = await client.delete(f"/v1/vault/documents/{first}", headers=auth(user))

    assert response.status_code in (200, 204)
    assert await found(client, user) == {second}
    assert [len(shelf.known) for shelf in kept(vault_id)] == [1]


async def test_documents_that_come_one_by_one_are_found_and_end_on_few_shelves(client, settings, monkeypatch):
    monkeypatch.setattr(opening, "MOST_SHELVES", 2)
    user, vault_id, ids = await stored(client, settings)
    for number in range(3):
        assert await found(client, user) == set(ids)
        document = await upload(client, user, vault_id, name=f"Another {number}.txt")
        ids.append(document["id"])
        await drain_jobs(settings)

    assert await found(client, user) == set(ids)

    assert len(kept(vault_id)) == 2
    assert sum(len(shelf.known) for shelf in kept(vault_id)) == 4


async def test_batches_that_are_opened_one_by_one_make_one_shelf(client, settings, monkeypatch):
    monkeypatch.setattr(opening, "BATCH_BYTES", 1)
    user, vault_id, ids = await stored(client, settings, 3)

    assert await found(client, user) == set(ids)

    assert [len(shelf.known) for shelf in kept(vault_id)] == [3]


async def test_who_is_no_member_any_more_finds_nothing_in_what_is_still_open(client, settings):
    user = await make_user()
    vault = await make_vault(user)
    ids = [(await upload(client, user, vault.id))["id"]]
    await drain_jobs(settings)
    member = await make_member(vault)
    assert await found(client, member) == set(ids)

    response = await client.delete(f"/v1/vault/vaults/{vault.id}/members/{member.id}", headers=auth(user))

    assert response.status_code in (200, 204), response.text
    assert kept(vault.id)
    assert await found(client, member) == set()
    assert await found(client, user) == set(ids)


async def test_a_search_in_one_vault_does_not_close_the_others(client, settings):
    user, vault_id, ids = await stored(client, settings)
    other = await make_vault(user)
    document = await upload(client, user, other.id)
    await drain_jobs(settings)
    assert await found(client, user) == {*ids, document["id"]}

    assert await found(client, user, vault_ids=[str(vault_id)]) == set(ids)

    assert kept(vault_id)
    assert kept(other.id)


async def test_a_passage_whose_page_is_gone_is_left_out(client, settings):
    user, _, (first, second) = await stored(client, settings, 2)
    async with session_scope() as session:
        of_first = select(ShardRow.id).where(ShardRow.document_id == UUID(first)).scalar_subquery()
        await session.execute(delete(Artifact).where(Artifact.version_id == of_first, Artifact.stage == PAGE))

    assert await found(client, user) == {second}


async def test_a_damaged_page_is_left_out(client, settings):
    user, _, (first, second) = await stored(client, settings, 2)
    async with session_scope() as session:
        of_first = select(ShardRow.id).where(ShardRow.document_id == UUID(first)).scalar_subquery()
        changed = update(Artifact).where(Artifact.version_id == of_first, Artifact.stage == PAGE)
        await session.execute(changed.values(body=Artifact.body.op("||")(b"\0")))

    assert await found(client, user) == {second}


async def test_an_index_of_the_earlier_pipeline_is_searched_until_it_is_made_anew(client, settings):
    user, vault_id, ids = await stored(client, settings)
    pages = [Page(1, POLICY)]
    async with session_scope(Actor.vault(vault_id)) as session:
        row = (await session.execute(select(ShardRow).where(ShardRow.vault_id == vault_id))).scalar_one()
        ring = await current().keys.ring(session, vault_id, row.body)
        source = Scope(open_shelves([ring.open("rag_shards", row.id, "body", row.body)])).source(0)
        old = build_old_shard(source, pages, chunk_pages(pages), None, None)
        sealed = ring.seal("rag_shards", row.id, "body", old)
        changed = update(ShardRow).where(ShardRow.id == row.id)
        await session.execute(changed.values(body=sealed, pipeline="2", model_id=None))
        await session.execute(update(Artifact).where(Artifact.version_id == row.id).values(pipeline="2"))

    assert await found(client, user) == set(ids)
