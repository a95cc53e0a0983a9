"""What an entry commits to, and the keys that vouch for it; `audit_append` in the database makes the same bytes.

`hash` = SHA-256 over the length-prefixed parts of `encoded`; anybody can follow it from entry to entry. `tag` =
HMAC-SHA-256 of `hash` under a key that the root key and the chain give (HKDF, RFC 5869), so that nobody makes entries
without it. Heads are signed by Ed25519 (RFC 8032) under another key of the root key.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.core.crypto import RootKeyMissing, derived_key, length_prefixed
from app.db.runtime import current

LABEL: Final = b"lifevault audit entry 1"
FIRST: Final = bytes(32)  # what the first entry of a chain commits to
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BLOCK: Final = 64  # of SHA-256
INNER: Final = bytes(each ^ 0x36 for each in range(256))
OUTER: Final = bytes(each ^ 0x5C for each in range(256))


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many entries it has, and the hash of the last one."""

    chain_id: UUID
    sequence: int
    hash: bytes

    @property
    def message(self) -> bytes:
        """What is signed."""
        return length_prefixed(b"lifevault audit head 1", self.chain_id.bytes, self.sequence.to_bytes(8), self.hash)


def encoded(entry: Any, before: bytes) -> bytes:
    """The bytes that an entry, with its time as `micros`, commits to; `before` is the hash of the entry before it."""
    return length_prefixed(
        LABEL,
        entry["chain_id"].bytes,
        entry["sequence"].to_bytes(8),
        before,
        entry["key_version"].to_bytes(4),
        entry["actor_kind"].encode(),
        _bytes(entry["actor_id"]),
        entry["action"].encode(),
        _bytes(entry["subject_id"]),
        entry["ids"].encode(),
        entry["micros"].to_bytes(8, signed=True),
    )


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def _bytes(row_id: UUID | None) -> bytes:
    return row_id.bytes if row_id else b""


def entry_hash(entry: Any, before: bytes) -> bytes:
    """The hash that an entry must have."""
    return hashlib.sha256(encoded(entry, before)).digest()


def entry_tag(chain_id: UUID, key_version: int, entry_hash: bytes) -> bytes:
    """The tag that an entry must have. Raises `RootKeyMissing`."""
    return hmac.digest(_tag_key(_root_key(key_version), chain_id), entry_hash, "sha256")


def current_key_version() -> int:
    """The version of the root key that vouches for what is new. Raises `RootKeyMissing`."""
    versions = current().settings.root_key_ring
    if not versions:
        raise RootKeyMissing
    return max(versions)


def tag_pads(chain_id: UUID, key_version: int) -> tuple[bytes, bytes]:
    """The two blocks that HMAC begins its hashes with (RFC 2104): the database makes a tag of them and two SHA-256."""
    return _pads(_root_key(key_version), chain_id)


@lru_cache(maxsize=4_096)
def _pads(root_key: bytes, chain_id: UUID) -> tuple[bytes, bytes]:
    padded = _tag_key(root_key, chain_id).ljust(BLOCK, b"\0")
    return padded.translate(INNER), padded.translate(OUTER)


def _tag_key(root_key: bytes, chain_id: UUID) -> bytes:
    return derived_key(root_key, b"lifevault audit tag", chain_id.bytes)


def _root_key(version: int) -> bytes:
    try:
        return current().settings.root_key_ring[version]
    except KeyError:
        raise RootKeyMissing from None


@lru_cache(maxsize=16)
def _signing_key(root_key: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(derived_key(root_key, b"lifevault audit head"))


def public_key(key_version: int) -> bytes:
    """The 32 bytes that heads signed by this version are checked with. Raises `RootKeyMissing`."""
    key = _signing_key(_root_key(key_version)).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(head: Head, key_version: int) -> bytes:
    """The signature of a head. Raises `RootKeyMissing`."""
    return _signing_key(_root_key(key_version)).sign(head.message)


def is_signed(head: Head, key_version: int, signature: bytes) -> bool:
    """Whether we signed this head. Raises `RootKeyMissing`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key(key_version)).verify(signature, head.message)
    except InvalidSignature:
        return False
    return True
