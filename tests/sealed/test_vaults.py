"""A sealed vault in the hands of honest people on an honest server."""

from datetime import date
from uuid import uuid4

import pytest

from app.sealed.client import SealedClient
from app.sealed.due import day_key, due_token
from app.sealed.errors import Conflict, KeyNotVerified, NotAllowed
from app.sealed.files import LARGEST_CHUNK, SMALLEST_CHUNK
from app.sealed.item_keys import epoch_of, open_item_keys
from app.sealed.members import Role
from app.sealed.names import chain_name, item_keys_name, wrap_name
from app.sealed.pins import Pins
from app.sealed.search import ItemIndex, terms
from app.sealed.transport import MemoryTransport
from tests.sealed.conftest import SCAN, Crash, Failing, introduce


def test_members_read_what_others_wrote_and_every_earlier_revision(family):
    vault = family.open("bob")

    vault.items.put({"title": "Passport", "number": "X3"}, family.passport)

    other = family.open("carol").items
    assert other.open(family.passport)["number"] == "X3"
    assert other.open(family.passport, 1)["number"] == "X1"
    assert [fields["number"] for _, fields in other.history(family.passport)] == ["X1", "X2", "X3"]
    assert [each.author for each, _ in other.history(family.passport)][2] == family.accounts["bob"].id


def test_the_server_holds_nothing_that_was_written(family):
    said = (b"Passport", b"title", b"Last will", b"blue folder", b"last page", b"number")

    for blob in family.server.blobs.values():
        assert not any(each in blob for each in said)


def test_a_deleted_item_ends_with_a_signed_revision_and_keeps_its_history(family):
    vault = family.open("alice")
    vault.items.delete(family.will)

    assert vault.items.is_deleted(family.will)
    assert vault.items.open(family.will) == {}
    assert vault.items.open(family.will, 1)["title"] == "Last will"
    assert family.will not in vault.index().search("will")


def test_a_viewer_reads_and_does_not_write(family):
    alice = family.open("alice")
    alice.change_role(family.accounts["bob"].id, Role.VIEWER)
    bob = family.open("bob")

    assert bob.items.open(family.will)["title"] == "Last will"
    with pytest.raises(NotAllowed):
        bob.items.put({"title": "mine"})
    with pytest.raises(NotAllowed):
        bob.remove_member(family.accounts["carol"].id)


def test_an_admin_can_not_touch_owners_and_the_last_owner_stays(family):
    carol, alice = family.open("carol"), family.open("alice")

    with pytest.raises(NotAllowed):
        carol.remove_member(family.accounts["alice"].id)
    with pytest.raises(NotAllowed):
        carol.change_role(family.accounts["carol"].id, Role.OWNER)
    with pytest.raises(NotAllowed):
        alice.change_role(family.accounts["alice"].id, Role.VIEWER)


def test_nobody_is_let_in_whose_words_were_not_compared(family):
    alice, mallory = family.client("alice"), family.accounts["mallory"]

    with pytest.raises(KeyNotVerified):
        alice.open_vault(family.vault).add_member(mallory.id, Role.VIEWER)
    with pytest.raises(KeyNotVerified):
        alice.trust(mallory.id, alice.fingerprint)


def test_a_member_can_not_be_let_in_twice(family):
    with pytest.raises(NotAllowed):
        family.open("alice").add_member(family.accounts["bob"].id, Role.ADMIN)


def test_who_is_let_in_later_reads_everything_from_before(family):
    alice, mallory = family.client("alice"), family.client("mallory")
    introduce(alice, mallory)
    alice.open_vault(family.vault).add_member(mallory.id, Role.VIEWER)

    joined = mallory.join_vault(family.vault, alice.id)

    assert joined.verify([family.scan]) == 3


def test_who_is_removed_gets_no_key_any_more_and_new_writing_has_new_keys(family):
    bob, alice = family.open("bob"), family.open("alice")
    old = dict(bob.keyring.secrets)

    moved = alice.remove_member(family.accounts["bob"].id)
    alice.items.put({"title": "Passport", "number": "new"}, family.passport)

    assert moved == 2
    with pytest.raises(NotAllowed):
        bob.refresh()
    assert family.server.names(f"vaults/{family.vault}/wraps/1/") == []
    assert wrap_name(family.vault, 2, family.accounts["bob"].id) not in family.server.blobs
    for item in (family.passport, family.will):
        with pytest.raises(Conflict):
            open_item_keys(family.vault, item, old, family.server.get(item_keys_name(family.vault, item)))
    born = [key.born for key in alice.items._keys(family.passport)]
    assert born == [1, 2]
    assert family.open("carol").verify([family.scan]) == 4


@pytest.mark.parametrize("answer_lost", [False, True])
def test_a_removal_cut_off_at_any_write_loses_nothing_and_goes_on(family, answer_lost):
    bob, crashes = family.accounts["bob"].id, 0
    for writes in range(10):
        server = Failing(family.server.blobs, writes, answer_lost=answer_lost)
        try:
            family.open("alice", server).remove_member(bob)
        except Crash:
            crashes += 1
        honest = MemoryTransport(server.blobs)
        alice = family.open("alice", honest)
        assert alice.verify([family.scan]) == 3
        if alice.keyring.head.has(bob):
            alice.remove_member(bob)
        alice.finish_epoch()
        assert {epoch_of(honest.get(item_keys_name(family.vault, item))) for item in alice.items.ids()} == {2}
        assert chain_name(family.vault, 1) not in honest.blobs
        assert family.open("carol", honest).verify([family.scan]) == 3
        if crashes <= writes:
            break
    assert crashes == 4  # the list, two items, the chain


def test_a_vault_key_can_be_renewed_any_number_of_times(family):
    alice = family.open("alice")
    for _ in range(5):
        alice.renew_key()

    alice.refresh()
    assert list(alice.keyring.secrets) == [alice.keyring.head.epoch] == [6]
    assert family.open("bob").verify([family.scan]) == 3


def test_two_writers_at_once_do_not_lose_a_revision(family):
    alice, bob = family.open("alice"), family.open("bob")

    class Late(MemoryTransport):
        """Alice's server is slow: Bob's write arrives in between."""

        def put(self, changes, expected) -> None:
            family.server.put = original
            bob.items.put({"title": "Passport", "number": "Bob's"}, family.passport)
            original(changes, expected)

    original = family.server.put
    family.server.put = Late.put.__get__(family.server)
    with pytest.raises(Conflict):
        alice.items.put({"title": "Passport", "number": "Alice's"}, family.passport)

    alice.items.put({"title": "Passport", "number": "Alice's"}, family.passport)
    numbers = [fields["number"] for _, fields in alice.items.history(family.passport)]
    assert numbers == ["X1", "X2", "Bob's", "Alice's"]


def test_a_writer_who_missed_a_removal_must_look_again(family):
    bob = family.open("bob")
    family.open("alice").remove_member(family.accounts["carol"].id)

    with pytest.raises(Conflict):
        bob.items.put({"title": "Passport"}, family.passport)
    with pytest.raises(Conflict):
        bob.items.put({"title": "a new one"})
    bob.refresh()
    bob.items.put({"title": "Passport"}, family.passport)


@pytest.mark.parametrize("size", [0, 1, SMALLEST_CHUNK - 1, SMALLEST_CHUNK, SMALLEST_CHUNK + 1, 3 * SMALLEST_CHUNK])
@pytest.mark.parametrize("part", [1_000_003, 4_096])
def test_files_of_every_size_come_back(family, size, part):
    vault, data = family.open("alice"), bytes(number % 253 for number in range(size))

    ref = vault.put_file((data[at : at + part] for at in range(0, size, part)), SMALLEST_CHUNK)

    assert b"".join(vault.open_file(ref)) == data
    assert ref.chunks == len(family.server.names(f"vaults/{family.vault}/files/{ref.file}/"))
    assert b"".join(vault.open_file(type(ref).from_text(ref.to_text()))) == data
    assert ref.secret.hex() not in repr(ref)


def test_a_file_may_have_the_largest_chunks(family):
    vault = family.open("alice")
    ref = vault.put_file(SCAN, LARGEST_CHUNK)

    assert (ref.chunks, b"".join(vault.open_file(ref))) == (1, b"".join(SCAN))


def test_search_finds_words_by_their_beginning_without_case_and_marks(family):
    vault = family.open("alice")
    pension = vault.items.put({"title": "Rentenversicherung Müller", "note": "Zusatz zur Passport-Kopie"})
    index = vault.index()

    assert index.search("MULLER renten") == [pension]
    assert index.search("passport") == [family.passport, pension]  # a title counts more than a note
    assert index.search("pass blue") == []
    assert index.search("  ") == []
    index.remove(pension)
    assert index.search("muller") == []
    assert terms("Ærøskøbing, Žižkov!") == ["ærøskøbing", "zizkov"]
    assert ItemIndex().search("x") == []


def test_due_tokens_are_equal_for_members_and_tell_nobody_the_day(family):
    first = date(2027, 2, 27)
    tokens = family.open("alice").due_tokens(first, 3)

    assert tokens == family.open("bob").due_tokens(first, 3)
    assert len(set(tokens)) == 3
    key = day_key(family.vault, 1, family.open("bob").keyring.secret)
    assert tokens[2] == due_token(key, date(2027, 3, 1))
    assert due_token(day_key(uuid4(), 1, family.open("bob").keyring.secret), first) != tokens[0]


def test_pins_survive_being_written_down_and_are_merged(family):
    pins = family.pins("alice")

    assert Pins.from_bytes(pins.to_bytes()) == pins
    other = Pins()
    other.merge(pins)
    assert (other.vaults, other.items, other.contacts) == (pins.vaults, pins.items, pins.contacts)


def test_a_contact_who_changed_keys_is_compared_anew(family):
    alice, bob = family.client("alice"), family.client("bob")
    bob.rotate_keys("rotated")

    with pytest.raises(KeyNotVerified):
        alice.trust(bob.id, family.client("bob").fingerprint)
    alice.trust(bob.id, bob.fingerprint)
    assert alice.pins.contacts[bob.id] == bob.account.identity.public


def test_what_one_device_learned_the_next_device_knows(family):
    alice = family.client("alice")
    vault = alice.open_vault(family.vault)
    vault.items.put({"title": "Passport", "number": "X3"}, family.passport)
    alice.save()

    fresh = SealedClient(family.server, family.accounts["alice"])._with_stored_pins()

    assert fresh.pins.item(family.vault, family.passport).counter == 3
    assert fresh.open_vault(family.vault).verify() == 4
