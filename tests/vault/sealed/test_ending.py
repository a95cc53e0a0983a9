"""Access to a sealed vault ends at once, by whatever way; keys are changed after it, and what is purged is gone."""

from uuid import UUID

import pytest

from app.core.blobs import BlobMissing
from app.core.config import Settings
from app.db.runtime import Runtime, current
from app.db.session import session_scope
from app.sealed.errors import Conflict
from app.sealed.files import SMALLEST_CHUNK
from app.sealed.members import Role
from app.vault import service as vaults
from tests.conftest import drain_jobs
from tests.factories import auth
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import VAULTS, in_thread, introduce, invite, let_in, make_person, rows

pytestmark = pytest.mark.slow

OF_VAULTS = ("heads", "lists", "wraps", "epochs", "items", "revisions", "chunks", "dues", "candidates")


async def seen(people: People, name: str, vault: UUID) -> dict[str, object]:
    response = await people.client.get(f"{VAULTS}/{vault}", headers=auth(people[name].user))
    return dict(response.json()) | {"status": response.status_code}


async def left(vault: UUID) -> dict[str, int]:
    counted = {}
    for table in OF_VAULTS:
        [(counted[table],)] = await rows(f"SELECT count(*) FROM vault_sealed_{table} WHERE vault_id = :id", id=vault)
    return counted


@pytest.mark.parametrize("way", ["removed without a client", "left"])
async def test_a_membership_that_ends_without_a_client_wants_a_new_epoch(people: People, way):
    client, alice, bob, carol = people.client, people.alice, people.bob, people.carol
    vault = await in_thread(alice.sealed.create_vault)
    item = await in_thread(vault.items.put, {"title": "Will"})
    await let_in(client, alice, bob, vault, "viewer")
    edited = await let_in(client, alice, carol, vault, "editor")
    path = f"/v1/vault/vaults/{vault.id}"

    if way == "left":
        gone = await client.post(f"{path}/leave", headers=auth(bob.user))
    else:
        gone = await client.delete(f"{path}/members/{bob.id}", headers=auth(alice.user))

    assert gone.status_code == 204
    assert (await seen(people, "bob", vault.id))["status"] == 404
    assert (
        await rows("SELECT 1 FROM vault_sealed_wraps WHERE vault_id = :v AND account_id = :b", v=vault.id, b=bob.id)
        == []
    )
    assert (await seen(people, "alice", vault.id))["epoch_wanted"] is True
    with pytest.raises(Conflict):
        await in_thread(vault.items.put, {"title": "Will", "by": "a manager, who can change the key"}, item)
    await in_thread(edited.items.put, {"title": "Will", "by": "an editor, who can't"}, item)

    assert await in_thread(vault.remove_member, bob.id) == 1
    now = await seen(people, "alice", vault.id)
    assert (now["epoch_wanted"], now["epoch"]) == (False, 2)
    await in_thread(vault.items.put, {"title": "Will", "by": "Alice"}, item)
    assert await in_thread(edited.verify) == 3


async def test_nobody_new_comes_in_before_the_key_that_somebody_left_with_is_changed(people: People):
    client, alice, bob, carol = people.client, people.alice, people.bob, people.carol
    vault = await in_thread(alice.sealed.create_vault)
    await let_in(client, alice, bob, vault, "viewer")
    await client.post(f"/v1/vault/vaults/{vault.id}/leave", headers=auth(bob.user))
    await invite(client, alice, carol, vault.id, "viewer")
    await introduce(alice, carol)

    with pytest.raises(Conflict):
        await in_thread(vault.add_member, carol.id, Role.VIEWER)
    with pytest.raises(Conflict):  # the one who left would have got the new key
        await in_thread(vault.renew_key)

    assert (await seen(people, "alice", vault.id))["epoch"] == 1
    await in_thread(vault.remove_member, bob.id)
    await in_thread(vault.add_member, carol.id, Role.VIEWER)
    assert (await seen(people, "carol", vault.id))["role"] == "viewer"


async def test_what_is_purged_leaves_no_row_no_blob_and_counts_no_more(people: People, settings: Settings):
    client, alice = people.client, people.alice
    vault = await in_thread(alice.sealed.create_vault)
    scan = await in_thread(vault.put_file, [bytes(SMALLEST_CHUNK), b"end"], SMALLEST_CHUNK)
    await in_thread(vault.items.put, {"title": "Scan", "scan": scan.to_text()})
    await invite(client, alice, people.bob, vault.id, "viewer")
    blobs = await rows("SELECT blob_name, id::text FROM vault_sealed_chunks WHERE vault_id = :id", id=vault.id)
    keys = [key for _, key in blobs]
    counted = "SELECT sum(amount) FROM payments_usage_entries WHERE key = ANY(:keys) AND returned_at IS NULL"
    [(used,)] = await rows(counted, keys=keys)
    assert used == SMALLEST_CHUNK + 3 + 2 * 18
    path = f"/v1/vault/vaults/{vault.id}"

    await client.delete(path, headers=auth(alice.user))
    assert (await seen(people, "alice", vault.id))["status"] == 404
    assert (await client.post(f"{path}/purge", headers=auth(alice.user))).status_code == 202
    await drain_jobs(settings)

    assert set((await left(vault.id)).values()) == {0}
    for name, _ in blobs:
        with pytest.raises(BlobMissing):
            await current().blobs.size(str(name))
    assert await rows(counted, keys=keys) == [(None,)]


async def test_a_vault_in_the_trash_comes_back_whole(people: People):
    client, alice = people.client, people.alice
    vault = await in_thread(alice.sealed.create_vault)
    await in_thread(vault.items.put, {"title": "Will"})
    path = f"/v1/vault/vaults/{vault.id}"

    await client.delete(path, headers=auth(alice.user))
    restored = await client.post(f"{path}/restore", headers=auth(alice.user))

    assert (restored.json()["tier"], restored.json()["name"]) == ("sealed", "")
    assert await in_thread(vault.verify) == 1


async def test_a_deleted_account_takes_its_keys_and_vaults_along_and_leaves_those_of_others(
    people: People, settings: Settings, runtime: Runtime
):
    client, alice = people.client, people.alice
    guest = await make_person(client, "Dora")
    shared, own = await in_thread(alice.sealed.create_vault), await in_thread(guest.sealed.create_vault)
    scan = await in_thread(own.put_file, [b"mine"])
    [(blob,)] = await rows("SELECT blob_name FROM vault_sealed_chunks WHERE file_id = :id", id=scan.file)
    await let_in(client, alice, guest, shared, "editor")
    refused = await client.delete("/v1/vault/sealed/account", headers=auth(guest.user))
    assert (refused.status_code, refused.json()["code"]) == (409, "sealed-vaults-remain")

    async with session_scope() as session:
        assert await vaults.leave_all(session, guest.id) == 2
    await drain_jobs(settings)

    assert set((await left(own.id)).values()) == {0}
    with pytest.raises(BlobMissing):
        await current().blobs.size(str(blob))
    assert (await seen(people, "alice", shared.id))["epoch_wanted"] is True
    assert await in_thread(shared.remove_member, guest.id) == 0
    gone = await client.delete("/v1/vault/sealed/account", headers=auth(guest.user))
    assert gone.status_code == 204
    assert await rows("SELECT 1 FROM vault_sealed_accounts WHERE user_id = :id", id=guest.id) == []


async def test_a_deleted_file_is_gone_and_its_room_is_free(people: People, settings: Settings):
    client, alice = people.client, people.alice
    vault = await in_thread(alice.sealed.create_vault)
    scan = await in_thread(vault.put_file, [b"a page"])
    [(blob,)] = await rows("SELECT blob_name FROM vault_sealed_chunks WHERE file_id = :id", id=scan.file)
    assert (await seen(people, "alice", vault.id))["size"] == len(b"a page") + 18

    deleted = await client.delete(f"{VAULTS}/{vault.id}/files/{scan.file}", headers=auth(alice.user))
    await drain_jobs(settings)

    assert deleted.status_code == 204
    assert (await seen(people, "alice", vault.id))["size"] == 0
    with pytest.raises(BlobMissing):
        await current().blobs.size(str(blob))
