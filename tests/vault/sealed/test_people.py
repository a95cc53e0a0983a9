"""How people come into sealed vaults, whose keys they see, and what everybody is told."""

import asyncio
import base64

import pytest
from sqlalchemy import text

from app.core.config import Settings
from app.db.session import NOBODY, Actor, session_scope
from app.sealed.client import SealedClient
from app.sealed.errors import Conflict, Missing, WrongPassword
from app.sealed.http import HttpTransport
from app.sealed.members import Role
from app.sealed.revision import read_revision
from app.vault.service import RESEAL_JOB
from tests.factories import auth, make_user
from tests.vault.conftest import cells_of, run_jobs
from tests.vault.sealed.conftest import People
from tests.vault.sealed.home import (
    VAULTS,
    Person,
    in_thread,
    introduce,
    invite,
    let_in,
    make_person,
    password,
    rows,
    sender,
)
from tests.vault.test_members import token_of

SEALED = "/v1/vault/sealed"
TABLES = ("heads", "lists", "wraps", "items", "revisions", "chunks", "candidates")


async def test_an_invitation_is_accepted_by_a_client_and_the_guest_waits_without_seeing_anything(people: People):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    path = f"/v1/vault/vaults/{vault.id}"
    body = {"email": bob.user.email, "role": "editor"}
    await client.post(f"{path}/invitations", json=body, headers=auth(alice.user))
    token = {"token": await token_of(vault.id)}

    plain = await client.post("/v1/vault/invitations/accept", json=token, headers=auth(bob.user))
    assert (plain.status_code, plain.json()["code"]) == (409, "vault-sealed")
    without_keys = await make_user()
    asked = await client.post(f"{SEALED}/invitations/accept", json=token, headers=auth(without_keys))
    assert asked.json()["code"] == "sealed-account-needed"
    other = await client.post(f"{SEALED}/invitations/accept", json=token, headers=auth(people.carol.user))
    assert other.json()["code"] == "invitation-for-somebody-else"
    accepted = await client.post(f"{SEALED}/invitations/accept", json=token, headers=auth(bob.user))

    assert accepted.json()["vault_id"] == str(vault.id)
    assert (await client.get(f"{VAULTS}/{vault.id}", headers=auth(bob.user))).status_code == 404
    again = await client.post(f"{SEALED}/invitations/accept", json=token, headers=auth(bob.user))
    assert again.status_code == 404
    waiting = (await client.get(f"{VAULTS}/{vault.id}/candidates", headers=auth(alice.user))).json()["items"]
    assert [(each["account_id"], each["name"], each["role"]) for each in waiting] == [(str(bob.id), "bob", "editor")]
    refused = await client.delete(f"{VAULTS}/{vault.id}/candidates/{bob.id}", headers=auth(alice.user))
    assert refused.status_code == 204


async def test_public_keys_are_shown_to_those_who_meet(people: People):
    client, mallory = people.client, people.mallory
    host = await make_person(client, "Erin")
    vault = await in_thread(host.sealed.create_vault)

    async def sees(one: Person, other: Person) -> int:
        return (await client.get(f"{SEALED}/accounts/{other.id}", headers=auth(one.user))).status_code

    assert await sees(host, host) == 200
    assert [await sees(host, mallory), await sees(mallory, host)] == [404, 404]
    await invite(client, host, mallory, vault.id, "viewer")
    assert [await sees(host, mallory), await sees(mallory, host)] == [200, 200]
    await client.delete(f"{VAULTS}/{vault.id}/candidates/{mallory.id}", headers=auth(mallory.user))
    assert [await sees(host, mallory), await sees(mallory, host)] == [404, 404]
    with pytest.raises(Missing):
        await in_thread(mallory.sealed.look_up, host.id)
    joined = await let_in(client, host, mallory, vault, "viewer")
    assert len(joined.members) == 2


async def test_two_writers_never_overwrite_each_other(people: People):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    item = await in_thread(vault.items.put, {"number": "1"})
    other = await let_in(client, alice, bob, vault, "editor")
    transport = other._transport
    seen = await in_thread(transport.get, f"vaults/{vault.id}/clock")
    await in_thread(vault.items.put, {"number": "2"}, item)

    class Late(HttpTransport):
        def get(self, name: str) -> bytes:
            return seen if name.endswith("/clock") else super().get(name)

    late = SealedClient(Late(sender(client, bob.user)), bob.sealed.account, bob.sealed.pins)
    opened = await in_thread(late.open_vault, vault.id)
    with pytest.raises(Conflict):
        await in_thread(opened.items.put, {"number": "3"}, item)
    with pytest.raises(Conflict):
        await in_thread(opened.items.put, {"number": "another item"})

    await in_thread(other.items.put, {"number": "3"}, item)
    numbers = [fields["number"] for _, fields in await in_thread(vault.items.history, item)]
    assert numbers == ["1", "2", "3"]


async def test_the_feed_of_changes_and_the_activity_tell_of_sealed_vaults(people: People):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    item = await in_thread(vault.items.put, {"title": "Will"})
    await let_in(client, alice, bob, vault, "editor")
    feed = (await client.get("/v1/vault/changes", params={"vault_id": vault.id}, headers=auth(bob.user))).json()
    await in_thread(vault.items.put, {"title": "Will 2"}, item)
    await in_thread(vault.items.delete, item)
    await in_thread(vault.change_role, bob.id, Role.VIEWER)

    params = {"vault_id": str(vault.id), "since": feed["until"], "content": "true"}
    news = (await client.get("/v1/vault/changes", params=params, headers=auth(bob.user))).json()["items"]

    told = {(each["kind"], each["subject_id"], each["change"], each["revision"]) for each in news}
    assert ("item", str(item), "trashed", 3) in told
    assert ("vault", str(vault.id), "updated", 3) in told
    assert ("member", str(bob.id), "updated", None) in told
    assert all(each["content"] is None for each in news if each["kind"] == "item")
    path = f"/v1/vault/vaults/{vault.id}"
    acts = (await client.get(f"{path}/activity", params={"limit": 100}, headers=auth(alice.user))).json()["items"]
    done = [each["action"] for each in reversed(acts)]
    assert done == [
        "vault.created",
        "vault.sealed_epoch_begun",
        "vault.item_created",
        "vault.invitation_created",
        "vault.invitation_accepted",
        "vault.member_added",
        "vault.item_updated",
        "vault.item_trashed",
        "vault.member_changed",
        "vault.sealed_epoch_begun",
        "vault.sealed_epoch_finished",
    ]
    listed = (await client.get(f"{path}/members", headers=auth(bob.user))).json()["items"]
    assert [(each["name"], each["role"]) for each in listed] == [("alice", "owner"), ("bob", "viewer")]


async def test_the_servers_key_of_a_sealed_vault_is_exchanged_with_the_names_under_it(
    people: People, settings: Settings
):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    await invite(client, alice, bob, vault.id, "viewer")
    before = dict(await cells_of(vault.id))

    await client.post(f"/v1/vault/vaults/{vault.id}/rotate-key", headers=auth(alice.user))
    await run_jobs(settings, RESEAL_JOB)

    after = dict(await cells_of(vault.id))
    assert before.keys() == after.keys() >= {"vaults", "vault_members", "vault_sealed_candidates"}
    assert set(before.values()).isdisjoint(after.values())
    await introduce(alice, bob)
    await in_thread(vault.add_member, bob.id, Role.VIEWER)


async def test_rows_are_seen_by_members_alone_and_a_wrap_by_its_member(people: People):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    await in_thread(vault.items.put, {"title": "Will"})
    await in_thread(vault.put_file, [b"a page"])
    await let_in(client, alice, bob, vault, "viewer")
    await invite(client, alice, people.carol, vault.id, "viewer")

    async def count(actor: Actor, table: str) -> int:
        async with session_scope(actor) as session:
            found = text(f"SELECT count(*) FROM vault_sealed_{table} WHERE vault_id = :id")
            return int(await session.scalar(found, {"id": vault.id}) or 0)

    for table in TABLES:
        assert await count(Actor.user(people.mallory.id), table) == await count(NOBODY, table) == 0
        assert await count(Actor.vault(vault.id), table) > 0
    assert await count(Actor.user(bob.id), "wraps") == 1
    assert await count(Actor.user(people.carol.id), "candidates") == 1
    for table in ("items", "revisions", "chunks", "heads", "lists", "wraps"):
        async with session_scope(Actor.user(bob.id)) as session:
            gone = text(f"DELETE FROM vault_sealed_{table} WHERE vault_id = :id RETURNING vault_id")
            assert (await session.execute(gone, {"id": vault.id})).all() == []
    async with session_scope(Actor.user(bob.id)) as session:
        assert (await session.execute(text("SELECT user_id FROM vault_sealed_accounts"))).all() == [(bob.id,)]


async def test_nothing_that_was_written_and_no_key_is_in_the_database_or_the_blobs(people: People, settings: Settings):
    client, alice = people.client, people.alice
    guest = await make_person(client, "Frida")
    vault = await in_thread(alice.sealed.create_vault)
    scan = await in_thread(vault.put_file, [b"wombat page"])
    item = await in_thread(vault.items.put, {"wombat": "Wombat number", "scan": scan.to_text()})
    await let_in(client, alice, guest, vault, "editor")
    await in_thread(vault.renew_key)

    secrets = [password("Frida").encode(), password("alice").encode(), scan.secret, b"ombat", b"recovery key"]
    for person in (alice, guest):
        account = person.sealed.account
        secrets += [account.secret.secret, account.identity.signing.private_bytes_raw()]
        secrets += [account.identity.exchange.private_bytes_raw(), person.recovery.encode()]
    secrets += vault.keyring.secrets.values()
    secrets += [each.key.secret for each in await in_thread(vault.items._keys, item)]
    assert all(secrets)

    kept = b""
    names = [
        table
        for (table,) in await rows(
            "SELECT relname FROM pg_class WHERE relname LIKE 'vault\\_sealed%' AND relkind = 'r'"
        )
    ]
    assert len(names) == 10
    for name in names:
        for (row,) in await rows(f"SELECT convert_to(t::text, 'UTF8') FROM {name} t"):
            kept += bytes(row)  # type: ignore[arg-type]
    folder = settings.blob_url.removeprefix("file://")
    for (blob,) in await rows("SELECT blob_name FROM vault_sealed_chunks WHERE vault_id = :id", id=vault.id):
        with open(f"{folder}/{blob}", "rb") as file:  # noqa: ASYNC230
            kept += file.read()
    for secret in secrets:
        assert secret not in kept
        assert secret.hex().encode() not in kept


async def test_a_password_and_a_recovery_key_open_and_others_do_not(people: People):
    client = people.client
    person = await make_person(client, "Gus")

    def device() -> HttpTransport:
        return HttpTransport(sender(client, person.user))

    with pytest.raises(WrongPassword):
        await in_thread(SealedClient.unlock, device(), person.id, "guessed")
    opened = await in_thread(SealedClient.unlock, device(), person.id, password("Gus"))
    assert opened.account.secret == person.sealed.account.secret
    await in_thread(SealedClient.recover, device(), person.id, person.recovery, "another long one")
    with pytest.raises(WrongPassword):
        await in_thread(SealedClient.unlock, device(), person.id, password("Gus"))


async def test_requests_at_the_same_time_take_effect_once_and_none_breaks(people: People):
    client, alice, bob = people.client, people.alice, people.bob
    vault = await in_thread(alice.sealed.create_vault)
    await let_in(client, alice, bob, vault, "editor")
    held: list[tuple[str, str, bytes | None, str]] = []
    send = sender(client, alice.user)

    def holding(method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, bytes]:
        if method == "GET":
            return send(method, path, body, content_type)
        held.append((method, path, body, content_type))
        return 412, b'{"code": "stale-revision"}'

    device = SealedClient(HttpTransport(holding), alice.sealed.account, alice.sealed.pins)
    opened = await in_thread(device.open_vault, vault.id)
    for act in (lambda: opened.items.put({"title": "Will"}), lambda: opened.remove_member(bob.id)):
        with pytest.raises(Conflict):
            await in_thread(act)
    item, removal = held
    path = f"/v1/vault/vaults/{vault.id}/members/{bob.id}"

    written = await asyncio.gather(*(in_thread(send, *item) for _ in range(4)))
    assert sorted(status for status, _ in written) == [200, 412, 412, 412]
    removals = [in_thread(send, *removal), in_thread(send, "DELETE", path, None, ""), in_thread(send, *removal)]
    statuses = [status for status, _ in await asyncio.gather(*removals)]
    assert set(statuses) <= {201, 204, 404, 412, 422}, "the closing is one of before the item was written"
    await in_thread(vault.remove_member, bob.id)
    assert await in_thread(vault.verify) == 1


async def test_many_items_are_read_at_once_in_pages(people: People):
    client, alice = people.client, people.alice
    vault = await in_thread(alice.sealed.create_vault)
    made = [await in_thread(vault.items.put, {"number": str(number), "much": "x" * 900_000}) for number in range(6)]

    async def pages(**asked: str) -> list[list[dict[str, str]]]:
        found: list[list[dict[str, str]]] = []
        cursor: dict[str, str] = {}
        while True:
            path = f"{VAULTS}/{vault.id}/items"
            page = (await client.get(path, params=asked | cursor, headers=auth(alice.user))).json()
            found.append(page["items"])
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    brief, whole = await pages(limit="4"), await pages(content="true")

    assert [len(page) for page in brief] == [4, 2]
    assert {each["content"] for page in brief for each in page} == {None}
    assert [len(page) for page in whole] == [4, 2], "four of them are what an answer takes"
    assert [each["item_id"] for page in whole for each in page] == sorted(map(str, made))
    one = read_revision(base64.urlsafe_b64decode(whole[0][0]["content"]))
    assert str(one.item) == whole[0][0]["item_id"]
