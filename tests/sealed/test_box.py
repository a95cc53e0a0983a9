"""The one sealed form: opens with one key, for one purpose, at one place."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from app.sealed import box
from app.sealed.box import Key, new_key, seal, unseal
from app.sealed.encoding import pack, unpack
from app.sealed.errors import SealedError, Tampered, UnsupportedSuite

KEY = new_key()
BOX = seal(KEY, "record", b"vault", b"item", plaintext=b"some plaintext of a field")


@given(st.binary(max_size=2_000), st.lists(st.binary(max_size=20)))
def test_a_box_opens_where_it_was_sealed(plaintext, place):
    sealed = seal(KEY, "record", *place, plaintext=plaintext)

    assert unseal(KEY, "record", *place, box=sealed) == plaintext
    assert len(sealed) == len(plaintext) + box.OVERHEAD_BYTES


@given(st.integers(0, len(BOX) - 1), st.integers(1, 255))
def test_a_change_of_any_byte_is_refused(position, change):
    altered = bytearray(BOX)
    altered[position] ^= change

    with pytest.raises(SealedError):
        unseal(KEY, "record", b"vault", b"item", box=bytes(altered))


@given(st.integers(0, len(BOX) - 1), st.binary(min_size=1, max_size=40))
def test_cut_and_longer_boxes_are_refused(length, more):
    for altered in (BOX[:length], BOX + more):
        with pytest.raises(SealedError):
            unseal(KEY, "record", b"vault", b"item", box=altered)


@given(st.lists(st.binary(max_size=12), max_size=5), st.lists(st.binary(max_size=12), max_size=5))
def test_two_places_never_look_the_same(one, other):
    assert (pack(*one) == pack(*other)) == (one == other)
    assert unpack(pack(*one)) == one


@given(st.binary(max_size=80))
def test_bytes_that_nobody_packed_are_read_in_one_way_or_refused(data):
    try:
        parts = unpack(data)
    except Tampered:
        return
    assert pack(*parts) == data


@pytest.mark.parametrize("head", [b"\x00\x01", b"\x02\x01", b"\x01\x00", b"\x01\x02", b"\xff\xff"])
def test_unknown_and_lower_versions_and_suites_are_refused(head):
    with pytest.raises(UnsupportedSuite):
        unseal(KEY, "record", b"vault", b"item", box=head + BOX[2:])


def test_a_key_for_one_purpose_opens_nothing_of_another():
    with pytest.raises(Tampered):
        unseal(KEY, "item key", b"vault", b"item", box=BOX)


def test_one_ciphertext_under_two_keys_is_refused_by_its_commitment():
    """AES-GCM alone opens such a ciphertext with both keys, each to another text; a box never does."""
    one, other = Key(bytes(8), os.urandom(32)), Key(bytes(8), os.urandom(32))
    context, nonce = box._context(bytes(8), "record", (b"place",)), os.urandom(12)
    secrets = [box._secret_and_commitment(key, context) for key in (one, other)]
    colliding = collision(secrets[0][0], secrets[1][0], nonce, context)
    texts = [AESGCM(secret).decrypt(nonce, colliding, context) for secret, _ in secrets]
    assert texts[0] != texts[1]

    forged = box.SUITE_BYTES + bytes(8) + secrets[0][1] + nonce + colliding

    assert unseal(one, "record", b"place", box=forged) == texts[0]
    with pytest.raises(Tampered):
        unseal(other, "record", b"place", box=forged)


def collision(one: bytes, other: bytes, nonce: bytes, associated: bytes) -> bytes:
    """A ciphertext of two blocks whose tag is right under both keys (Dodis et al. 2018, §3)."""
    tags = [linear_tag(key, nonce, associated) for key in (one, other)]
    first = int.from_bytes(os.urandom(16))
    constant = tags[0][0] ^ tags[1][0] ^ multiply(first, tags[0][1] ^ tags[1][1])
    second = multiply(constant, invert(tags[0][2] ^ tags[1][2]))
    tag = tags[0][0] ^ multiply(first, tags[0][1]) ^ multiply(second, tags[0][2])
    return b"".join(block.to_bytes(16) for block in (first, second, tag))


def linear_tag(key: bytes, nonce: bytes, associated: bytes) -> tuple[int, int, int]:
    """GHASH of two unknown blocks: constant part, and what the first and the second block are multiplied by."""
    encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update
    power, mask = int.from_bytes(encrypt(bytes(16))), int.from_bytes(encrypt(nonce + b"\x00\x00\x00\x01"))
    padded = associated + bytes(-len(associated) % 16)
    blocks = [int.from_bytes(padded[at : at + 16]) for at in range(0, len(padded), 16)]
    total = 0
    for block in [*blocks, 0, 0, len(associated) * 8 << 64 | 256]:
        total = multiply(total ^ block, power)
    square = multiply(power, power)
    return total ^ mask, multiply(square, power), square


def multiply(one: int, other: int) -> int:
    """In GF(2^128) as GCM writes it (NIST SP 800-38D §6.3)."""
    total = 0
    for place in range(128):
        if one >> (127 - place) & 1:
            total ^= other
        other = other >> 1 ^ (0xE1 << 120 if other & 1 else 0)
    return total


def invert(value: int) -> int:
    """By Fermat: value to the power of 2^128 - 2."""
    result, square = 1 << 127, value
    for _ in range(127):
        square = multiply(square, square)
        result = multiply(result, square)
    return result
