"""What a client must not send: an honest request is held back, changed in one place, and refused for that alone.

Nothing is written, so that all share one vault; the last test sends the honest requests.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.db.runtime import Runtime
from app.sealed.box import OVERHEAD_BYTES
from app.sealed.client import SealedClient
from app.sealed.encoding import digest, number, pack, unpack
from app.sealed.files import CHUNK_OVERHEAD_BYTES, LARGEST_CHUNK
from app.sealed.http import HttpTransport
from app.sealed.identity import Identity
from app.sealed.item_keys import new_item_key, wrap_item_keys
from app.sealed.kdf import KdfParameters
from app.sealed.members import Member, MemberList, Role
from app.sealed.names import pins_name
from app.sealed.pins import Pins
from app.sealed.revision import Place, new_revision
from app.sealed.vault import SealedVault
from app.sealed.wrap import wrap_epoch_key
from tests.factories import auth, make_user
from tests.notifications.smtp import changed_settings
from tests.vault.sealed.conftest import NAMES, People
from tests.vault.sealed.home import VAULTS, Person, in_thread, introduce, invite, let_in, make_person, sender

SUITE = b"\x01\x01"


class HeldBackError(Exception):
    """A request that was not sent."""


class Holding(HttpTransport):
    """Reads like any other; the first write is held back."""

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        if method == "GET":
            return super()._json(method, path, body)
        raise HeldBackError(method, path, body)


@dataclass
class House:
    """Alice owns the vault, Bob edits and Carol waits for it; Mallory has keys of her own."""

    client: httpx.AsyncClient
    people: dict[str, Person]
    vault: SealedVault
    item: UUID

    async def honest(self, who: str, act: Callable[[SealedClient], Any]) -> tuple[str, str, dict[str, Any]]:
        """The request that an honest client makes for an act; its bytes are not encoded yet."""
        person = self.people[who]
        device = SealedClient(
            Holding(sender(self.client, person.user)),
            person.sealed.account,
            Pins.from_bytes(person.sealed.pins.to_bytes()),
        )
        with pytest.raises(HeldBackError) as held:
            await in_thread(act, device)
        method, path, body = held.value.args
        return method, path, decoded(body)

    async def send(self, who: str, method: str, path: str, body: Any) -> httpx.Response:
        content = json.dumps(encoded(body))
        return await self.client.request(method, path, content=content, headers=headers(self.people[who]))

    async def code(self, who: str, method: str, path: str, body: Any) -> tuple[int, str]:
        response = await self.send(who, method, path, body)
        return response.status_code, response.json().get("code", "") if response.content else ""


def headers(person: Person) -> dict[str, str]:
    return auth(person.user) | {"Content-Type": "application/json"}


BLOBS = {
    "members",
    "clock",
    "link",
    "closing",
    "clock_before",
    "revision",
    "keys",
    "keys_before",
    "state",
    "wraps",
    "pins",
}
BLOBS |= {"verifier", "recovery_verifier", "pins_before"}


def decoded(body: Any, name: str = "") -> Any:
    if isinstance(body, dict):
        return {key: decoded(value, name if name == "wraps" else key) for key, value in body.items()}
    return base64.urlsafe_b64decode(body) if name in BLOBS and isinstance(body, str) else body


def encoded(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: encoded(value) for key, value in body.items()}
    return base64.urlsafe_b64encode(body).decode() if isinstance(body, bytes) else body


@pytest.fixture(scope="module")
async def house(people: People) -> House:
    client, alice, carol = people.client, people.alice, people.carol
    vault = await in_thread(alice.sealed.create_vault)
    item = await in_thread(vault.items.put, {"title": "Passport"})
    await let_in(client, alice, people.bob, vault, "editor")
    await invite(client, alice, carol, vault.id, "viewer")
    await introduce(alice, carol)
    return House(client, {name: people[name] for name in NAMES}, vault, item)


def put(house: House) -> Callable[[SealedClient], Any]:
    return lambda device: device.open_vault(house.vault.id).items.put({"title": "Changed"}, house.item)


def remove(house: House) -> Callable[[SealedClient], Any]:
    return lambda device: device.open_vault(house.vault.id).remove_member(house.people["bob"].id)


def admit(house: House) -> Callable[[SealedClient], Any]:
    return lambda device: device.open_vault(house.vault.id).add_member(house.people["carol"].id, Role.VIEWER)


# ---- items


def rewritten(house: House, who: str = "alice", **changes: Any) -> bytes:
    """A revision that is signed, but says something else."""
    head, one = house.vault.keyring.head, house.vault.items.head(house.item)
    place = Place(house.vault.id, changes.pop("item", house.item), "", changes.pop("revision", 2))
    about = {"previous": one.digest(), "members_counter": head.counter} | changes
    identity = house.people[who].sealed.account.identity
    return new_revision(identity, new_item_key(1).key, place, {"title": "x"}, **about)


def replaced_record(body: bytes, record: bytes) -> bytes:
    """A revision with another record than was signed."""
    return pack(unpack(body)[0], *unpack(body)[1:-1], record)


ITEMS: dict[str, tuple[Callable[[House, dict[str, Any]], dict[str, Any]], int, str]] = {
    "a title in clear": (lambda h, b: b | {"title": "Passport"}, 422, "unprocessable"),
    "plaintext": (lambda h, b: b | {"revision": b"Passport X1"}, 422, "sealed-invalid"),
    "a record in clear": (lambda h, b: b | {"revision": replaced_record(b["revision"], b"X1")}, 422, "sealed-invalid"),
    "an envelope of another suite": (
        lambda h, b: b | {"revision": pack(b"\x01\x02" + unpack(b["revision"])[0][2:], *unpack(b["revision"])[1:])},
        422,
        "unknown-suite",
    ),
    "keys of a lower version": (lambda h, b: b | {"keys": b"\x00\x01" + b["keys"][2:]}, 422, "unknown-suite"),
    "somebody else's signature": (lambda h, b: b | {"revision": rewritten(h, "bob")}, 422, "sealed-invalid"),
    "a revision that is there": (lambda h, b: b | {"revision": rewritten(h, revision=1)}, 412, "stale-revision"),
    "a revision too far": (lambda h, b: b | {"revision": rewritten(h, revision=3)}, 422, "sealed-invalid"),
    "another revision before it": (
        lambda h, b: b | {"revision": rewritten(h, previous=bytes(32))},
        422,
        "sealed-invalid",
    ),
    "an earlier list of members": (
        lambda h, b: b | {"revision": rewritten(h, members_counter=1)},
        412,
        "stale-revision",
    ),
    "a list to come": (lambda h, b: b | {"revision": rewritten(h, members_counter=9)}, 422, "sealed-invalid"),
    "another item": (lambda h, b: b | {"revision": rewritten(h, item=uuid4())}, 422, "sealed-invalid"),
    "keys of another epoch": (
        lambda h, b: b | {"keys": wrap_item_keys(h.vault.id, h.item, 2, bytes(32), (new_item_key(1),))},
        422,
        "sealed-invalid",
    ),
    "no keys": (lambda h, b: b | {"keys": SUITE}, 422, "sealed-invalid"),
    "two new keys": (
        lambda h, b: b | {"keys": wrap_item_keys(h.vault.id, h.item, 1, bytes(32), (new_item_key(1),) * 3)},
        422,
        "sealed-invalid",
    ),
    "keys that others changed": (lambda h, b: b | {"keys_before": bytes(32)}, 412, "stale-revision"),
    "a vault that others changed": (lambda h, b: b | {"clock_before": bytes(32)}, 412, "stale-revision"),
    "a short clock": (lambda h, b: b | {"clock": b"tick"}, 422, "unprocessable"),
    "too much": (lambda h, b: b | {"revision": bytes(1024 * 1024 + 1)}, 413, "sealed-too-large"),
}


@pytest.mark.parametrize("case", ITEMS)
async def test_a_revision_is_refused_that_is(house: House, case):
    change, *expected = ITEMS[case]
    method, path, body = await house.honest("alice", put(house))
    changed = await in_thread(change, house, body)

    assert await house.code("alice", method, path, changed) == tuple(expected)


async def test_a_clock_that_stands_still_is_refused(house: House):
    method, path, body = await house.honest("alice", put(house))
    seen = await house.client.get(f"{VAULTS}/{house.vault.id}", headers=auth(house.people["alice"].user))

    code = await house.code("alice", method, path, body | {"clock": base64.urlsafe_b64decode(seen.json()["clock"])})

    assert code == (412, "stale-revision")


async def test_keys_are_moved_whole_and_by_who_knows_the_newest_list(house: House):
    item = (
        await house.client.get(f"{VAULTS}/{house.vault.id}/items/{house.item}", headers=headers(house.people["bob"]))
    ).json()
    path, before = f"{VAULTS}/{house.vault.id}/items/{house.item}/keys", decoded(item["keys"], "keys")
    honest = {"keys": before, "keys_before": digest(before), "counter": house.vault.keyring.head.counter}

    for change, expected in (
        ({"counter": 1}, (412, "stale-revision")),
        ({"keys_before": bytes(32)}, (412, "stale-revision")),
        ({"keys": SUITE}, (422, "sealed-invalid")),
        ({"keys": before + before[2:]}, (422, "sealed-invalid")),
        ({"keys": b"in clear"}, (422, "unknown-suite")),
    ):
        assert await house.code("bob", "PUT", path, honest | change) == expected
    assert (await house.send("bob", "PUT", path, honest)).status_code == 200


# ---- lists of members


def relisted(house: House, who: str = "alice", **changes: Any) -> bytes:
    """The next list, signed, but saying something else."""
    head, identity = house.vault.keyring.head, house.people[who].sealed.account.identity
    after = {"counter": head.counter + 1, "previous": head.digest(), "signer": identity.account} | changes
    return replace(head, **after).envelope(identity)


def with_role(house: House, name: str, role: Role) -> tuple[Member, ...]:
    of = house.people[name].id
    return tuple(replace(each, role=role) if each.identity.account == of else each for each in house.vault.members)


def plus(house: House, name: str, role: Role) -> tuple[Member, ...]:
    return (*house.vault.members, Member(house.people[name].sealed.account.identity.public, role))


def wrap_for(house: House, name: str, **changes: Any) -> dict[str, bytes]:
    me, them = house.people["alice"].sealed.account.identity, house.people[name].sealed.account.identity.public
    about = {"vault": house.vault.id, "epoch": 1, "secret": house.vault.keyring.secret} | changes
    return {str(them.account): wrap_epoch_key(me, them, **about)}


def swapped(wraps: dict[str, bytes]) -> dict[str, bytes]:
    return dict(zip(wraps, reversed(wraps.values()), strict=True))


REMOVALS: dict[str, tuple[Callable[[House, dict[str, Any]], dict[str, Any]], int, str]] = {
    "no key for who stays": (lambda h, b: b | {"wraps": {}}, 422, "wraps-incomplete"),
    "a key for who goes": (lambda h, b: b | {"wraps": b["wraps"] | wrap_for(h, "bob")}, 422, "wraps-incomplete"),
    "a key for a stranger": (lambda h, b: b | {"wraps": b["wraps"] | wrap_for(h, "mallory")}, 422, "wraps-incomplete"),
    "a key of the old epoch": (lambda h, b: b | {"wraps": wrap_for(h, "alice")}, 422, "sealed-invalid"),
    "a key for another vault": (
        lambda h, b: b | {"wraps": wrap_for(h, "alice", vault=uuid4(), epoch=2)},
        422,
        "sealed-invalid",
    ),
    "a key in clear": (lambda h, b: b | {"wraps": dict.fromkeys(b["wraps"], bytes(32))}, 422, "unknown-suite"),
    "no end of the epoch": (lambda h, b: b | {"ends": None}, 422, "sealed-invalid"),
    "no closing": (
        lambda h, b: b | {"ends": b["ends"] | {"closing": b""}},
        422,
        "sealed-invalid",
    ),
    "a closing that was not signed": (
        lambda h, b: b | {"ends": b["ends"] | {"closing": b["ends"]["closing"] * 2}},
        422,
        "sealed-invalid",
    ),
    "a link that is no box": (lambda h, b: b | {"ends": b["ends"] | {"link": bytes(32)}}, 422, "unknown-suite"),
    "a link under another key": (
        lambda h, b: b | {"ends": b["ends"] | {"link": SUITE + number(1) + bytes(OVERHEAD_BYTES + 22)}},
        422,
        "sealed-invalid",
    ),
    "a closing of before": (lambda h, b: b | {"ends": b["ends"] | {"clock_before": bytes(32)}}, 412, "stale-revision"),
    "the list in force": (
        lambda h, b: b | {"members": relisted(h, counter=h.vault.keyring.head.counter)},
        412,
        "stale-revision",
    ),
    "a list too far": (lambda h, b: b | {"members": relisted(h, counter=9)}, 422, "sealed-invalid"),
    "another list before it": (lambda h, b: b | {"members": relisted(h, previous=bytes(32))}, 422, "sealed-invalid"),
    "a list of another vault": (lambda h, b: b | {"members": relisted(h, vault=uuid4())}, 422, "sealed-invalid"),
    "somebody else's list": (lambda h, b: b | {"members": relisted(h, "bob")}, 422, "sealed-invalid"),
    "a removal without a new epoch": (
        lambda h, b: b | {"members": relisted(h, members=h.vault.members[:1])},
        403,
        "role-too-low",
    ),
    "names in clear": (lambda h, b: b | {"names": ["Alice"]}, 422, "unprocessable"),
}


@pytest.mark.parametrize("case", REMOVALS)
async def test_a_removal_is_refused_with(house: House, case):
    change, *expected = REMOVALS[case]
    method, path, body = await house.honest("alice", remove(house))

    assert await house.code("alice", method, path, change(house, body)) == tuple(expected)


async def test_a_closing_without_an_item_is_refused(house: House):
    method, path, body = await house.honest("alice", remove(house))
    closing = pack(pack(uuid4().bytes, number(1), bytes(32)))
    head = house.vault.keyring.head
    members = relisted(house, members=head.members[:1], epoch=2, key_check=bytes(32), closing=digest(closing))
    wraps = wrap_for(house, "alice", epoch=2)

    changed = body | {"members": members, "wraps": wraps, "ends": body["ends"] | {"closing": closing}}

    assert await house.code("alice", method, path, changed) == (422, "sealed-invalid")


ADMISSIONS: dict[str, tuple[str, Callable[[House, dict[str, Any]], dict[str, Any]], int, str]] = {
    "nobody's key": ("alice", lambda h, b: b | {"wraps": {}}, 422, "wraps-incomplete"),
    "a key for who has one": (
        "alice",
        lambda h, b: b | {"wraps": b["wraps"] | wrap_for(h, "bob")},
        422,
        "wraps-incomplete",
    ),
    "somebody who was not invited": (
        "alice",
        lambda h, b: b
        | {"members": relisted(h, members=plus(h, "mallory", Role.VIEWER)), "wraps": wrap_for(h, "mallory")},
        409,
        "not-waiting",
    ),
    "another role than was accepted": (
        "alice",
        lambda h, b: b | {"members": relisted(h, members=plus(h, "carol", Role.ADMIN))},
        409,
        "not-waiting",
    ),
    "an editor's list": (
        "bob",
        lambda h, b: b | {"members": relisted(h, "bob", members=plus(h, "carol", Role.VIEWER))},
        403,
        "role-too-low",
    ),
    "an editor who makes himself admin": (
        "bob",
        lambda h, b: b | {"members": relisted(h, "bob", members=with_role(h, "bob", Role.ADMIN)), "wraps": {}},
        403,
        "role-too-low",
    ),
    "a second owner": (
        "alice",
        lambda h, b: b | {"members": relisted(h, members=with_role(h, "bob", Role.OWNER)), "wraps": {}},
        409,
        "owner-stays",
    ),
    "other keys for somebody else": (
        "alice",
        lambda h, b: b
        | {
            "members": relisted(
                h,
                members=(
                    h.vault.members[0],
                    Member(Identity.new(h.people["bob"].id).public, Role.EDITOR),
                ),
            ),
            "wraps": {},
        },
        403,
        "role-too-low",
    ),
    "keys that are not hers": (
        "alice",
        lambda h, b: b
        | {
            "members": relisted(
                h, members=(*h.vault.members, Member(forged(h, "carol").public, Role.VIEWER))
            ),
            "wraps": forged_wrap(h, "carol"),
        },
        422,
        "sealed-invalid",
    ),
    "a stranger's list": (
        "mallory",
        lambda h, b: b | {"members": relisted(h, "mallory", members=plus(h, "mallory", Role.ADMIN))},
        404,
        "vault-not-found",
    ),
    "an end without a new epoch": (
        "alice",
        lambda h, b: b | {"ends": {"link": SUITE, "closing": SUITE, "clock_before": bytes(32)}},
        422,
        "sealed-invalid",
    ),
}  # fmt: skip
FORGED: dict[UUID, Identity] = {}


def forged(house: House, name: str) -> Identity:
    return FORGED.setdefault(house.people[name].id, Identity.new(house.people[name].id))


def forged_wrap(house: House, name: str) -> dict[str, bytes]:
    me, them = house.people["alice"].sealed.account.identity, forged(house, name).public
    return {str(them.account): wrap_epoch_key(me, them, house.vault.id, 1, house.vault.keyring.secret)}


@pytest.mark.parametrize("case", ADMISSIONS)
async def test_nobody_is_let_in_by(house: House, case):
    who, change, *expected = ADMISSIONS[case]
    method, path, body = await house.honest("alice", admit(house))

    assert await house.code(who, method, path, change(house, body)) == tuple(expected)


# ---- accounts


def restated(house: House, wraps: bytes, by: Identity | None = None, **changes: Any) -> bytes:
    """Alice's next state, signed, but saying something else."""
    account = house.people["alice"].sealed.account
    about = {"wraps_digest": digest(wraps)} | changes
    if about.keys() & {"counter", "previous"}:
        return replace(account.state.after(account.envelope), **about).envelope(account.identity)
    return account.state.after(account.envelope, **about).envelope(by or account.identity)


ACCOUNTS: dict[str, tuple[Callable[[House, dict[str, Any]], dict[str, Any]], int, str]] = {
    "the state in force": (
        lambda h, b: b | {"state": h.people["alice"].sealed.account.envelope},
        412,
        "stale-revision",
    ),
    "a state too far": (lambda h, b: b | {"state": restated(h, b["wraps"], counter=9)}, 422, "sealed-invalid"),
    "another state before it": (
        lambda h, b: b | {"state": restated(h, b["wraps"], previous=bytes(32))},
        422,
        "sealed-invalid",
    ),
    "somebody else's signature": (
        lambda h, b: b | {"state": restated(h, b["wraps"], h.people["bob"].sealed.account.identity)},
        422,
        "sealed-invalid",
    ),
    "other keys that the old ones did not sign": (
        lambda h, b: b
        | {"state": restated(h, b["wraps"], forged(h, "alice"), identity=forged(h, "alice").public)},
        422,
        "sealed-invalid",
    ),
    "another suite": (lambda h, b: b | {"state": b"\x01\x00" + b["state"][2:]}, 422, "unknown-suite"),
    "weak costs": (
        lambda h, b: b | {"state": restated(h, b["wraps"], kdf=replace(KdfParameters(), memory_kib=32_768))},
        422,
        "weak-sealed-password",
    ),
    "no salt": (
        lambda h, b: b | {"state": restated(h, b["wraps"], kdf=replace(KdfParameters(), salt=b""))},
        422,
        "weak-sealed-password",
    ),
    "another salt and the old verifier": (lambda h, b: without(b, "verifier"), 422, "sealed-invalid"),
    "wraps that were not signed": (lambda h, b: b | {"wraps": b["wraps"] + pack(b"x")}, 422, "sealed-invalid"),
    "wraps in clear": (
        lambda h, b: b | {"wraps": pack(b"a", b"b", b"c"), "state": restated(h, pack(b"a", b"b", b"c"))},
        422,
        "unknown-suite",
    ),
    "pins in clear": (lambda h, b: b | {"pins": b'{"contacts": ["Bob"]}'}, 422, "unknown-suite"),
    "pins that others changed": (lambda h, b: b | {"pins_before": bytes(32)}, 412, "stale-revision"),
    "the password": (lambda h, b: b | {"password": "alice's long password"}, 422, "unprocessable"),
    "too much": (lambda h, b: b | {"pins": bytes(4 * 1024 * 1024)}, 413, "sealed-too-large"),
}  # fmt: skip


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


@pytest.fixture(scope="module")
async def replacement(house: House) -> tuple[str, str, dict[str, Any]]:
    return await house.honest("alice", lambda device: device.change_password("another long password"))


@pytest.mark.parametrize("case", ACCOUNTS)
async def test_an_account_is_not_changed_by(house: House, replacement, case):
    change, *expected = ACCOUNTS[case]
    method, path, body = replacement

    assert await house.code("alice", method, path, change(house, body)) == tuple(expected)


async def test_costs_never_go_down_again(client: httpx.AsyncClient, runtime: Runtime):
    person = await make_person(client, "Dora")
    account, send = person.sealed.account, sender(client, person.user)
    transport = HttpTransport(send)
    costly = account.state.after(account.envelope, kdf=replace(KdfParameters(), passes=4))
    envelope = costly.envelope(account.identity)
    stored = await in_thread(transport.get, pins_name(person.id))
    body = {"wraps": account.wraps.to_bytes(), "pins": stored, "pins_before": digest(stored), "verifier": bytes(32)}
    house = House(client, {"dora": person}, None, uuid4())  # type: ignore[arg-type]
    assert (await house.send("dora", "PUT", "/v1/vault/sealed/account", body | {"state": envelope})).status_code == 200

    cheaper = costly.after(envelope, kdf=KdfParameters()).envelope(account.identity)
    code = await house.code("dora", "PUT", "/v1/vault/sealed/account", body | {"state": cheaper})

    assert code == (422, "weak-sealed-password")
    again = {"state": account.envelope, "verifier": bytes(32), "recovery_verifier": bytes(32)}
    again |= {name: body[name] for name in ("wraps", "pins")}
    assert await house.code("dora", "POST", "/v1/vault/sealed/account", again) == (409, "sealed-account-exists")


async def test_an_account_is_its_own_persons(house: House):
    stranger = await make_user()
    alice = house.people["alice"]
    account = alice.sealed.account
    body = {"state": account.envelope, "wraps": account.wraps.to_bytes(), "pins": account.wraps.password}
    body |= {"verifier": bytes(32), "recovery_verifier": bytes(32)}

    response = await house.client.post(
        "/v1/vault/sealed/account", json=encoded(body), headers=auth(stranger) | {"Content-Type": "application/json"}
    )

    assert (response.status_code, response.json()["code"]) == (422, "sealed-invalid")


async def test_a_key_is_guessed_a_few_times_only(house: House):
    guess = {"key": bytes(32)}
    path = "/v1/vault/sealed/account/unlock"
    with changed_settings(sealed_tries=2):
        codes = [await house.code("mallory", "POST", path, guess) for _ in range(3)]

    assert [status for status, _ in codes] == [403, 403, 429]


# ---- vaults and files


async def test_a_vault_is_not_made_by_what_is_not_its_makers(house: House):
    method, path, body = await house.honest("alice", lambda device: device.create_vault())
    vault = UUID(body["vault_id"])
    first = MemberList(vault, 1, bytes(32), 1, bytes(32), bytes(32), house.vault.members, house.people["alice"].id)
    two = first.envelope(house.people["alice"].sealed.account.identity)

    for change, expected in (
        ({"members": two}, (422, "sealed-invalid")),
        ({"wraps": {}}, (422, "wraps-incomplete")),
        ({"vault_id": str(house.vault.id)}, (422, "sealed-invalid")),
        ({"name": "Family papers"}, (422, "unprocessable")),
        ({"members": b"Alice"}, (422, "unknown-suite")),
    ):
        assert await house.code("alice", method, path, body | change) == expected
    assert await house.code("bob", method, path, body) == (422, "sealed-invalid")
    assert (await house.send("alice", method, path, body)).status_code == 201
    assert await house.code("alice", method, path, body) == (409, "sealed-id-taken")


async def test_a_chunk_is_sealed_written_once_and_not_too_large(house: House):
    path, octets = f"{VAULTS}/{house.vault.id}/files/{uuid4()}/chunks/0", {"Content-Type": "application/octet-stream"}
    chunk = SUITE + bytes(CHUNK_OVERHEAD_BYTES)

    async def write(content: bytes) -> int:
        mine = auth(house.people["bob"].user) | octets
        return (await house.client.put(path, content=content, headers=mine)).status_code

    assert await write(b"a page in clear") == 422
    assert await write(SUITE) == 422
    assert await write(SUITE + bytes(LARGEST_CHUNK + CHUNK_OVERHEAD_BYTES)) == 413
    assert [await write(chunk), await write(chunk), await write(chunk + b"x")] == [204, 204, 409]
    with changed_settings(max_sealed_bytes=1024 * 1024):
        assert await write(chunk) == 204
    far = path.removesuffix("0") + "1000000"
    assert (
        await house.client.put(far, content=chunk, headers=auth(house.people["bob"].user) | octets)
    ).status_code == 413
    got = await house.client.get(path, headers=auth(house.people["alice"].user))
    assert got.content == chunk
    assert (
        await house.client.delete(path.rpartition("/chunks")[0], headers=auth(house.people["bob"].user))
    ).status_code == 204
    assert (await house.client.get(path, headers=auth(house.people["alice"].user))).status_code == 404


async def test_what_was_changed_was_honest_before(house: House):
    for act in (put(house), admit(house)):
        method, path, body = await house.honest("alice", act)
        assert (await house.send("alice", method, path, body)).status_code in (200, 201)
    await in_thread(house.vault.refresh)
    method, path, body = await house.honest("alice", remove(house))
    assert (await house.send("alice", method, path, body)).status_code == 201
