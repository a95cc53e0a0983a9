"""A server that does what it likes with what it holds, against a client that opens nothing it should not."""

import os
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from app.sealed.box import Key, new_key
from app.sealed.client import SealedClient
from app.sealed.encoding import NO_DIGEST, digest, number, pack
from app.sealed.errors import (
    Conflict,
    KeyChanged,
    KeyNotVerified,
    Missing,
    NotAllowed,
    RolledBack,
    SealedError,
    Tampered,
    UnsupportedSuite,
)
from app.sealed.identity import Identity
from app.sealed.item_keys import ItemKey, wrap_item_keys
from app.sealed.keyring import Keyring, seal_link
from app.sealed.members import Member, MemberList, Role, check_successor, key_check
from app.sealed.names import (
    chain_name,
    closing_name,
    item_keys_name,
    members_name,
    revision_name,
    state_name,
    wrap_name,
)
from app.sealed.pins import Pins
from app.sealed.revision import Place, new_revision, read_revision
from app.sealed.transport import MemoryTransport
from app.sealed.vault import create_vault
from app.sealed.wrap import wrap_epoch_key
from tests.sealed.conftest import Family, introduce


def signed_list(family: Family, by: str, **changes: object) -> bytes:
    """A list that goes on from the present one, changed as said and signed by this person."""
    head = family.open("alice").keyring.head
    account = family.accounts[by]
    after = replace(head, counter=head.counter + 1, previous=head.digest(), signer=account.id)
    return replace(after, **changes).envelope(account.identity)


def show_next(family: Family, envelope: bytes) -> None:
    counter = family.open("alice").keyring.head.counter + 1
    family.server.blobs[members_name(family.vault, counter)] = envelope


def entry(family: Family, name: str, role: Role = Role.VIEWER) -> Member:
    return Member(family.accounts[name].identity.public, role)


# Public keys of others


def test_substituted_keys_of_a_new_member_are_refused(family):
    alice, mallory = family.client("alice"), family.client("mallory")
    introduce(alice, mallory)
    forged = Identity.new(mallory.id)
    family.server.blobs[state_name(mallory.id)] = replace(
        family.accounts["mallory"].state, identity=forged.public
    ).envelope(forged)

    with pytest.raises(KeyChanged):
        alice.open_vault(family.vault).add_member(mallory.id, Role.VIEWER)


def test_keys_shown_in_place_of_those_that_were_compared_are_refused(family):
    alice, mallory = family.client("alice"), family.accounts["mallory"]
    bob = family.accounts["bob"].id
    family.server.blobs[state_name(bob)] = family.server.blobs[state_name(mallory.id)]

    with pytest.raises(KeyNotVerified):
        alice.trust(bob, mallory.identity.public.fingerprint)


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
def test_a_key_of_low_order_that_gives_everybody_the_secret_is_refused(family, point):
    alice, mallory = family.accounts["alice"].identity, family.accounts["mallory"].identity.public

    with pytest.raises(KeyNotVerified):
        wrap_epoch_key(alice, replace(mallory, exchange=point), family.vault, 1, os.urandom(32))


# The list of members


def test_a_member_added_by_the_server_is_refused(family):
    members = (*family.open("alice").members, entry(family, "mallory"))
    show_next(family, signed_list(family, "mallory", members=members))

    with pytest.raises(Tampered):
        family.open("alice")


def test_a_member_added_by_a_viewer_or_editor_is_refused(family):
    members = (*family.open("alice").members, entry(family, "mallory"))
    show_next(family, signed_list(family, "bob", members=members))

    with pytest.raises(NotAllowed):
        family.open("alice")


def test_an_unsigned_list_is_refused(family):
    name = members_name(family.vault, 3)
    family.server.blobs[name] = family.server.blobs[name][:-64] + bytes(64)

    with pytest.raises(Tampered):
        family.open("alice")


def test_an_editor_who_makes_himself_admin_is_refused(family):
    members = tuple(
        replace(each, role=Role.ADMIN) if each.identity.account == family.accounts["bob"].id else each
        for each in family.open("alice").members
    )
    show_next(family, signed_list(family, "bob", members=members))

    with pytest.raises(NotAllowed):
        family.open("alice")


def test_an_admin_who_replaces_another_members_keys_is_refused(family):
    forged = Identity.new(family.accounts["bob"].id).public
    members = tuple(
        replace(each, identity=forged) if each.identity.account == forged.account else each
        for each in family.open("alice").members
    )
    show_next(family, signed_list(family, "carol", members=members))

    with pytest.raises(NotAllowed):
        family.open("alice")


def test_a_removal_that_keeps_the_key_is_refused(family):
    members = tuple(each for each in family.open("alice").members if each.identity.account != family.accounts["bob"].id)
    show_next(family, signed_list(family, "alice", members=members))

    with pytest.raises(NotAllowed):
        family.open("carol")


def test_a_demotion_that_keeps_the_epoch_is_refused(family):
    members = tuple(
        replace(each, role=Role.VIEWER) if each.identity.account == family.accounts["bob"].id else each
        for each in family.open("alice").members
    )
    show_next(family, signed_list(family, "alice", members=members))

    with pytest.raises(NotAllowed):
        family.open("carol")


def test_a_list_that_names_a_person_twice_is_refused(family):
    members = (*family.open("alice").members, entry(family, "bob", Role.OWNER))
    show_next(family, signed_list(family, "alice", members=members))

    with pytest.raises(Tampered):
        family.open("carol")


def test_another_key_within_an_epoch_is_refused(family):
    show_next(family, signed_list(family, "alice", key_check=os.urandom(32)))

    with pytest.raises(Tampered):
        family.open("carol")


@pytest.mark.parametrize("epoch", [0, 3, 2**63])
def test_an_epoch_that_is_not_the_next_one_is_refused(family, epoch):
    head, alice = family.open("alice").keyring.head, family.accounts["alice"]
    after = replace(head, counter=head.counter + 1, previous=head.digest(), epoch=epoch, signer=alice.id)

    with pytest.raises(Tampered):
        check_successor(head, after)


def test_a_skipped_list_is_refused(family):
    head = family.open("alice").keyring.head
    account = family.accounts["alice"]
    skipped = replace(head, counter=head.counter + 2, previous=head.digest(), signer=account.id)
    show_next(family, skipped.envelope(account.identity))

    with pytest.raises(Tampered):
        family.open("alice")


def test_a_rolled_back_list_is_refused_so_that_who_was_removed_stays_out(family):
    before = dict(family.server.blobs)
    alice = family.client("alice")
    alice.open_vault(family.vault).remove_member(family.accounts["bob"].id)

    with pytest.raises(RolledBack):
        SealedClient(MemoryTransport(before), family.accounts["alice"], alice.pins).open_vault(family.vault)


def test_a_removed_member_kept_in_a_forked_list_is_refused(family):
    fork = signed_list(family, "carol")
    alice = family.client("alice")
    alice.open_vault(family.vault).remove_member(family.accounts["bob"].id)
    counter = alice.pins.vaults[family.vault].latest.counter
    family.server.blobs[members_name(family.vault, counter)] = fork

    with pytest.raises(Tampered):
        alice.open_vault(family.vault)


def test_a_vault_that_was_never_joined_is_not_opened(family):
    with pytest.raises(KeyNotVerified):
        family.client("mallory").open_vault(family.vault)


def test_another_vault_in_place_of_ours_is_refused(family):
    mallory = family.client("mallory")
    (other,) = mallory.pins.vaults
    for counter in range(1, 10):
        family.server.blobs.pop(members_name(family.vault, counter), None)
    family.server.blobs[members_name(family.vault, 1)] = family.server.blobs[members_name(other, 1)]

    with pytest.raises(Tampered):
        family.open("alice")


def invite_mallory(family: Family) -> SealedClient:
    alice, mallory = family.client("alice"), family.client("mallory")
    introduce(alice, mallory)
    alice.open_vault(family.vault).add_member(mallory.id, Role.EDITOR)
    return mallory


def test_an_invitation_into_a_vault_that_the_server_made_up_is_refused(family):
    """The server copies the inviter's public keys and her real wrap into lists that it signs itself."""
    guest, server = invite_mallory(family), Identity.new(uuid4())
    real = family.open("alice").keyring.head
    first = MemberList(
        family.vault, 1, NO_DIGEST, 1, real.key_check, NO_DIGEST, (Member(server.public, Role.OWNER),), server.account
    )
    second = replace(first, counter=2, previous=first.digest(), members=(*first.members, *real.members))
    for counter in range(1, 10):
        family.server.blobs.pop(members_name(family.vault, counter), None)
    family.server.blobs[members_name(family.vault, 1)] = first.envelope(server)
    family.server.blobs[members_name(family.vault, 2)] = second.envelope(server)

    with pytest.raises(KeyNotVerified):
        guest.join_vault(family.vault, family.accounts["alice"].id)


def test_an_invitation_by_somebody_who_was_not_compared_is_refused(family):
    guest = invite_mallory(family)

    with pytest.raises(KeyNotVerified):
        guest.join_vault(family.vault, family.accounts["carol"].id)
    assert guest.join_vault(family.vault, family.accounts["alice"].id).verify() == 3


def test_an_inviter_whose_keys_the_server_replaced_is_refused(family):
    guest, alice = invite_mallory(family), family.accounts["alice"]
    forged = Identity.new(alice.id)
    family.server.blobs[state_name(alice.id)] = replace(alice.state, identity=forged.public).envelope(forged)

    with pytest.raises(KeyChanged):
        guest.join_vault(family.vault, alice.id)


# Wraps of the vault's key


def test_a_wrap_that_nobody_allowed_signed_is_refused(family):
    bob = family.accounts["bob"].identity
    secret = family.open("bob").keyring.secret
    for forger in (
        Identity.new(uuid4()),
        family.accounts["mallory"].identity,
        Identity.new(family.accounts["alice"].id),
    ):
        family.server.blobs[wrap_name(family.vault, 1, bob.account)] = wrap_epoch_key(
            forger, bob.public, family.vault, 1, secret
        )
        with pytest.raises(Tampered):
            family.open("bob")


def test_a_wrap_by_an_editor_for_somebody_else_is_refused(family):
    carol = family.accounts["carol"].identity.public
    family.server.blobs[wrap_name(family.vault, 1, carol.account)] = wrap_epoch_key(
        family.accounts["bob"].identity, carol, family.vault, 1, family.open("bob").keyring.secret
    )

    with pytest.raises(Tampered):
        family.open("carol")


def test_an_unsigned_wrap_is_refused(family):
    name = wrap_name(family.vault, 1, family.accounts["bob"].id)
    family.server.blobs[name] = family.server.blobs[name][:-64] + bytes(64)

    with pytest.raises(Tampered):
        family.open("bob")


@pytest.mark.parametrize("place", ["recipient", "epoch", "vault"])
def test_a_wrap_for_another_recipient_epoch_or_vault_is_refused(family, place):
    alice, bob = family.accounts["alice"].identity, family.accounts["bob"].identity
    recipient = family.accounts["carol"].identity.public if place == "recipient" else bob.public
    vault, epoch = uuid4() if place == "vault" else family.vault, 2 if place == "epoch" else 1
    wrap = wrap_epoch_key(alice, recipient, vault, epoch, family.open("bob").keyring.secret)
    family.server.blobs[wrap_name(family.vault, 1, bob.account)] = wrap

    with pytest.raises(Tampered):
        family.open("bob")


def test_another_key_for_one_member_than_for_the_others_is_refused(family):
    """Even an admin can't split the family into two vaults that look like one."""
    bob = family.accounts["bob"].identity.public
    family.server.blobs[wrap_name(family.vault, 1, bob.account)] = wrap_epoch_key(
        family.accounts["carol"].identity, bob, family.vault, 1, os.urandom(32)
    )

    with pytest.raises(Tampered):
        family.open("bob")


def test_a_hidden_wrap_is_an_error_and_not_an_empty_vault(family):
    del family.server.blobs[wrap_name(family.vault, 1, family.accounts["bob"].id)]

    with pytest.raises(Missing):
        family.open("bob")


def test_a_wrap_of_an_unknown_suite_is_refused(family):
    name = wrap_name(family.vault, 1, family.accounts["bob"].id)
    for head in (b"\x00\x01", b"\x01\x00", b"\x01\x02"):
        family.server.blobs[name] = head + family.server.blobs[name][2:]
        with pytest.raises(UnsupportedSuite):
            family.open("bob")


def test_a_forged_link_between_epochs_is_refused(family):
    alice = family.open("alice")
    old = alice.keyring.secret
    alice.renew_key()
    forged = os.urandom(32)
    for secret, by in ((forged, alice.keyring.secret), (old, forged)):
        family.server.blobs[chain_name(family.vault, 1)] = seal_link(family.vault, 1, secret, by)
        with pytest.raises(Tampered):
            family.open("carol")


def key_of(family: Family, item: UUID) -> Key:
    return family.open("carol").items._keys(item)[-1].key


# Who was removed, together with the server


@pytest.fixture
def removed(family) -> tuple[Family, Keyring]:
    """Bob is out, and gives the server all that he knew."""
    known = family.open("bob").keyring
    carol = family.client("carol")
    family.open("alice").remove_member(family.accounts["bob"].id)
    carol.open_vault(family.vault).verify()
    family.seen["carol"] = carol.pins.to_bytes()
    return family, known


def test_a_revision_written_after_a_removal_is_refused(removed):

    family, known = removed
    name = revision_name(family.vault, family.passport, 2)
    before = read_revision(family.server.get(name))
    keys = family.open("carol").items._keys(family.passport)
    for revision, item, previous in ((3, family.passport, before.digest()), (1, uuid4(), NO_DIGEST)):
        family.server.blobs[revision_name(family.vault, item, revision)] = new_revision(
            family.accounts["bob"].identity,
            keys[0].key,
            Place(family.vault, item, "", revision),
            {"title": "I was never gone"},
            previous=previous,
            members_counter=known.head.counter,
        )
        family.server.blobs[item_keys_name(family.vault, item)] = wrap_item_keys(
            family.vault, item, 1, known.secret, keys
        )
        with pytest.raises(Tampered):
            family.open("carol").items.open(item)


def test_a_revision_that_names_a_list_without_its_author_is_refused(removed):

    family, known = removed
    before = read_revision(family.server.get(revision_name(family.vault, family.passport, 2)))
    family.server.blobs[revision_name(family.vault, family.passport, 3)] = new_revision(
        family.accounts["bob"].identity,
        key_of(family, family.passport),
        Place(family.vault, family.passport, "", 3),
        {"title": "I was never gone"},
        previous=before.digest(),
        members_counter=known.head.counter + 1,
    )

    with pytest.raises(NotAllowed):
        family.open("carol").items.open(family.passport)


def family_key(family: Family):
    return family.open("carol").items._keys(family.passport)[-1].key


def test_an_item_key_that_the_removed_member_knows_is_not_used_for_new_writing(removed):
    """Old epoch key, kept by the server: it would pass off a key of Bob's as born in the new epoch."""

    family, known = removed
    carol = family.open("carol")
    family.server.blobs[chain_name(family.vault, 1)] = seal_link(family.vault, 1, known.secret, carol.keyring.secret)
    name = item_keys_name(family.vault, family.passport)
    family.server.blobs[name] = wrap_item_keys(
        family.vault,
        family.passport,
        1,
        known.secret,
        (ItemKey(key_of(family, family.passport), 1), ItemKey(new_key(), 2)),
    )

    with pytest.raises(Tampered):
        family.open("carol").items.put({"title": "for the family"}, family.passport)


def test_a_replaced_closing_of_an_epoch_is_refused(removed):
    family, _ = removed
    family.server.blobs[closing_name(family.vault, 1)] = pack()

    with pytest.raises(Tampered):
        family.open("carol").items.open(family.passport)


@pytest.mark.parametrize("revision", [2, 3], ids=["in place of the last", "after the last"])
def test_a_backdated_revision_is_refused_also_by_a_device_that_never_saw_the_item(removed, revision):
    """Bob writes as if before his removal, and the server puts that into the closing of the epoch."""
    family, known = removed
    key, bob = key_of(family, family.passport), family.accounts["bob"].identity
    before = read_revision(family.server.get(revision_name(family.vault, family.passport, revision - 1)))
    place, counter = Place(family.vault, family.passport, "", revision), known.head.counter
    fields = {"title": "always been so"}
    blob = new_revision(bob, key, place, fields, previous=before.digest(), members_counter=counter)
    family.server.blobs[revision_name(family.vault, family.passport, revision)] = blob
    fresh = Pins(vaults=family.pins("carol").vaults)
    vault = SealedClient(family.server, family.accounts["carol"], fresh).open_vault(family.vault)

    with pytest.raises(Tampered):
        vault.items.open(family.passport)
    entry = pack(family.passport.bytes, number(revision), read_revision(blob).digest())
    family.server.blobs[closing_name(family.vault, 1)] = pack(entry)
    vault.refresh()
    with pytest.raises(Tampered):
        vault.items.open(family.passport)


def test_the_removed_member_can_not_sign_the_next_list(removed):
    family, known = removed
    bob = family.accounts["bob"]
    head = family.open("carol").keyring.head
    for before in (known.head, head):
        back = replace(
            before, counter=head.counter + 1, previous=before.digest(), signer=bob.id, members=known.head.members
        )
        family.server.blobs[members_name(family.vault, head.counter + 1)] = back.envelope(bob.identity)
        with pytest.raises(Tampered):
            family.open("carol")


# Anything anywhere


def test_whatever_blob_of_the_vault_is_altered_the_client_notices(family):
    """Every blob that is read when everything is opened, each changed at twenty places."""
    prefix = f"vaults/{family.vault}/"
    names = [
        name
        for name in family.server.names(prefix)
        if not name.endswith("/clock")
        and (not name.startswith(f"{prefix}wraps") or str(family.accounts["bob"].id) in name)
    ]
    for name in names:
        genuine = family.server.blobs[name]
        for place in range(0, len(genuine), max(1, len(genuine) // 20)):
            altered = bytearray(genuine)
            altered[place] ^= 1 + place % 255
            with pytest.raises(SealedError):
                verify(family, family.server.blobs | {name: bytes(altered)})
        for other in (genuine[:-1], genuine + b"\x00", b""):
            with pytest.raises(SealedError):
                verify(family, family.server.blobs | {name: other})


def read_by_bob(family: Family) -> list[str]:
    """All of the vault but the clock, which only orders writes, and the wraps of others."""
    names = family.server.names(f"vaults/{family.vault}/")
    mine = wrap_name(family.vault, 1, family.accounts["bob"].id)
    return [name for name in names if name == mine or not ("/wraps/" in name or name.endswith("/clock"))]


def verify(family: Family, blobs: dict[str, bytes]) -> int:
    return family.open("bob", MemoryTransport(blobs)).verify([family.scan])


def test_whatever_two_blobs_of_a_kind_are_swapped_the_client_notices(family):
    alice = family.open("alice")
    for each in range(5):
        alice.items.put({"title": f"Note {each}"})
    kinds: dict[tuple[str, int], list[str]] = {}
    for name in family.server.names(f"vaults/{family.vault}/"):
        if "/wraps/" not in name and not name.endswith("/clock"):
            kinds.setdefault((name.split("/")[2], name.count("/")), []).append(name)
    swaps = [(one, other) for names in kinds.values() for one in names for other in names if one < other]
    assert len(swaps) > 50
    for one, other in swaps:
        blobs = family.server.blobs
        with pytest.raises(SealedError):
            verify(family, blobs | {one: blobs[other], other: blobs[one]})


def test_any_blob_that_is_dropped_is_missed(family):
    for name in read_by_bob(family):
        kept = {key: blob for key, blob in family.server.blobs.items() if key != name}
        with pytest.raises(SealedError):
            verify(family, kept)


@pytest.mark.parametrize("name", ["revisions/x", "revisions/", "revisions/99999999999999999999", "revisions/٣"])
def test_names_that_are_no_numbers_are_refused(family, name):
    family.server.blobs[f"vaults/{family.vault}/items/{family.passport}/{name}"] = b""

    with pytest.raises(Tampered):
        family.open("alice").items.open(family.passport)


def test_items_whose_names_are_no_ids_are_refused(family):
    family.server.blobs[f"vaults/{family.vault}/items/secret/keys"] = b""

    with pytest.raises(Tampered):
        family.open("alice").items.ids()


def test_a_vault_id_that_is_taken_is_not_taken_over(family):
    with pytest.raises(Conflict):
        create_vault(family.server, family.accounts["mallory"], family.vault)


def test_the_check_of_a_key_says_nothing_about_another_epoch_or_vault():
    secret, vault = os.urandom(32), UUID(int=1)

    assert len({key_check(vault, 1, secret), key_check(vault, 2, secret), key_check(UUID(int=2), 1, secret)}) == 3
    assert digest(secret) != key_check(vault, 1, secret)
