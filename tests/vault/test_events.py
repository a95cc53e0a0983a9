"""Every change of items and documents is told of by the database, in the transaction that makes it."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.db.runtime import Runtime
from app.db.session import Actor, session_scope
from app.vault import service
from app.vault.events import DOCUMENT_CHANGED, ITEM_CHANGED
from tests.conftest import drain_jobs
from tests.factories import auth, make_document, make_item, make_user, make_vault, principal_of
from tests.vault.conftest import Scene, rows_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(own_database: Runtime) -> Scene:
    """As elsewhere, where nobody else relays what the outbox holds."""
    owner = await make_user()
    vault = await make_vault(owner)
    item, document = await make_item(owner, vault), await make_document(owner, vault)
    return Scene(vault, item, document, owner, owner, owner, owner, owner, owner)


async def told(event: str, subject: UUID) -> list[str]:
    """The changes that the outbox tells of, sorted as they have no order."""
    name = event.removeprefix("vault.").removesuffix("_changed") + "_id"
    statement = "SELECT payload FROM outbox_events WHERE event = :event AND payload ->> :name = :subject"
    rows = await rows_of(statement, event=event, name=name, subject=str(subject))
    assert all(set(row.payload) == {name, "vault_id", "change"} for row in rows)
    return sorted(row.payload["change"] for row in rows)


async def test_the_life_of_an_item_is_told(client: httpx.AsyncClient, scene: Scene):
    path, headers = f"/v1/vault/items/{scene.item.id}", auth(scene.owner)
    await client.patch(path, json={"title": "Another"}, headers=headers)
    await client.delete(path, headers=headers)
    await client.post(f"{path}/restore", headers=headers)
    await client.delete(path, headers=headers)
    purged = await client.post(f"{path}/purge", headers=headers)

    assert purged.status_code == 204
    assert await told(ITEM_CHANGED, scene.item.id) == ["created", "purged", "restored", "trashed", "trashed", "updated"]


async def test_the_life_of_a_document_is_told(client: httpx.AsyncClient, scene: Scene):
    path, headers = f"/v1/vault/documents/{scene.document.id}", auth(scene.owner)
    await client.patch(path, json={"title": "Another"}, headers=headers)
    await client.put(f"{path}/content", content=b"a second version", headers=headers)
    await client.delete(path, headers=headers)
    await client.post(f"{path}/restore", headers=headers)
    await client.delete(path, headers=headers)
    purged = await client.post(f"{path}/purge", headers=headers)

    assert purged.status_code == 204
    assert await told(DOCUMENT_CHANGED, scene.document.id) == [
        *("created", "purged", "restored", "trashed", "trashed", "updated", "updated")
    ]


async def test_what_is_rolled_back_is_not_told(scene: Scene):
    async with session_scope(Actor.user(scene.owner.id)) as session:
        await service.trash(session, principal_of(scene.owner), service.ITEM, scene.item.id)
        await session.rollback()

    assert await told(ITEM_CHANGED, scene.item.id) == ["created"]


async def test_sealing_anew_is_no_change(scene: Scene):
    async with session_scope() as session:
        for table in ("vault_items", "vault_documents"):
            await session.execute(text(f"UPDATE {table} SET body = body, tag_digests = tag_digests"))

    assert await told(ITEM_CHANGED, scene.item.id) == ["created"]
    assert await told(DOCUMENT_CHANGED, scene.document.id) == ["created"]


async def test_a_vault_that_is_destroyed_tells_of_itself_alone(
    client: httpx.AsyncClient, own_database: Runtime, scene: Scene
):
    await drain_jobs(own_database.settings)
    path, headers = f"/v1/vault/vaults/{scene.vault.id}", auth(scene.owner)
    await client.delete(path, headers=headers)
    await client.post(f"{path}/purge", headers=headers)
    await drain_jobs(own_database.settings)

    assert await rows_of("SELECT id FROM vault_items WHERE id = :id", id=scene.item.id) == []
    purges = "SELECT payload FROM jobs WHERE payload ->> 'change' = 'purged'"
    assert await rows_of(purges) == []
    assert await told(ITEM_CHANGED, scene.item.id) == []


async def test_what_was_long_in_the_trash_is_told_when_it_goes(scene: Scene):
    async with session_scope() as session:
        await session.execute(text("UPDATE vault_items SET trashed_at = now() - interval '90 days'"))
        await session.execute(text("UPDATE vault_documents SET trashed_at = now() - interval '90 days'"))
    async with session_scope() as session:
        now = await session.scalar(text("SELECT now()"))
        await service.purge_due(session, now)

    assert await told(ITEM_CHANGED, scene.item.id) == ["created", "purged", "trashed"]
    assert await told(DOCUMENT_CHANGED, scene.document.id) == ["created", "purged", "trashed"]
