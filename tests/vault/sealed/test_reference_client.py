"""The reference client of suite LV1 against the real server, through all its layers."""

import httpx

from app.sealed.client import SealedClient
from app.sealed.files import SMALLEST_CHUNK
from app.sealed.http import HttpTransport
from app.sealed.members import Role
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import in_thread, let_in, make_person, password, rows, sender

SCAN = [bytes([number]) * SMALLEST_CHUNK for number in range(2)] + [b"the last page"]


async def test_a_vault_is_made_shared_written_to_and_read(people: People):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    scan = await in_thread(vault.put_file, SCAN, SMALLEST_CHUNK)
    passport = await in_thread(vault.items.put, {"title": "Passport", "number": "X1", "scan": scan.to_text()})

    shared = await let_in(client, alice, bob, vault, "editor")
    await in_thread(shared.items.put, {"title": "Passport", "number": "X2"}, passport)

    assert (await in_thread(vault.items.open, passport))["number"] == "X2"
    assert (await in_thread(shared.items.open, passport, 1))["number"] == "X1"
    assert await in_thread(shared.verify, [scan]) == 2
    assert b"".join(await in_thread(lambda: list(shared.open_file(scan)))) == b"".join(SCAN)
    await in_thread(shared.items.delete, passport)
    assert await in_thread(vault.items.is_deleted, passport)


async def test_who_is_removed_is_out_at_once_and_the_others_go_on(people: People):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    item = await in_thread(vault.items.put, {"title": "Will"})
    await let_in(client, alice, bob, vault, "admin")

    empty = await in_thread(alice.sealed.create_vault)
    assert await in_thread(empty.renew_key) == 0
    moved = await in_thread(vault.remove_member, bob.id)

    assert moved == 1
    status, _ = await in_thread(sender(client, bob.user), "GET", f"/v1/vault/sealed/vaults/{vault.id}", None, "")
    assert status == 404
    assert await rows("SELECT user_id FROM vault_members WHERE vault_id = :id", id=vault.id) == [(alice.id,)]
    await in_thread(vault.items.put, {"title": "Will", "place": "blue folder"}, item)
    assert await in_thread(vault.verify) == 2
    assert vault.keyring.secrets.keys() == {2}


async def test_another_device_opens_by_password_and_after_a_rotation(client: httpx.AsyncClient, people: People):
    alice, bob = await make_person(client, "Alice"), people.bob
    vault = await in_thread(alice.sealed.create_vault)
    item = await in_thread(vault.items.put, {"title": "Will"})
    await let_in(client, alice, bob, vault, "viewer")
    await in_thread(vault.change_role, bob.id, Role.EDITOR)

    recovery = await in_thread(alice.sealed.rotate_keys, "another long password")

    transport = HttpTransport(sender(client, alice.user))
    recovered = await in_thread(SealedClient.recover, transport, alice.id, recovery, password("Alice"))
    opened = await in_thread(recovered.open_vault, vault.id)
    assert (await in_thread(opened.items.open, item))["title"] == "Will"
    assert opened.keyring.head.epoch == 2
    assert await in_thread((await bob.open(vault.id)).verify) == 1
