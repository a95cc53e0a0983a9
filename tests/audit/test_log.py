"""The log: written with the act, chained, readable by those who manage the vault."""

import asyncio
import base64
import hashlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.audit import chain
from app.audit import service as audit
from app.auth.principal import Principal
from app.core.crypto import length_prefixed
from app.db.session import NOBODY, SYSTEM, Actor, session_scope
from tests.factories import auth, make_member, make_user, make_vault, principal_of

pytestmark = pytest.mark.anyio


async def rows_of(vault_id):
    async with session_scope() as session:
        statement = text("SELECT * FROM audit_entries WHERE chain_id = :id ORDER BY sequence")
        rows = (await session.execute(statement, {"id": vault_id})).mappings()
        return [{**row, "micros": chain.micros(row["at"])} for row in rows]


async def record(person, vault, action="vault.item_created", subject_id=None, **ids):
    async with session_scope(Actor.user(person.id)) as session:
        await audit.record(session, principal_of(person), vault.id, action, subject_id, **ids)


async def test_each_entry_commits_to_all_before_it(runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    await record(owner, vault, subject_id=uuid4())
    await record(owner, vault, "vault.member_added", uuid4(), role="viewer", number=7)

    rows = await rows_of(vault.id)

    before = chain.FIRST
    for number, row in enumerate(rows, start=1):
        assert row["sequence"] == number
        assert row["hash"] == chain.entry_hash(row, before)
        assert row["tag"] == chain.entry_tag(vault.id, row["key_version"], row["hash"])
        before = row["hash"]
    assert len(rows) >= 2
    assert rows[-1]["ids"] == '{"number":7,"role":"viewer"}'


async def test_the_numbers_have_no_gap_however_many_write_at_once(runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    already = len(await rows_of(vault.id))

    await asyncio.gather(*(record(owner, vault, subject_id=uuid4()) for _ in range(40)))

    rows = await rows_of(vault.id)
    assert [row["sequence"] for row in rows] == list(range(1, already + 41))
    assert [row["hash"] for row in rows][1:] == [
        chain.entry_hash(row, before["hash"]) for before, row in itertools.pairwise(rows)
    ]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)


async def test_what_is_rolled_back_was_never_logged(runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    already = len(await rows_of(vault.id))

    async def refused() -> None:
        async with session_scope(Actor.user(owner.id)) as session:
            await audit.record(session, principal_of(owner), vault.id, "vault.item_created")
            raise RuntimeError("the act failed")

    with pytest.raises(RuntimeError):
        await refused()
    await record(owner, vault)

    assert len(await rows_of(vault.id)) == already + 1


@pytest.mark.parametrize(
    ("principal", "kind"),
    [
        (Principal(uuid4(), frozenset(), session_id=uuid4()), "person"),
        (Principal(uuid4(), frozenset(), api_key_id=uuid4()), "api_key"),
        (Principal(uuid4(), frozenset(), identity_id=uuid4()), "identity"),
        (Principal(uuid4(), frozenset()), "agent"),
        (None, "system"),
    ],
)
async def test_it_says_who_acted_and_by_what(runtime, principal, kind):
    vault = await make_vault(await make_user())

    async with session_scope(Actor.vault(vault.id)) as session:
        await audit.record(session, principal, vault.id, "vault.exported", None, items=3)

    row = (await rows_of(vault.id))[-1]
    assert row["actor_kind"] == kind
    assert row["actor_id"] == (principal.user_id if principal else None)
    for via in ("api_key_id", "identity_id"):
        assert (via in row["ids"]) == bool(principal and getattr(principal, via))


@pytest.mark.parametrize("ids", [{"title": "Ada's passport"}, {"name": "x" * 65}, {"text": "Ümlaut"}])
async def test_words_that_people_write_are_refused(runtime, ids):
    owner = await make_user()
    vault = await make_vault(owner)

    with pytest.raises(ValueError, match="ids, numbers and words of ours"):
        await record(owner, vault, **ids)
    with pytest.raises(ValueError, match=r"room\.what_happened"):
        await record(owner, vault, "Ada opened the safe")


@pytest.mark.parametrize("actor", ["stranger", "nobody"])
async def test_who_is_not_in_the_vault_writes_nothing_into_its_log(runtime, actor):
    vault = await make_vault(await make_user())
    stranger = await make_user()

    async def write() -> None:
        async with session_scope(Actor.user(stranger.id) if actor == "stranger" else NOBODY) as session:
            await audit.record(session, principal_of(stranger), vault.id, "vault.item_created")

    with pytest.raises(DBAPIError):
        await write()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET action = 'vault.nothing' WHERE chain_id = '{id}'",
        "DELETE FROM audit_entries WHERE chain_id = '{id}'",
        "UPDATE audit_chains SET sequence = 0 WHERE id = '{id}'",
        "UPDATE audit_chains SET sequence = sequence - 1 WHERE id = '{id}'",
        "DELETE FROM audit_chains WHERE id = '{id}'",
        "TRUNCATE audit_entries CASCADE",
        "TRUNCATE audit_chains CASCADE",
        "TRUNCATE vaults CASCADE",
    ],
)
@pytest.mark.parametrize("who", ["app", "owner"])
async def test_nobody_changes_what_is_in_the_log(runtime, postgres, who, statement):
    owner = await make_user()
    vault = await make_vault(owner)
    await record(owner, vault)
    connection = await asyncpg.connect(getattr(postgres, who))
    await connection.execute("SELECT set_config('app.principal', 'system', false)")

    try:
        with pytest.raises((asyncpg.RaiseError, asyncpg.InsufficientPrivilegeError)):
            await connection.execute(statement.format(id=vault.id))
    finally:
        await connection.close()
    assert (await rows_of(vault.id))[-1]["action"] == "vault.item_created"


async def test_the_application_can_not_add_entries_of_its_own_making(runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    await record(owner, vault)
    statement = "INSERT INTO audit_entries SELECT * FROM audit_entries WHERE chain_id = :id"

    async def write() -> None:
        async with session_scope(SYSTEM) as session:
            await session.execute(text(statement), {"id": vault.id})

    with pytest.raises(DBAPIError, match="permission denied"):
        await write()


async def test_the_log_goes_with_its_vault(runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    await record(owner, vault)

    async with session_scope(Actor.vault(vault.id)) as session:
        await session.execute(text("DELETE FROM vaults WHERE id = :id"), {"id": vault.id})

    assert await rows_of(vault.id) == []


async def test_the_end_of_the_log_is_signed_and_can_be_checked_without_us(client, runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    await record(owner, vault)
    viewer = await make_member(vault, role="viewer")

    head = (await client.get(f"/v1/audit/vaults/{vault.id}/head", headers=auth(viewer))).json()
    entries = (await client.get(f"/v1/audit/vaults/{vault.id}/entries", headers=auth(owner))).json()["items"]
    keys = (await client.get("/v1/audit/keys")).json()["items"]

    assert head["key"] in {key["key"] for key in keys if key["version"] == head["key_version"]}
    message = length_prefixed(
        b"lifevault audit head 1", vault.id.bytes, head["sequence"].to_bytes(8), bytes.fromhex(head["hash"])
    )
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(head["key"]))
    key.verify(base64.b64decode(head["signature"]), message)
    assert recomputed(vault.id, entries) == (head["sequence"], head["hash"])


def recomputed(chain_id: UUID, entries) -> tuple[int, str]:
    """The end of the log from the entries of the API alone, as `GET /v1/audit/keys` says."""

    def length(part: bytes) -> bytes:
        return len(part).to_bytes(4, "big") + part

    def an_id(value: str | None) -> bytes:
        return UUID(value).bytes if value else b""

    before = bytes(32)
    for entry in reversed(entries):
        at = datetime.fromisoformat(entry["at"])
        micros = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        ids = json.dumps(entry["ids"], sort_keys=True, separators=(",", ":"))
        parts = [
            b"lifevault audit entry 1",
            chain_id.bytes,
            entry["sequence"].to_bytes(8, "big"),
            before,
            entry["key_version"].to_bytes(4, "big"),
            entry["actor_kind"].encode(),
            an_id(entry["actor_id"]),
            entry["action"].encode(),
            an_id(entry["subject_id"]),
            ids.encode(),
            micros.to_bytes(8, "big"),
        ]
        before = hashlib.sha256(b"".join(length(part) for part in parts)).digest()
        assert before.hex() == entry["hash"]
    return entries[0]["sequence"], before.hex()


@pytest.mark.parametrize(
    ("role", "entries", "head"),
    [("owner", 200, 200), ("admin", 200, 200), ("editor", 403, 200), ("viewer", 403, 200), ("stranger", 404, 404)],
)
async def test_owner_and_admins_read_the_log_and_members_its_end(client, runtime, role, entries, head):
    owner = await make_user()
    vault = await make_vault(owner)
    await record(owner, vault)
    person = owner if role == "owner" else await make_user()
    if role not in ("owner", "stranger"):
        await make_member(vault, role=role, user=person)
    path = f"/v1/audit/vaults/{vault.id}"

    assert (await client.get(f"{path}/entries", headers=auth(person))).status_code == entries
    assert (await client.get(f"{path}/head", headers=auth(person))).status_code == head


@pytest.mark.parametrize("path", ["/v1/audit/me", "/v1/audit/me/head", "/v1/audit/vaults/{id}/entries"])
async def test_reading_needs_a_scope(client, runtime, path):
    person = await make_user(scope="rag:ask")

    response = await client.get(path.format(id=uuid4()), headers=auth(person))

    assert response.status_code == 403


async def test_pages_follow_each_other_and_are_filtered(client, runtime):
    owner = await make_user()
    vault = await make_vault(owner)
    admin = await make_member(vault, role="admin")
    for number in range(5):
        await record(owner, vault, "vault.item_created", uuid4(), number=number)
    await record(admin, vault, "vault.item_trashed", uuid4())
    path = f"/v1/audit/vaults/{vault.id}/entries"

    async def page(**query):
        response = await client.get(path, params=query, headers=auth(owner))
        assert response.status_code == 200, response.text
        return response.json()

    first = await page(limit=4)
    rest = await page(limit=100, cursor=first["next_cursor"])
    numbers = [entry["sequence"] for entry in first["items"] + rest["items"]]
    assert numbers == list(range(len(numbers), 0, -1))
    assert rest["next_cursor"] is None
    assert {entry["action"] for entry in (await page(action="vault.item_trashed"))["items"]} == {"vault.item_trashed"}
    assert {entry["actor_id"] for entry in (await page(actor_id=str(admin.id)))["items"]} == {str(admin.id)}
    at = first["items"][2]["at"]
    assert [entry["sequence"] for entry in (await page(since=at))["items"]] == numbers[:3]
    assert [entry["sequence"] for entry in (await page(until=at))["items"]] == numbers[3:]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": 0}, 422),
        ({"action": "Ada's acts"}, 422),
        ({"since": "2026-11-29T00:00:00"}, 422),
        ({"since": "0"}, 422),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00"}, 200),
        ({"cursor": "AAAAAAAAAAAAAAAAAAAAAA"}, 200),
        ({"cursor": "_____________________w"}, 200),
    ],
)
async def test_a_query_is_answered_or_refused(client, runtime, query, status):
    owner = await make_user()
    vault = await make_vault(owner)

    response = await client.get(f"/v1/audit/vaults/{vault.id}/entries", params=query, headers=auth(owner))

    assert response.status_code == status


async def test_a_person_reads_their_own_log_alone(client, runtime):
    person, other = await make_user(), await make_user()
    async with session_scope(Actor.user(person.id)) as session:
        await audit.record_own(session, principal_of(person), person.id, "auth.api_key_created", uuid4())

    mine = (await client.get("/v1/audit/me", headers=auth(person))).json()["items"]
    theirs = (await client.get("/v1/audit/me", headers=auth(other))).json()["items"]
    head = (await client.get("/v1/audit/me/head", headers=auth(person))).json()

    assert mine[0]["action"] == "auth.api_key_created"
    assert recomputed(person.id, mine) == (head["sequence"], head["hash"])
    assert all(entry["actor_id"] != str(person.id) for entry in theirs)
