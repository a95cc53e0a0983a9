"""Row-level security alone: what the database refuses, whatever the application asks."""

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.session import NOBODY, Actor, session_scope
from tests.factories import auth
from tests.vault.conftest import Scene
from tests.vault.test_imports_jobs import send
from tests.vault.test_tus import STREAM, TUS, begin

TABLES = (
    "vaults",
    "vault_members",
    "vault_invitations",
    "vault_items",
    "vault_item_versions",
    "vault_documents",
    "vault_document_versions",
    "vault_uploads",
    "vault_upload_parts",
    "vault_imports",
    "vault_import_entries",
    "rag_previews",
)
HELD = ("vaults", "vault_members", "vault_items", "vault_documents", "vault_document_versions")


async def count(actor: Actor, table: str, scene: Scene) -> int:
    column = {"vaults": "id", "data_keys": "owner_id"}.get(table, "vault_id")
    async with session_scope(actor) as session:
        statement = text(f"SELECT count(*) FROM {table} WHERE {column} = :vault")
        return int(await session.scalar(statement, {"vault": scene.vault.id}) or 0)


async def changed(actor: Actor, statement: str, **values: object) -> int:
    async with session_scope(actor) as session:
        return len((await session.execute(text(statement), values)).all())


@pytest.mark.parametrize("table", [*TABLES, "data_keys", "jobs"])
async def test_a_stranger_and_nobody_see_no_row(scene: Scene, table):
    assert await count(Actor.user(scene.stranger.id), table, scene) == 0
    assert await count(NOBODY, table, scene) == 0


@pytest.mark.parametrize("table", [*HELD, "data_keys", "jobs"])
async def test_a_member_and_the_vault_see_its_rows(scene: Scene, table):
    assert await count(Actor.user(scene.viewer.id), table, scene) > 0
    assert await count(Actor.vault(scene.vault.id), table, scene) > 0


async def test_a_member_sees_no_other_membership_unless_the_vault_shows_it(scene: Scene):
    assert await count(Actor.user(scene.viewer.id), "vault_members", scene) == 1
    assert await count(Actor.vault(scene.vault.id), "vault_members", scene) == 5


@pytest.mark.parametrize("role", ["stranger", "viewer"])
@pytest.mark.parametrize("table", ["vault_items", "vault_documents"])
async def test_whoever_may_not_write_changes_nothing(scene: Scene, role, table):
    actor = Actor.user(scene.person(role).id)
    vault = {"vault": scene.vault.id}

    assert await changed(actor, f"UPDATE {table} SET revision = 9 WHERE vault_id = :vault RETURNING id", **vault) == 0
    assert await changed(actor, f"DELETE FROM {table} WHERE vault_id = :vault RETURNING id", **vault) == 0


@pytest.mark.parametrize("role", ["stranger", "viewer"])
async def test_whoever_may_not_write_adds_nothing(scene: Scene, role):
    async with session_scope() as session:
        body = await session.scalar(text("SELECT body FROM vault_items WHERE id = :item"), {"item": scene.item.id})
    statement = """INSERT INTO vault_items (id, vault_id, type, body, written_by)
        VALUES (gen_random_uuid(), :vault, 'secure_note', :body, :person)"""
    person = scene.person(role).id

    with pytest.raises(DBAPIError, match="row-level security"):
        await changed(Actor.user(person), statement, vault=scene.vault.id, body=body, person=person)


@pytest.mark.parametrize("role", ["stranger", "viewer", "editor", "admin", "owner"])
async def test_no_person_writes_memberships_keys_or_vaults(scene: Scene, role):
    person = scene.person(role)
    statements = [
        "UPDATE vault_members SET role = 'admin' WHERE vault_id = :vault RETURNING id",
        "DELETE FROM vault_members WHERE vault_id = :vault RETURNING id",
        "DELETE FROM data_keys WHERE owner_id = :vault RETURNING id",
        "UPDATE vaults SET trashed_at = now() WHERE id = :vault RETURNING id",
    ]

    for statement in statements:
        assert await changed(Actor.user(person.id), statement, vault=scene.vault.id) == 0


async def test_a_stranger_can_not_join_by_a_row_of_their_own(scene: Scene):
    async with session_scope() as session:
        body = await session.scalar(text("SELECT body FROM vaults WHERE id = :vault"), {"vault": scene.vault.id})
    statement = """INSERT INTO vault_members (id, vault_id, user_id, role, body)
        VALUES (gen_random_uuid(), :vault, :person, 'admin', :body)"""
    person = scene.stranger.id

    with pytest.raises(DBAPIError, match="row-level security"):
        await changed(Actor.user(person), statement, vault=scene.vault.id, person=person, body=body)


async def test_an_item_is_not_moved_into_a_vault_where_one_may_not_write(scene: Scene):
    statement = "UPDATE vault_items SET vault_id = :other WHERE id = :item RETURNING id"

    with pytest.raises(DBAPIError, match="row-level security"):
        await changed(Actor.user(scene.editor.id), statement, other=scene.item.id, item=scene.item.id)


async def test_uploads_imports_and_exports_are_their_persons_own(client: httpx.AsyncClient, scene: Scene):
    """Not even other members of the vault see them; and no viewer adds any."""
    await begin(client, scene, 10)
    await client.patch((await begin(client, scene, 10)).headers["Location"], content=b"01234", headers=part(scene))
    await send(client, scene, b"name,url,username,password\na,,,b")
    await client.post("/v1/vault/exports", json={}, headers=auth(scene.editor))

    for table, column in (("vault_uploads", "vault_id"), ("vault_imports", "vault_id"), ("vault_exports", "user_id")):
        owner = scene.editor.id if column == "user_id" else scene.vault.id
        for person, seen in ((scene.editor, True), (scene.owner, False), (scene.stranger, False)):
            async with session_scope(Actor.user(person.id)) as session:
                statement = text(f"SELECT count(*) FROM {table} WHERE {column} = :owner")
                assert bool(await session.scalar(statement, {"owner": owner})) is seen, table
    copy = """INSERT INTO vault_uploads (id, vault_id, user_id, length, body, expires_at)
        SELECT gen_random_uuid(), vault_id, :person, 5, body, now() FROM vault_items WHERE vault_id = :vault"""
    with pytest.raises(DBAPIError, match="row-level security"):
        await changed(Actor.user(scene.viewer.id), copy, person=scene.viewer.id, vault=scene.vault.id)


def part(scene: Scene) -> dict[str, str]:
    return auth(scene.editor) | TUS | STREAM | {"Upload-Offset": "0"}
