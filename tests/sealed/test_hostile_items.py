"""A server that swaps, cuts, replays and forges records, revisions, item keys and files."""

import os
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sealed.box import Key, new_key, seal
from app.sealed.client import SealedClient
from app.sealed.encoding import NO_DIGEST, number, pack, unpack
from app.sealed.errors import Missing, NotAllowed, RolledBack, SealedError, Tampered, UnsupportedSuite
from app.sealed.files import SMALLEST_CHUNK, FileCipher, FileRef
from app.sealed.item_keys import PURPOSE as ITEM_KEY
from app.sealed.item_keys import new_item_key, wrap_item_keys
from app.sealed.members import Role
from app.sealed.names import chunk_name, item_keys_name, revision_name
from app.sealed.pins import Pins
from app.sealed.revision import PURPOSE, Place, Revision, new_revision, open_record, read_revision, seal_record
from tests.sealed.conftest import SCAN, Family

PLACE = Place(UUID(int=1), UUID(int=2), "username", 3)
KEY = new_key()
RECORD = seal_record(KEY, PLACE, b"alice@example.org")


@pytest.mark.parametrize(
    "moved",
    [
        {"field": "password"},
        {"item": UUID(int=9)},
        {"vault": UUID(int=9)},
        {"revision": 2},
        {"revision": 4},
        {"schema": 2},
    ],
    ids=["field", "item", "vault", "older revision", "newer revision", "schema"],
)
def test_a_record_at_another_place_is_refused(moved):
    assert open_record(KEY, PLACE, RECORD) == b"alice@example.org"
    with pytest.raises(Tampered):
        open_record(KEY, replace(PLACE, **moved), RECORD)


@given(st.binary(max_size=300), st.data())
def test_no_altered_record_opens(plaintext, data):
    record = bytearray(seal_record(KEY, PLACE, plaintext))
    record[data.draw(st.integers(0, len(record) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SealedError):
        open_record(KEY, PLACE, bytes(record))


def test_500_swaps_of_records_are_refused():
    places = [Place(UUID(int=1), UUID(int=item), field, 1) for item in range(50) for field in "abcdefghijk"]
    records = [seal_record(KEY, place, place.field.encode()) for place in places]

    refused = 0
    for place, record in zip(places, records[1:], strict=False):
        try:
            open_record(KEY, place, record)
        except Tampered:
            refused += 1
    assert refused == len(places) - 1 > 500


# Revisions: what is signed


def forge(family: Family, blob: bytes, revision: int, item: UUID | None = None) -> None:
    family.server.blobs[revision_name(family.vault, item or family.passport, revision)] = blob


def blob_of(family: Family, revision: int) -> bytes:
    return family.server.blobs[revision_name(family.vault, family.passport, revision)]


def test_two_fields_of_an_item_that_the_server_swapped_are_refused(family):
    envelope, names, title, number_, *rest = unpack(blob_of(family, 2))
    forge(family, pack(envelope, names, number_, title, *rest), 2)

    with pytest.raises(Tampered):
        family.open("bob").items.open(family.passport)


def test_swapped_fields_that_a_member_signed_again_are_refused_too(family):
    """Mallory, a member this time, can't make a reader see the number as the title: the place is sealed in."""
    bob = family.accounts["bob"].identity
    before = read_revision(blob_of(family, 2))
    names, title, number_, *rest = before.records
    swapped = replace(before, author=bob.account, records=(names, number_, title, *rest))
    forge(family, pack(bob.envelope(PURPOSE, swapped.body()), *swapped.records), 2)
    fresh = Pins(vaults=family.pins("carol").vaults)

    with pytest.raises(Tampered):
        SealedClient(family.server, family.accounts["carol"], fresh).open_vault(family.vault).items.open(
            family.passport
        )


def test_the_record_of_an_earlier_revision_is_refused(family):
    old, (envelope, names, title, _, *rest) = unpack(blob_of(family, 1)), unpack(blob_of(family, 2))
    forge(family, pack(envelope, names, title, old[3], *rest), 2)

    with pytest.raises(Tampered):
        family.open("bob").items.open(family.passport)


def test_an_earlier_revision_in_place_of_the_newest_is_refused(family):
    forge(family, blob_of(family, 1), 2)

    with pytest.raises(Tampered):
        family.open("bob").items.open(family.passport)


def test_a_hidden_newest_revision_is_refused_by_who_has_seen_it(family):
    del family.server.blobs[revision_name(family.vault, family.passport, 2)]

    with pytest.raises(RolledBack):
        family.open("bob").items.open(family.passport)


def test_a_hidden_item_is_missed(family):
    for name in family.server.names(f"vaults/{family.vault}/items/{family.will}"):
        del family.server.blobs[name]

    with pytest.raises(RolledBack):
        family.open("bob").items.ids()
    with pytest.raises(RolledBack):
        family.open("bob").items.open(family.will)


def test_a_fork_of_the_history_is_refused(family):
    """Bob and the server write another second revision than the one that Carol has seen."""
    bob, first = family.accounts["bob"].identity, read_revision(blob_of(family, 1))
    key = family.open("bob").items._keys(family.passport)[0].key
    place = Place(family.vault, family.passport, "", 2)
    forge(
        family,
        new_revision(
            bob, key, place, {"title": "forked"}, previous=first.digest(), members_counter=first.members_counter
        ),
        2,
    )

    with pytest.raises(Tampered):
        family.open("carol").items.open(family.passport)


def test_a_revision_that_does_not_follow_the_one_before_is_refused(family):
    bob, second = family.accounts["bob"].identity, read_revision(blob_of(family, 2))
    key = family.open("bob").items._keys(family.passport)[0].key
    place = Place(family.vault, family.passport, "", 3)
    for previous, counter in ((NO_DIGEST, 3), (second.digest(), 2)):
        forge(
            family,
            new_revision(bob, key, place, {"title": "x"}, previous=previous, members_counter=counter),
            3,
        )
        with pytest.raises(SealedError):
            family.open("carol").items.open(family.passport)


def test_another_item_in_its_place_is_refused(family):
    forge(family, family.server.blobs[revision_name(family.vault, family.will, 1)], 1)

    with pytest.raises(Tampered):
        family.open("bob").items.history(family.passport)


def test_an_item_of_another_vault_is_refused(family):
    (name,) = (each for each in family.server.blobs if each.endswith("revisions/1") and str(family.vault) not in each)
    fake = uuid4()
    forge(family, family.server.blobs[name], 1, fake)

    with pytest.raises(Tampered):
        family.open("bob").items.open(fake)


@pytest.mark.parametrize("forger", ["mallory", "twin"])
def test_a_revision_that_no_member_signed_is_refused(family, forger):
    by = family.accounts["mallory"].identity
    one = read_revision(blob_of(family, 2))
    author = by.account if forger == "mallory" else one.author
    forged = replace(one, author=author)
    forge(family, pack(by.envelope(PURPOSE, forged.body()), *forged.records), 2)

    with pytest.raises((Tampered, NotAllowed)):
        family.open("bob").items.open(family.passport)


def test_a_revision_signed_by_a_viewer_is_refused(family):
    alice = family.open("alice")
    alice.change_role(family.accounts["bob"].id, Role.VIEWER)
    bob, second = family.accounts["bob"].identity, read_revision(blob_of(family, 2))
    key = alice.items._keys(family.passport)[0].key
    place = Place(family.vault, family.passport, "", 3)
    forge(
        family,
        new_revision(
            bob, key, place, {"title": "x"}, previous=second.digest(), members_counter=alice.keyring.head.counter
        ),
        3,
    )

    with pytest.raises(NotAllowed):
        family.open("carol").items.open(family.passport)


def test_a_revision_backdated_to_when_its_author_could_still_write_is_refused(family):
    """Bob was made a viewer; he and the server write as if it had been before."""
    counter, key = family.open("bob").keyring.head.counter, family.open("bob").items._keys(family.passport)[0].key
    carol, second = family.client("carol"), read_revision(blob_of(family, 2))
    family.open("alice").change_role(family.accounts["bob"].id, Role.VIEWER)
    place = Place(family.vault, family.passport, "", 3)
    bob = family.accounts["bob"].identity
    fields = {"title": "as if before"}
    forge(family, new_revision(bob, key, place, fields, previous=second.digest(), members_counter=counter), 3)

    with pytest.raises(Tampered):
        carol.open_vault(family.vault).items.open(family.passport)


def test_records_dropped_added_or_doubled_are_refused(family):
    envelope, names, title, *rest = unpack(blob_of(family, 2))
    for records in ([names, title], [names, title, title, *rest], [names, title, *rest, RECORD], [], [title, *rest]):
        forge(family, pack(envelope, *records), 2)
        with pytest.raises(Tampered):
            family.open("bob").items.open(family.passport)


def test_a_revision_of_an_unknown_suite_is_refused(family):
    envelope, *records = unpack(blob_of(family, 2))
    forge(family, pack(b"\x01\x00" + envelope[2:], *records), 2)

    with pytest.raises(UnsupportedSuite):
        family.open("bob").items.open(family.passport)


def test_a_signature_for_another_purpose_is_refused(family):
    alice, one = family.accounts["alice"].identity, read_revision(blob_of(family, 2))
    forge(family, pack(alice.envelope("members", one.body()), *one.records), 2)

    with pytest.raises(Tampered):
        family.open("bob").items.open(family.passport)


def test_field_names_that_repeat_are_refused():
    key, item = new_key(), uuid4()
    place = Place(UUID(int=1), item, "", 1)
    records = (
        seal_record(key, place, pack(b"a", b"a")),
        seal_record(key, replace(place, field="a"), b"1"),
        seal_record(key, replace(place, field="a"), b"2"),
    )
    one = Revision(place.vault, item, 1, 1, NO_DIGEST, 1, uuid4(), False, records)

    with pytest.raises(Tampered):
        one.open(key)


# Item keys


def test_the_keys_of_another_item_are_refused(family):
    names = [item_keys_name(family.vault, item) for item in (family.passport, family.will)]
    family.server.blobs[names[0]] = family.server.blobs[names[1]]

    with pytest.raises(Tampered):
        family.open("bob").items.open(family.passport)


def test_a_replaced_item_key_is_refused_even_under_the_real_key_of_the_epoch(family):
    """A member and the server together: the records are committed to the key that sealed them."""
    secret = family.open("bob").keyring.secret
    real = family.open("bob").items._keys(family.passport)[0]
    forged = replace(real, key=Key(real.key.id, os.urandom(32)))
    for keys in ((forged,), (new_item_key(1),)):
        blob = wrap_item_keys(family.vault, family.passport, 1, secret, keys)
        family.server.blobs[item_keys_name(family.vault, family.passport)] = blob
        with pytest.raises((Tampered, Missing)):
            family.open("carol").items.open(family.passport)


def test_new_writing_under_a_key_from_before_the_epoch_is_refused(family):
    """A careless client, or one that wants those who left to go on reading."""
    alice, bob = family.open("alice"), family.accounts["bob"].identity
    alice.renew_key()
    second, (key,) = read_revision(blob_of(family, 2)), alice.items._keys(family.passport)
    counter, place = alice.keyring.head.counter, Place(family.vault, family.passport, "", 3)
    fields = {"title": "for those who left"}
    forge(family, new_revision(bob, key.key, place, fields, previous=second.digest(), members_counter=counter), 3)

    with pytest.raises(Tampered):
        family.open("carol").items.open(family.passport)


def test_the_key_of_an_epoch_seals_no_records(family):
    """Key reuse across purposes: a box made with the key of an epoch is not taken for a record or a wrap of another."""
    secret = family.open("bob").keyring.secret
    by = Key(number(1), secret)
    box = seal(by, "record", family.vault.bytes, family.passport.bytes, plaintext=number(1) + new_key().to_bytes())
    family.server.blobs[item_keys_name(family.vault, family.passport)] = b"\x01\x01" + pack(box)

    with pytest.raises(Tampered):
        family.open("bob").items.open(family.passport)
    assert ITEM_KEY != "record"


# Files


def chunks(family: Family) -> list[str]:
    return [chunk_name(family.vault, family.scan.file, index) for index in range(family.scan.chunks)]


def opened(family: Family, ref: FileRef | None = None) -> bytes:
    return b"".join(family.open("bob").open_file(ref or family.scan))


def test_the_file_opens_as_long_as_nobody_touches_it(family):
    assert opened(family) == b"".join(SCAN)


def test_reordered_chunks_are_refused(family):
    names, blobs = chunks(family), family.server.blobs
    blobs[names[0]], blobs[names[1]] = blobs[names[1]], blobs[names[0]]

    with pytest.raises(Tampered):
        opened(family)


def test_a_doubled_chunk_is_refused(family):
    names, blobs = chunks(family), family.server.blobs
    blobs[names[1]] = blobs[names[0]]

    with pytest.raises(Tampered):
        opened(family)


def test_a_dropped_chunk_is_missed(family):
    del family.server.blobs[chunks(family)[1]]

    with pytest.raises(Missing):
        opened(family)


def test_a_file_cut_before_its_last_chunk_is_refused(family):
    """The second-last chunk takes the place of the last one: its flag says that more must follow."""
    names, blobs = chunks(family), family.server.blobs
    blobs[names[3]] = blobs[names[2]]

    with pytest.raises(Tampered):
        opened(family)
    with pytest.raises(Tampered):
        opened(family, replace(family.scan, size=3 * SMALLEST_CHUNK))


def test_chunks_cut_short_or_made_longer_are_refused(family):
    name = chunks(family)[3]
    genuine = family.server.blobs[name]
    for altered in (genuine[:-1], genuine[:17], b"", genuine + b"\x00"):
        family.server.blobs[name] = altered
        with pytest.raises((Tampered, UnsupportedSuite)):
            opened(family)


def test_a_chunk_of_another_file_is_refused(family):
    other = family.open("alice").put_file(SCAN, SMALLEST_CHUNK)
    family.server.blobs[chunks(family)[1]] = family.server.blobs[chunk_name(family.vault, other.file, 1)]

    with pytest.raises(Tampered):
        opened(family)


def test_a_chunk_of_another_vault_file_size_or_suite_is_refused():
    secret, vault, file = os.urandom(32), uuid4(), uuid4()
    chunk = FileCipher(vault, file, secret, SMALLEST_CHUNK).seal(0, b"end", last=True)

    for other in (
        FileCipher(uuid4(), file, secret, SMALLEST_CHUNK),
        FileCipher(vault, uuid4(), secret, SMALLEST_CHUNK),
        FileCipher(vault, file, secret, 2 * SMALLEST_CHUNK),
        FileCipher(vault, file, os.urandom(32), SMALLEST_CHUNK),
    ):
        with pytest.raises(Tampered):
            other.open(0, chunk, last=True)
    with pytest.raises(UnsupportedSuite):
        FileCipher(vault, file, secret, SMALLEST_CHUNK).open(0, b"\x01\x00" + chunk[2:], last=True)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_537, 100_000, 2_097_152])
def test_chunk_sizes_out_of_bounds_are_refused(size):
    with pytest.raises(Tampered):
        FileCipher(uuid4(), uuid4(), bytes(32), size)


@pytest.mark.parametrize("text", ["", "=", "not base64!", "AAAA", "é"])
def test_a_file_reference_that_nobody_made_is_refused(text):
    with pytest.raises(Tampered):
        FileRef.from_text(text)


def test_a_file_that_changes_its_size_is_refused(family):
    for size in (family.scan.size - 1, family.scan.size + 1):
        with pytest.raises(Tampered):
            opened(family, replace(family.scan, size=size))
