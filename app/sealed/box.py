"""The one sealed form of suite LV1, for records and for wrapped keys alike.

    version (1) ‖ suite (1) ‖ key id (8) ‖ commitment (32) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)

The context is the length-prefixed list (version and suite, key id, purpose, place …). It is the info by which
HKDF-SHA-256 (RFC 5869) makes the AES key and the commitment from the secret, and it is the associated data. So a box
opens with one secret, for one purpose, at one place; the commitment means that no box opens with two secrets
(GCM alone doesn't promise that: Dodis et al. 2018, Len et al. 2021, partitioning oracles).
"""

import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.sealed.encoding import pack
from app.sealed.errors import Tampered, UnsupportedSuite

VERSION = 1
SUITE = 1  # LV1; AES-GCM because every browser has it
SUITE_BYTES = bytes([VERSION, SUITE])
KEY_ID_BYTES = 8
SECRET_BYTES = 32
COMMITMENT_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
_KEY_ID = slice(2, 2 + KEY_ID_BYTES)
_COMMITMENT = slice(_KEY_ID.stop, _KEY_ID.stop + COMMITMENT_BYTES)
_NONCE = slice(_COMMITMENT.stop, _COMMITMENT.stop + NONCE_BYTES)
OVERHEAD_BYTES = _NONCE.stop + TAG_BYTES


@dataclass(frozen=True, slots=True)
class Key:
    """A secret of 32 random bytes and the eight bytes by which a box names it."""

    id: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.id.hex()})"

    def to_bytes(self) -> bytes:
        """Id and secret, to be sealed at once."""
        return self.id + self.secret

    @classmethod
    def from_bytes(cls, data: bytes) -> "Key":
        """Raises `Tampered`."""
        if len(data) != KEY_ID_BYTES + SECRET_BYTES:
            raise Tampered
        return cls(data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def new_key() -> Key:
    """A random key with a random id."""
    return Key(os.urandom(KEY_ID_BYTES), os.urandom(SECRET_BYTES))


def derive(secret: bytes, purpose: str, *place: bytes, length: int = SECRET_BYTES) -> bytes:
    """A key for one purpose (HKDF-SHA-256, no salt: the secret is uniform)."""
    return _hkdf(secret, pack(SUITE_BYTES, purpose.encode(), *place), length)


def seal(key: Key, purpose: str, *place: bytes, plaintext: bytes) -> bytes:
    """A box that opens with this key for this purpose at this place only."""
    return seal_with_nonce(key, purpose, *place, plaintext=plaintext, nonce=os.urandom(NONCE_BYTES))


def seal_with_nonce(key: Key, purpose: str, *place: bytes, plaintext: bytes, nonce: bytes) -> bytes:
    """What `seal` does, with a nonce from the caller: for the published vectors, never for real data."""
    context = _context(key.id, purpose, place)
    secret, commitment = _secret_and_commitment(key, context)
    return SUITE_BYTES + key.id + commitment + nonce + AESGCM(secret).encrypt(nonce, plaintext, context)


def unseal(key: Key, purpose: str, *place: bytes, box: bytes) -> bytes:
    """The plaintext of a box. Raises `UnsupportedSuite`, `Tampered`."""
    if key_id_of(box) != key.id:
        raise Tampered
    context = _context(key.id, purpose, place)
    secret, commitment = _secret_and_commitment(key, context)
    if not hmac.compare_digest(commitment, box[_COMMITMENT]):
        raise Tampered
    try:
        return AESGCM(secret).decrypt(box[_NONCE], box[_NONCE.stop :], context)
    except InvalidTag:
        raise Tampered from None


def key_id_of(box: bytes) -> bytes:
    """The id of the key that sealed this box. Raises `UnsupportedSuite`, `Tampered`."""
    check_suite(box)
    if len(box) < OVERHEAD_BYTES:
        raise Tampered
    return box[_KEY_ID]


def check_suite(data: bytes) -> None:
    """Raises `UnsupportedSuite` unless the data begins with the version and suite that we write."""
    if data[:2] != SUITE_BYTES:
        raise UnsupportedSuite


def _context(key_id: bytes, purpose: str, place: tuple[bytes, ...]) -> bytes:
    return pack(SUITE_BYTES, key_id, purpose.encode(), *place)


def _secret_and_commitment(key: Key, context: bytes) -> tuple[bytes, bytes]:
    both = _hkdf(key.secret, context, SECRET_BYTES + COMMITMENT_BYTES)
    return both[:SECRET_BYTES], both[SECRET_BYTES:]


def _hkdf(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=info).derive(secret)
