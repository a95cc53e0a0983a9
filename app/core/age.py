"""Files of the format age (https://age-encryption.org/v1), written as a stream, for one recipient or a passphrase.

Everybody can open them with tools that are not ours (`age -d`, `rage -d`).
"""

import hashlib
import hmac
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LINE: Final = b"age-encryption.org/v1"
CHUNK_BYTES: Final = 64 * 1024
FILE_KEY_BYTES: Final = 16
WORK_FACTOR: Final = 17  # OWASP Password Storage Cheat Sheet: scrypt with N = 2^17, r = 8, p = 1; 128 MiB
NO_NONCE: Final = bytes(12)
LETTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
PREFIX: Final = "age"
POLYNOMIAL: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


class NoRecipient(ValueError):
    """Not an X25519 recipient of age: `age1` and 58 letters, the last six of which are a checksum."""


def recipient_key(text: str) -> bytes:
    """The public key of `age1…` (bech32, BIP 173). Raises `NoRecipient`."""
    prefix, _, letters = text.rpartition("1")
    if prefix != PREFIX or not set(letters) <= set(LETTERS):
        raise NoRecipient
    values = [LETTERS.index(letter) for letter in letters]
    high, low = [ord(letter) >> 5 for letter in prefix], [ord(letter) & 31 for letter in prefix]
    if _checksum([*high, 0, *low, *values]) != 1:
        raise NoRecipient
    bits = "".join(f"{value:05b}" for value in values[:-6])
    if len(bits) != 260 or set(bits[256:]) != {"0"}:
        raise NoRecipient
    return int(bits[:256], 2).to_bytes(32)


def _checksum(values: list[int]) -> int:
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for number, factor in enumerate(POLYNOMIAL):
            if top >> number & 1:
                state ^= factor
    return state


@dataclass(frozen=True, slots=True)
class Locked:
    """The header of a file, and the key of what follows."""

    header: bytes
    key: bytes


def lock(*, recipient: str | None = None, passphrase: str | None = None) -> Locked:
    """Make a file key that only the recipient, or who knows the passphrase, can unwrap. Raises `NoRecipient`.

    A passphrase takes half a second of the processor and 128 MiB.
    """
    file_key = os.urandom(FILE_KEY_BYTES)
    stanza = _for_recipient(file_key, recipient) if recipient else _for_passphrase(file_key, passphrase or "")
    head = LINE + b"\n" + stanza + b"\n---"
    mac = hmac.digest(_derived(file_key, b"", b"header"), head, "sha256")
    nonce = os.urandom(16)
    return Locked(head + b" " + _base64(mac) + b"\n" + nonce, _derived(file_key, nonce, b"payload"))


async def encrypted(locked: Locked, plaintext: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The whole file, from pieces of whatever length."""
    yield locked.header
    cipher, waiting, number = ChaCha20Poly1305(locked.key), bytearray(), 0
    async for piece in plaintext:
        waiting += piece
        while len(waiting) > CHUNK_BYTES:  # a full chunk waits for one byte more, for it may be the last
            yield cipher.encrypt(_nonce(number, last=False), bytes(waiting[:CHUNK_BYTES]), None)
            del waiting[:CHUNK_BYTES]
            number += 1
    yield cipher.encrypt(_nonce(number, last=True), bytes(waiting), None)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])


def _for_recipient(file_key: bytes, recipient: str) -> bytes:
    public, once = recipient_key(recipient), X25519PrivateKey.generate()
    share = once.public_key().public_bytes_raw()
    shared = once.exchange(X25519PublicKey.from_public_bytes(public))
    key = _derived(shared, share + public, LINE + b"/X25519")
    return b"-> X25519 " + _base64(share) + b"\n" + _base64(_wrapped(key, file_key))


def _for_passphrase(file_key: bytes, passphrase: str) -> bytes:
    salt = os.urandom(16)
    cost = {"n": 1 << WORK_FACTOR, "r": 8, "p": 1, "dklen": 32, "maxmem": 256 * 1024 * 1024}
    key = hashlib.scrypt(passphrase.encode(), salt=LINE + b"/scrypt" + salt, **cost)
    return b"-> scrypt " + _base64(salt) + b" %d\n" % WORK_FACTOR + _base64(_wrapped(key, file_key))


def _wrapped(key: bytes, file_key: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(NO_NONCE, file_key, None)


def _derived(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def _base64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")
