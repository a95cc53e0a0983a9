"""The feed of changes: a copy that is kept by it is the vault, whoever writes at the same time."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.db.runtime import Runtime, current
from app.db.session import Actor, session_scope
from app.main import create_app
from app.vault import service
from app.vault.errors import ItemNotFound, NotInTrash, StaleRevision
from app.vault.schemas.items import ItemCreate, ItemUpdate
from app.vault.schemas.vaults import VaultRead
from app.vault.tasks import forget_changes
from tests.factories import TestUser, auth, make_document, make_item, make_member, make_user, make_vault, principal_of
from tests.vault.conftest import Scene, rows_of

CHANGES = "/v1/vault/changes"
GONE = ("purged", "removed")


@dataclass
class Copy:
    """What a client keeps: each thing that is there, with its revision and whether it is in the trash."""

    client: httpx.AsyncClient
    person: TestUser
    limit: int = 100
    until: str | None = None
    things: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)
    resets: int = 0

    async def ask(self, **query: Any) -> dict[str, Any]:
        if self.until:
            query["since"] = self.until
        response = await self.client.get(CHANGES, params={"limit": self.limit, **query}, headers=auth(self.person))
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def catch_up(self) -> list[dict[str, Any]]:
        """Ask until there is nothing more; returns what came."""
        came: list[dict[str, Any]] = []
        while True:
            answer = await self.ask()
            assert len(answer["items"]) <= self.limit
            if answer["reset"]:
                self.things.clear()
                self.resets += 1
            for change in answer["items"]:
                self._take(change)
            came += answer["items"]
            self.until = answer["until"]
            if not answer["has_more"]:
                self.seen += came
                return came

    def _take(self, change: dict[str, Any]) -> None:
        key = change["kind"], change["vault_id"], change["subject_id"]
        if change["change"] in GONE:
            self.things.pop(key, None)
        else:
            self.things[key] = change
        if (change["kind"], change["change"]) == ("access", "removed"):
            self.things = {key: each for key, each in self.things.items() if key[1] != change["vault_id"]}

    def items(self) -> dict[str, tuple[int, bool]]:
        kept = {key[2]: each for key, each in self.things.items() if key[0] == "item"}
        return {name: (each["revision"], each["change"] == "trashed") for name, each in kept.items()}


async def items_of(vault: VaultRead) -> dict[str, tuple[int, bool]]:
    rows = await rows_of("SELECT id, revision, trashed_at FROM vault_items WHERE vault_id = :vault", vault=vault.id)
    return {str(row.id): (row.revision, row.trashed_at is not None) for row in rows}


def named(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["kind"], each["change"]) for each in changes]


async def test_a_copy_that_begins_with_nothing_has_everything(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.viewer, limit=3)

    await copy.catch_up()

    assert copy.items() == await items_of(scene.vault)
    assert {key[0] for key in copy.things} == {"vault", "member", "access", "item", "document"}
    assert {key[2] for key in copy.things if key[0] == "member"} == {
        str(person.id) for person in (scene.owner, scene.admin, scene.editor, scene.viewer, scene.member)
    }
    assert [key[2] for key in copy.things if key[0] == "access"] == [str(scene.viewer.id)]
    assert await copy.catch_up() == []


async def test_each_thing_is_named_once_with_the_last_that_happened_to_it(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.owner)
    await copy.catch_up()
    headers, item, home = auth(scene.owner), f"/v1/vault/items/{scene.item.id}", f"/v1/vault/vaults/{scene.vault.id}"
    document = f"/v1/vault/documents/{scene.document.id}"

    for title in ("One", "Two", "Three"):
        await client.patch(item, json={"title": title}, headers=headers)
    [changed] = await copy.catch_up()
    assert (changed["kind"], changed["change"], changed["revision"]) == ("item", "updated", 4)

    steps = [
        ("DELETE", item, ("item", "trashed")),
        ("POST", f"{item}/restore", ("item", "restored")),
        ("DELETE", item, ("item", "trashed")),
        ("POST", f"{item}/purge", ("item", "purged")),
        ("PATCH", document, ("document", "updated")),
        ("DELETE", document, ("document", "trashed")),
        ("POST", f"{document}/purge", ("document", "purged")),
        ("PATCH", home, ("vault", "updated")),
        ("DELETE", home, ("vault", "trashed")),
        ("POST", f"{home}/restore", ("vault", "restored")),
    ]
    for method, path, expected in steps:
        body = {"title": "New"} if path == document else {"name": "New"}
        response = await client.request(method, path, json=body if method == "PATCH" else None, headers=headers)
        assert response.is_success, response.text
        assert named(await copy.catch_up()) == [expected], (method, path)


async def test_what_commits_late_is_not_skipped(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.viewer)
    await copy.catch_up()
    data = ItemCreate(vault_id=scene.vault.id, type="secure_note", title="Late")

    async with session_scope(Actor.user(scene.owner.id)) as session:
        late = await service.create_item(session, principal_of(scene.owner), data)  # it has its number, and waits
        other = await make_vault(scene.viewer)
        early = await make_item(scene.viewer, other)
        first = await copy.catch_up()
        again = await copy.catch_up()

    assert str(early.id) in {each["subject_id"] for each in first}  # what is there is shown at once,
    assert str(early.id) in {each["subject_id"] for each in again}  # and again until nothing before it is open
    assert str(late.id) not in copy.items()
    assert str(late.id) in {each["subject_id"] for each in await copy.catch_up()}
    assert await copy.catch_up() == []


async def test_one_transaction_is_read_page_by_page(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.viewer, limit=4)
    await copy.catch_up()

    async with session_scope(Actor.user(scene.owner.id)) as session:
        for number in range(11):
            data = ItemCreate(vault_id=scene.vault.id, type="secure_note", title=f"Note {number}")
            await service.create_item(session, principal_of(scene.owner), data)

    assert named(await copy.catch_up()) == [("item", "created")] * 11
    assert copy.items() == await items_of(scene.vault)


async def write(vault: VaultRead, person: TestUser, drawn: random.Random, ids: list[UUID]) -> None:
    """One transaction of a few random changes that commits some time later."""
    principal = principal_of(person)
    async with session_scope(Actor.user(person.id)) as session:
        for _ in range(drawn.randrange(1, 4)):
            item_id = drawn.choice(ids) if ids else uuid4()
            kind = drawn.choice(["create", "create", "update", "update", "trash", "restore", "purge"])
            if kind == "create":
                data = ItemCreate(vault_id=vault.id, type="secure_note", title="Note")
                ids.append((await service.create_item(session, principal, data)).id)
            elif kind == "update":
                await service.update_item(session, principal, item_id, ItemUpdate(title="Other"), if_match=None)
            else:
                await getattr(service, kind)(session, principal, service.ITEM, item_id)
            await asyncio.sleep(drawn.random() / 200)


async def test_nothing_is_missed_while_many_write(client: httpx.AsyncClient, runtime: Runtime):
    owner = await make_user()
    reader = await make_user()
    vaults = [await make_vault(owner), await make_vault(owner)]
    for vault in vaults:
        await make_member(vault, role="viewer", user=reader)
    copies = [Copy(client, reader, limit=5), Copy(client, reader, limit=100)]
    seed = random.randrange(2**32)
    ids: dict[UUID, list[UUID]] = {vault.id: [] for vault in vaults}
    writing = True

    async def writer(number: int) -> None:
        drawn = random.Random(seed + number)
        for _ in range(12):
            vault = drawn.choice(vaults)
            with suppress(ItemNotFound, NotInTrash, StaleRevision):  # then all of that transaction is undone
                await write(vault, owner, drawn, ids[vault.id])

    async def read(copy: Copy) -> None:
        while writing:
            await copy.catch_up()
            await asyncio.sleep(0.002)

    readers = [asyncio.ensure_future(read(copy)) for copy in copies]
    await asyncio.gather(*(writer(number) for number in range(6)))
    writing = False
    await asyncio.gather(*readers)

    expected = {**await items_of(vaults[0]), **await items_of(vaults[1])}
    assert expected
    for copy in copies:
        await copy.catch_up()
        assert copy.items() == expected, f"seed {seed}"
        assert copy.resets == 0


async def test_a_removed_member_is_told_so_and_nothing_more(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.editor)
    await copy.catch_up()
    url = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.editor.id}"
    assert (await client.delete(url, headers=auth(scene.admin))).status_code == 204
    await make_item(scene.owner, scene.vault)

    came = await copy.catch_up()

    assert named(came) == [("access", "removed")]
    assert copy.things == {}
    assert named(await Copy(client, scene.viewer).catch_up()).count(("member", "removed")) == 1
    assert named(await Copy(client, scene.editor).catch_up()) == [("access", "removed")]


async def test_who_comes_into_a_vault_is_told_and_reads_all_of_it(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.stranger)
    assert await copy.catch_up() == []
    await make_member(scene.vault, role="viewer", user=scene.stranger)

    came = await copy.catch_up()
    assert ("access", "granted") in named(came)
    whole = await Copy(client, scene.stranger).ask(vault_id=str(scene.vault.id))

    assert {str(scene.item.id), str(scene.document.id)} <= {each["subject_id"] for each in whole["items"]}
    for each in whole["items"]:
        copy._take(each)
    await make_item(scene.owner, scene.vault)
    assert named(await copy.catch_up()) == [("item", "created")]
    assert copy.items() == await items_of(scene.vault)


async def test_a_new_role_is_told(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.viewer)
    await copy.catch_up()
    url = f"/v1/vault/vaults/{scene.vault.id}/members/{scene.viewer.id}"

    assert (await client.patch(url, json={"role": "editor"}, headers=auth(scene.admin))).status_code == 200

    assert sorted(named(await copy.catch_up())) == [("access", "changed"), ("member", "updated")]


async def test_of_a_purged_vault_nothing_is_left_but_that_access_has_ended(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.viewer)
    await copy.catch_up()

    async with session_scope(Actor.vault(scene.vault.id)) as session:
        await session.execute(text("DELETE FROM vaults WHERE id = :vault"), {"vault": scene.vault.id})

    assert named(await copy.catch_up()) == [("access", "removed")]
    assert copy.things == {}
    left = await rows_of("SELECT kind, change FROM vault_changes WHERE vault_id = :vault", vault=scene.vault.id)
    assert {tuple(row) for row in left} == {("access", "removed")}


async def test_what_a_key_exchange_seals_anew_is_no_change(client: httpx.AsyncClient, scene: Scene):
    copy = Copy(client, scene.viewer)
    await copy.catch_up()

    async with session_scope() as session:
        await session.execute(
            text("UPDATE vault_items SET body = body || ''::bytea WHERE vault_id = :vault"), {"vault": scene.vault.id}
        )

    assert await copy.catch_up() == []


async def test_the_contents_come_along_if_asked_for(client: httpx.AsyncClient, scene: Scene):
    thrown = await make_item(scene.owner, scene.vault, title="Thrown away")
    await client.delete(f"/v1/vault/items/{thrown.id}", headers=auth(scene.owner))

    plain = await Copy(client, scene.viewer).ask()
    full = await Copy(client, scene.viewer).ask(content=True)

    assert {each["content"] for each in plain["items"]} == {None}
    contents = {(each["kind"], each["subject_id"]): each["content"] for each in full["items"]}
    assert contents["item", str(scene.item.id)]["title"] == scene.item.title
    assert contents["document", str(scene.document.id)]["name"] == scene.document.name
    assert contents["vault", str(scene.vault.id)] == {
        **scene.vault.model_dump(mode="json"),
        "role": "viewer",
    }
    assert contents["member", str(scene.owner.id)]["email"] == scene.owner.email
    assert contents["item", str(thrown.id)] is None
    assert contents["access", str(scene.viewer.id)] is None


async def test_strangers_see_nothing(client: httpx.AsyncClient, scene: Scene):
    assert (await Copy(client, scene.stranger).ask())["items"] == []
    response = await client.get(CHANGES, params={"vault_id": str(scene.vault.id)}, headers=auth(scene.stranger))
    assert response.status_code == 404


async def test_a_cursor_from_before_something_was_forgotten_begins_anew(own_database: Runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    kept, purged = await make_item(owner, vault), await make_item(owner, vault)
    transport = httpx.ASGITransport(create_app(current().settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        old, fresh = Copy(client, owner), Copy(client, owner)
        await old.catch_up()
        await client.delete(f"/v1/vault/items/{purged.id}", headers=auth(owner))
        await client.post(f"/v1/vault/items/{purged.id}/purge", headers=auth(owner))
        await fresh.catch_up()

        assert await forget_changes() == 0
        assert await forget_changes(utc_now() + timedelta(days=91)) == 1
        await old.catch_up()
        await fresh.catch_up()

    assert (old.resets, fresh.resets) == (1, 0)
    assert [*old.items()] == [*fresh.items()] == [str(kept.id)]


async def test_in_a_database_that_was_put_back_every_cursor_begins_anew(own_database: Runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    await make_item(owner, vault)
    transport = httpx.ASGITransport(create_app(current().settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://lifevault.test") as client:
        copy = Copy(client, owner)
        await copy.catch_up()
        async with session_scope() as session:
            await session.execute(text("UPDATE vault_change_state SET place = 'elsewhere'"))
            ahead = "UPDATE vault_changes SET xid = xid + 1000000"  # numbers of a cluster that had come further
            await session.execute(text(ahead))
        await make_item(owner, vault)
        await copy.catch_up()
        assert copy.resets == 1
        assert copy.items() == await items_of(vault)

        await make_item(owner, vault)
        assert named(await copy.catch_up()) == [("item", "created")]
    assert copy.resets == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [({"since": "yesterday"}, 400), ({"limit": 0}, 422), ({"limit": 501}, 422), ({"vault_id": "mine"}, 422)],
)
async def test_a_bad_question_is_refused(client: httpx.AsyncClient, runtime: Runtime, query, status):
    person = await make_user()

    assert (await client.get(CHANGES, params=query, headers=auth(person))).status_code == status


async def test_a_cursor_that_nobody_gave_out_begins_anew(client: httpx.AsyncClient, runtime: Runtime):
    person = await make_user()
    await make_document(person, await make_vault(person))

    for cursor in ("AAAAAAAAAAAAAAAAAAAAAA", "_____________________w"):
        answer = (await client.get(CHANGES, params={"since": cursor}, headers=auth(person))).json()
        assert answer["reset"]
        assert len(answer["items"]) == 4


async def test_asking_needs_the_scope(client: httpx.AsyncClient, runtime: Runtime):
    narrow = await make_user(scope="profile vault:write")

    assert (await client.get(CHANGES, headers=auth(narrow))).status_code == 403


async def test_types_and_links_are_told_of_too(client: httpx.AsyncClient, scene: Scene):
    copy, headers = Copy(client, scene.viewer), auth(scene.owner)
    await copy.catch_up()

    async def sent(method: str, path: str, body: object = None) -> dict[str, Any]:
        response = await client.request(method, f"/v1/vault/{path}", json=body, headers=headers)
        assert response.is_success, response.text
        return dict(response.json()) if response.content else {}

    made = await sent("POST", "types", {"vault_id": str(scene.vault.id), "label": "Drone", "fields": []})
    assert named(await copy.catch_up()) == [("type", "created")]
    type_id = made.get("id") or made["name"].rpartition(":")[2]
    await sent("PATCH", f"types/{type_id}", {"label": "Plane"})
    assert named(await copy.catch_up()) == [("type", "updated")]
    await sent("DELETE", f"types/{type_id}")
    assert named(await copy.catch_up()) == [("type", "purged")]

    ends = {"source": {"item_id": str(scene.item.id)}, "target": {"document_id": str(scene.document.id)}}
    link = await sent("POST", "links", ends)
    assert named(await copy.catch_up()) == [("link", "created")]
    await sent("DELETE", f"links/{link['id']}")
    assert named(await copy.catch_up()) == [("link", "purged")]


async def test_what_is_moved_is_gone_here_and_new_there(client: httpx.AsyncClient, scene: Scene):
    other = await make_vault(scene.owner)
    copy, member = Copy(client, scene.owner), Copy(client, scene.viewer)
    await copy.catch_up()
    await member.catch_up()

    path = f"/v1/vault/items/{scene.item.id}/move"
    response = await client.post(path, json={"vault_id": str(other.id)}, headers=auth(scene.owner))
    assert response.is_success, response.text

    came = {(each["vault_id"], each["kind"], each["change"]) for each in await copy.catch_up()}
    assert came == {(str(scene.vault.id), "item", "purged"), (str(other.id), "item", "created")}
    assert named(await member.catch_up()) == [("item", "purged")]
    assert member.items() == {}
