"""Which acts are in the log, and that they don't happen without it."""

from types import SimpleNamespace

import httpx
import orjson
import pytest
from sqlalchemy import text

from app.db.runtime import current
from app.db.session import session_scope
from app.main import create_app
from app.vault import tasks
from tests.conftest import as_superuser, at, drain_jobs
from tests.factories import PASSWORD, auth, make_document, make_item, make_member, make_user, make_vault
from tests.vault.test_members import token_of

pytestmark = pytest.mark.anyio


async def acts_in(client, vault_id, person) -> list[tuple[str, str, str | None, dict[str, object]]]:
    """What the log says, the oldest first: act, kind of actor, subject, ids."""
    response = await client.get(f"/v1/audit/vaults/{vault_id}/entries", params={"limit": 100}, headers=auth(person))
    assert response.status_code == 200, response.text
    entries = reversed(response.json()["items"])
    return [(each["action"], each["actor_kind"], each["subject_id"], each["ids"]) for each in entries]


async def done(client, method, path, person, status=200, **arguments):
    response = await client.request(method, f"/v1/vault/{path}", headers=auth(person), **arguments)
    assert response.status_code == status, (method, path, response.text)
    return response.json() if response.content and "json" in response.headers.get("content-type", "") else None


async def test_what_is_done_to_items_is_in_the_log(client, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    item = await done(
        client, "POST", "items", owner, 201, json={"vault_id": str(vault.id), "type": "secure_note", "title": "Key"}
    )
    path = f"items/{item['id']}"
    await done(client, "PATCH", path, owner, json={"title": "Spare key"})
    await done(client, "POST", f"{path}/versions/1/restore", owner)
    await done(client, "DELETE", path, owner, 204)
    await done(client, "POST", f"{path}/restore", owner)
    await done(client, "DELETE", path, owner, 204)
    await done(client, "POST", f"{path}/purge", owner, 204)
    await done(client, "GET", "items", owner)

    acts = await acts_in(client, vault.id, owner)

    assert acts == [
        ("vault.created", "person", None, {"kind": "family"}),
        ("vault.item_created", "person", item["id"], {}),
        ("vault.item_updated", "person", item["id"], {"revision": 2}),
        ("vault.item_version_restored", "person", item["id"], {"restored": 1, "revision": 3}),
        ("vault.item_trashed", "person", item["id"], {}),
        ("vault.item_restored", "person", item["id"], {}),
        ("vault.item_trashed", "person", item["id"], {}),
        ("vault.item_purged", "person", item["id"], {}),
    ]


async def test_what_is_done_to_documents_is_in_the_log_and_so_is_who_took_them(client, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    viewer = await make_member(vault, role="viewer")
    document = await make_document(owner, vault)
    path, content = f"documents/{document.id}", f"documents/{document.id}/content"
    await done(client, "PATCH", path, owner, json={"title": "Policy"})
    await done(client, "PUT", content, owner, 202, content=b"The excess is 300 euros.\n")
    got = await client.get(f"/v1/vault/{content}", headers=auth(viewer))
    for begin in (0, 4, 8):
        ranged = {**auth(viewer), "Range": f"bytes={begin}-{begin + 3}"}
        assert (await client.get(f"/v1/vault/{content}", params={"version": 1}, headers=ranged)).status_code == 206
    assert (await client.head(f"/v1/vault/{content}", headers=auth(viewer))).status_code == 200
    known = {**auth(viewer), "If-None-Match": got.headers["etag"]}
    assert (await client.get(f"/v1/vault/{content}", headers=known)).status_code == 304
    await done(client, "DELETE", path, owner, 204)
    await done(client, "POST", f"{path}/restore", owner)
    await done(client, "DELETE", path, owner, 204)
    await done(client, "POST", f"{path}/purge", owner, 204)

    response = await client.get(f"/v1/audit/vaults/{vault.id}/entries", headers=auth(owner))
    acts = [(each["action"], each["actor_id"], each["ids"].get("number")) for each in response.json()["items"][::-1]]

    mine, theirs = str(owner.id), str(viewer.id)
    assert acts[1:] == [
        ("vault.document_created", mine, None),
        ("vault.document_updated", mine, None),
        ("vault.document_version_added", mine, 2),
        ("vault.document_downloaded", theirs, 2),
        ("vault.document_downloaded", theirs, 1),  # once, for three ranges
        ("vault.document_trashed", mine, None),
        ("vault.document_restored", mine, None),
        ("vault.document_trashed", mine, None),
        ("vault.document_purged", mine, None),
    ]


async def test_who_comes_goes_and_may_do_what_is_in_the_log(client, settings):
    owner, guest = await make_user(), await make_user()
    vault = await make_vault(owner)
    other = await make_member(vault, role="viewer")
    home = f"vaults/{vault.id}"
    revoked = await done(client, "POST", f"{home}/invitations", owner, 201, json={"email": "a@example.org"})
    await done(client, "DELETE", f"{home}/invitations/{revoked['id']}", owner, 204)
    invitation = await done(
        client, "POST", f"{home}/invitations", owner, 201, json={"email": guest.email, "role": "editor"}
    )
    token = await token_of(vault.id)
    await done(client, "POST", "invitations/accept", guest, json={"token": token})
    await done(client, "PATCH", f"{home}/members/{guest.id}", owner, json={"role": "viewer"})
    await done(client, "POST", f"{home}/leave", guest, 204)
    await done(client, "DELETE", f"{home}/members/{other.id}", owner, 204)
    await done(client, "PATCH", home, owner, json={"name": "Papers"})
    await done(client, "POST", f"{home}/rotate-key", owner, 202)
    await drain_jobs(settings)

    acts = [(act, subject, ids) for act, _, subject, ids in await acts_in(client, vault.id, owner)]

    assert acts[1:-1] == [
        ("vault.invitation_created", revoked["id"], {"role": "viewer"}),
        ("vault.invitation_revoked", revoked["id"], {}),
        ("vault.invitation_created", invitation["id"], {"role": "editor"}),
        (
            "vault.member_added",
            str(guest.id),
            {"role": "editor", "invitation_id": invitation["id"], "invited_by": str(owner.id)},
        ),
        ("vault.member_changed", str(guest.id), {"role": "viewer", "before": "editor"}),
        ("vault.member_left", str(guest.id), {}),
        ("vault.member_removed", str(other.id), {}),
        ("vault.updated", None, {"kind": "family", "revision": 2}),
    ]
    assert acts[-1][0] == "vault.key_exchange_started"


async def test_the_end_of_a_vault_is_in_the_log_of_its_owner(client, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    await make_item(owner, vault)
    home = f"vaults/{vault.id}"
    await done(client, "DELETE", home, owner, 204)
    await done(client, "POST", f"{home}/restore", owner)
    await done(client, "DELETE", home, owner, 204)
    job = await done(client, "POST", f"{home}/purge", owner, 202)
    acts = [act for act, *_ in await acts_in(client, vault.id, owner)]
    assert acts[2:] == ["vault.trashed", "vault.restored", "vault.trashed", "vault.purge_started"]
    await drain_jobs(settings)

    own = (await client.get("/v1/audit/me", headers=auth(owner))).json()["items"]
    gone = await client.get(f"/v1/audit/vaults/{vault.id}/head", headers=auth(owner))

    assert own[0]["action"] == "vault.purge_started"
    assert own[0]["subject_id"] == str(vault.id)
    assert own[0]["ids"] == {"job_id": job["job_id"]}
    assert gone.status_code == 404
    async with session_scope() as session:
        left = text("SELECT count(*) FROM audit_entries WHERE chain_id = :id")
        assert await session.scalar(left, {"id": vault.id}) == 0


async def test_what_the_clock_purges_is_done_by_nobody(client, settings):
    owner = await make_user()
    vault = await make_vault(owner)
    item = await make_item(owner, vault)
    await done(client, "DELETE", f"items/{item.id}", owner, 204)
    async with session_scope() as session:
        await session.execute(
            text("UPDATE vault_items SET trashed_at = now() - interval '400 days' WHERE id = :id"), {"id": item.id}
        )

    await tasks.purge_due()

    assert (await acts_in(client, vault.id, owner))[-1] == ("vault.item_purged", "system", str(item.id), {})


async def test_a_person_sees_what_happened_to_their_account(client, settings):
    person = await make_user()
    form = {"username": person.email, "password": PASSWORD}
    token = (await client.post("/v1/auth/token", data=form)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    key = {"name": "Backup", "scopes": ["vault:read"]}
    made = (await client.post("/v1/auth/api-keys", json=key, headers=headers)).json()
    await client.delete(f"/v1/auth/api-keys/{made['id']}", headers=headers)
    await client.patch("/v1/auth/me", json={"name": "Ada King"}, headers=headers)
    change = {"current_password": PASSWORD, "new_password": "another correct horse battery"}
    assert (await client.post("/v1/auth/password", json=change, headers=headers)).status_code == 204

    own = (await client.get("/v1/audit/me", headers=headers)).json()["items"]

    assert [each["action"] for each in reversed(own)] == [
        "auth.signed_in",
        "auth.signed_in",
        "auth.api_key_created",
        "auth.api_key_deleted",
        "auth.profile_changed",
        "auth.password_changed",
    ]
    assert {each["actor_id"] for each in own} == {str(person.id)}
    assert own[3]["subject_id"] == made["id"]


async def test_an_act_by_a_key_names_the_key(client, settings):
    person = await make_user()
    vault = await make_vault(person)
    key = {"name": "Scanner", "scopes": ["vault:read", "vault:write"]}
    made = (await client.post("/v1/auth/api-keys", json=key, headers=auth(person))).json()
    item = {"vault_id": str(vault.id), "type": "secure_note", "title": "Key"}

    response = await client.post("/v1/vault/items", json=item, headers={"Authorization": f"Bearer {made['key']}"})

    assert response.status_code == 201
    act, kind, subject, ids = (await acts_in(client, vault.id, person))[-1]
    assert (act, kind, subject) == ("vault.item_created", "api_key", response.json()["id"])
    assert ids == {"api_key_id": made["id"]}


async def test_nothing_that_a_person_wrote_is_in_the_log(client, settings):
    owner = await make_user(name="Kestrelmarble")
    vault = await make_vault(owner, name="kestrelmarble papers")
    await make_item(owner, vault, title="kestrelmarble", notes="kestrelmarble", tags=("kestrelmarble",))
    await make_document(owner, vault, name="kestrelmarble.txt", content=b"kestrelmarble")
    await done(
        client, "POST", f"vaults/{vault.id}/invitations", owner, 201, json={"email": "kestrelmarble@example.org"}
    )

    async with session_scope() as session:
        rows = await session.scalars(
            text("SELECT to_jsonb(e)::text FROM audit_entries e WHERE chain_id IN (:vault, :owner)"),
            {"vault": vault.id, "owner": owner.id},
        )
        written = list(rows)

    assert len(written) >= 5
    assert not [row for row in written if "kestrelmarble" in row.lower()]
    assert all(isinstance(orjson.loads(row), dict) for row in written)


async def test_without_the_log_no_act_happens(own_database, postgres):
    settings = current().settings
    owner, guest = await make_user(), await make_user()
    vault = await make_vault(owner)
    member = await make_member(vault, role="viewer")
    item, document = await make_item(owner, vault), await make_document(owner, vault)
    database = settings.database_url.get_secret_value().rpartition("/")[2]
    home = f"/v1/vault/vaults/{vault.id}"
    acts = [
        ("POST", f"{home}/rotate-key", None),
        ("POST", f"{home}/invitations", {"email": guest.email}),
        ("PATCH", f"{home}/members/{member.id}", {"role": "admin"}),
        ("DELETE", f"{home}/members/{member.id}", None),
        ("PATCH", home, {"name": "Other papers"}),
        ("DELETE", home, None),
        ("POST", "/v1/vault/items", {"vault_id": str(vault.id), "type": "secure_note", "title": "Key"}),
        ("PATCH", f"/v1/vault/items/{item.id}", {"title": "Other"}),
        ("DELETE", f"/v1/vault/items/{item.id}", None),
        ("GET", f"/v1/vault/documents/{document.id}/content", None),
        ("POST", "/v1/auth/api-keys", {"name": "Backup", "scopes": ["vault:read"]}),
        ("POST", "/v1/nominees/people", {"name": "Grace", "email": "grace@example.org", "relation": "friend"}),
    ]
    transport = httpx.ASGITransport(create_app(settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:

        async def answers() -> list[int]:
            sent = [await client.request(method, path, json=body, headers=auth(owner)) for method, path, body in acts]
            return [response.status_code for response in sent]

        before = await state(vault.id)
        await as_superuser_in(postgres, database, "ALTER TABLE audit_entries RENAME TO audit_entries_gone")
        assert await answers() == [500] * len(acts)
        assert await state(vault.id) == before
        await as_superuser_in(postgres, database, "ALTER TABLE audit_entries_gone RENAME TO audit_entries")
        assert (await client.get(home, headers=auth(owner))).status_code == 200
        healed = await client.patch(home, json={"name": "Other papers"}, headers=auth(owner))
        assert healed.status_code == 200


async def state(vault_id) -> list[object]:
    """Everything of a vault that the acts would have changed."""
    statements = [
        "SELECT revision, trashed_at FROM vaults WHERE id = :id",
        "SELECT user_id, role FROM vault_members WHERE vault_id = :id ORDER BY id",
        "SELECT id FROM vault_invitations WHERE vault_id = :id",
        "SELECT id, revision, trashed_at FROM vault_items WHERE vault_id = :id ORDER BY id",
        "SELECT id FROM data_keys WHERE owner_id = :id",
        "SELECT id FROM jobs WHERE vault_id = :id ORDER BY id",
        "SELECT count(*) FROM auth_api_keys WHERE true OR CAST(:id AS uuid) IS NULL",
        "SELECT count(*) FROM outbox_events WHERE true OR CAST(:id AS uuid) IS NULL",
        "SELECT count(*) FROM notifications_mails WHERE true OR CAST(:id AS uuid) IS NULL",
    ]
    async with session_scope() as session:
        return [(await session.execute(text(each), {"id": vault_id})).all() for each in statements]


async def as_superuser_in(postgres, database, statement) -> None:
    await as_superuser(SimpleNamespace(superuser=at(postgres.superuser, database)), statement)
