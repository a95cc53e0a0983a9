"""Seals hold at their place and nowhere else."""

import base64
import os
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from app.core import crypto
from app.core.crypto import RootKeyMissing, RootKeys, SealBroken

OWNER, ROW = uuid4(), uuid4()
SECRET = os.urandom(32)
KEY = crypto.data_key(uuid4(), OWNER, SECRET)


@given(st.binary(max_size=2_000))
def test_a_cell_opens_where_it_was_sealed(plaintext):
    cell = crypto.seal_cell(KEY, "vault_items", ROW, "body", plaintext)

    assert crypto.open_cell(KEY, "vault_items", ROW, "body", cell) == plaintext
    assert len(cell) == len(plaintext) + crypto.CELL_HEADER_BYTES + crypto.TAG_BYTES


@pytest.mark.parametrize(
    "place",
    [
        (KEY, "vault_items", uuid4(), "body"),
        (KEY, "vault_items", ROW, "title"),
        (KEY, "vault_item_versions", ROW, "body"),
        (crypto.data_key(KEY.id, uuid4(), os.urandom(32)), "vault_items", ROW, "body"),
        (crypto.data_key(KEY.id, uuid4(), SECRET), "vault_items", ROW, "body"),
        (crypto.data_key(uuid4(), OWNER, SECRET), "vault_items", ROW, "body"),
    ],
    ids=["row", "column", "table", "key", "owner", "key id"],
)
def test_a_moved_cell_is_refused(place):
    cell = crypto.seal_cell(KEY, "vault_items", ROW, "body", b"secret")

    with pytest.raises(SealBroken):
        crypto.open_cell(*place, cell)


@given(st.data())
def test_an_altered_or_cut_cell_is_refused(data):
    cell = bytearray(crypto.seal_cell(KEY, "t", ROW, "c", b"some plaintext"))
    position = data.draw(st.integers(0, len(cell) - 1))
    if data.draw(st.booleans()):
        cell[position] ^= data.draw(st.integers(1, 255))
    else:
        del cell[position:]

    with pytest.raises(SealBroken):
        crypto.open_cell(KEY, "t", ROW, "c", bytes(cell))


def test_row_keys_are_those_of_rfc_5869():
    secret, info = os.urandom(32), b"some context"
    theirs = HKDF(SHA256(), 32, salt=None, info=info).derive(secret)

    assert crypto._hkdf_expand(crypto._hkdf_extract(secret), info) == theirs


def test_a_data_key_unwraps_only_for_its_owner_purpose_and_version():
    roots, secret = RootKeys({1: os.urandom(32), 2: os.urandom(32)}), os.urandom(32)
    wrapped = roots.wrap(secret, "vault", OWNER, 1)

    assert roots.unwrap(wrapped, 2, "vault", OWNER, 1) == secret
    for wrong in [(1, "vault", OWNER, 1), (2, "user", OWNER, 1), (2, "vault", ROW, 1), (2, "vault", OWNER, 2)]:
        with pytest.raises(SealBroken):
            roots.unwrap(wrapped, *wrong)
    with pytest.raises(RootKeyMissing):
        roots.unwrap(wrapped, 3, "vault", OWNER, 1)


def test_without_root_keys_nothing_is_wrapped():
    with pytest.raises(RootKeyMissing):
        RootKeys({}).wrap(os.urandom(32), "vault", OWNER, 1)


def test_a_chunk_is_refused_at_another_place_of_its_file_and_in_another_file():
    cipher, file_id = crypto.chunk_cipher(os.urandom(32)), uuid4()
    chunk = crypto.seal_chunk(cipher, file_id, 3, last=False, plaintext=b"data")

    assert crypto.open_chunk(cipher, file_id, 3, last=False, chunk=chunk) == b"data"
    for wrong in [(file_id, 4, False), (file_id, 3, True), (uuid4(), 3, False)]:
        with pytest.raises(SealBroken):
            crypto.open_chunk(cipher, wrong[0], wrong[1], last=wrong[2], chunk=chunk)


def test_digests_differ_by_column_and_by_owner():
    key, other = os.urandom(32), crypto.data_key(uuid4(), uuid4(), os.urandom(32))

    assert crypto.lookup_digest(key, "a", "x") == crypto.lookup_digest(key, "a", "x")
    assert crypto.lookup_digest(key, "a", "x") != crypto.lookup_digest(key, "b", "x")
    assert crypto.owner_digest(KEY, "a", b"x") != crypto.owner_digest(other, "a", b"x")


def test_a_data_key_does_not_show_its_secret():
    for secret in (SECRET, KEY.mac.copy().finalize()):
        assert base64.b64encode(secret).decode() not in repr(KEY)
        assert secret.hex() not in repr(KEY)
        assert str(secret) not in repr(KEY)
