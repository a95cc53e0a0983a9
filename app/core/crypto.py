"""Envelope encryption of cells and file chunks, keyed look-ups, random tokens.

Root key → (AES-256-GCM) data key of a vault or user → (HKDF-SHA-256, RFC 5869) key of one row → AES-256-GCM cell.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
CELL_VERSION = 1
SCHEMA_VERSION = 1
KEY_HEADER_BYTES = 1 + 16
CELL_HEADER_BYTES = KEY_HEADER_BYTES + NONCE_BYTES
ID_LENGTH = (16).to_bytes(4)
_VERSION = bytes([CELL_VERSION])
KEY_ID = slice(1, KEY_HEADER_BYTES)  # of a cell


class SealBroken(Exception):
    """Ciphertext that was altered, cut, or moved from the place it was made for."""


class RootKeyMissing(Exception):
    """No root key of the version that wrapped this data key is configured."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key of one owner: HMAC begun with its HKDF pseudo-random key, and the first bytes of its cells."""

    id: UUID
    owner_id: UUID
    mac: HMAC
    header: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.id})"


def length_prefixed(*parts: bytes) -> bytes:
    """Join parts so that no two different lists give the same bytes."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _hkdf_extract(key: bytes) -> HMAC:
    return HMAC(hmac.digest(bytes(hashlib.sha256().digest_size), key, "sha256"), SHA256())


def _hkdf_expand(mac: HMAC, info: bytes) -> bytes:
    block = mac.copy()  # a quarter of the time that HMAC takes from its key
    block.update(info + b"\x01")
    return block.finalize()  # one block gives the 32 bytes of an AES-256 key


def derived_key(key: bytes, *context: bytes) -> bytes:
    """A key of 32 bytes for one purpose, by HKDF-SHA-256; `context` says which."""
    return _hkdf_expand(_hkdf_extract(key), length_prefixed(*context))


@lru_cache(maxsize=256)
def _around_row(table: str) -> tuple[bytes, bytes]:
    """What stands before and after the row id in the info that its key is derived by."""
    return length_prefixed(b"lifevault row", table.encode()) + ID_LENGTH, length_prefixed(_VERSION)


def _row_cipher(key: DataKey, table: str, row_id: UUID) -> AESGCM:
    before, after = _around_row(table)
    return AESGCM(_hkdf_expand(key.mac, before + row_id.bytes + after))


@lru_cache(maxsize=4_096)
def _around_cell(owner_id: UUID, table: str, column: str) -> tuple[bytes, bytes]:
    """What stands before and after the row id in the context of a cell."""
    after = length_prefixed(column.encode(), owner_id.bytes, SCHEMA_VERSION.to_bytes(2))
    return length_prefixed(table.encode()) + ID_LENGTH, after


def _cell_context(key: DataKey, table: str, row_id: UUID, column: str) -> bytes:
    before, after = _around_cell(key.owner_id, table, column)
    return key.header + before + row_id.bytes + after


def seal_cell(key: DataKey, table: str, row_id: UUID, column: str, plaintext: bytes) -> bytes:
    """`version || key id || nonce || ciphertext || tag`, bound to table, row, column, owner and schema version."""
    nonce = os.urandom(NONCE_BYTES)
    context = _cell_context(key, table, row_id, column)
    return key.header + nonce + _row_cipher(key, table, row_id).encrypt(nonce, plaintext, context)


def key_id_of(cell: bytes) -> UUID:
    """The data key that sealed this cell. Raises `SealBroken`."""
    if len(cell) < CELL_HEADER_BYTES + TAG_BYTES or cell[0] != CELL_VERSION:
        raise SealBroken
    return UUID(bytes=cell[KEY_ID])


def open_cell(key: DataKey, table: str, row_id: UUID, column: str, cell: bytes) -> bytes:
    """The plaintext of a cell that stands at exactly this place. Raises `SealBroken`."""
    if len(cell) < CELL_HEADER_BYTES + TAG_BYTES or not cell.startswith(key.header):
        raise SealBroken
    nonce, sealed = cell[KEY_HEADER_BYTES:CELL_HEADER_BYTES], cell[CELL_HEADER_BYTES:]
    try:
        return _row_cipher(key, table, row_id).decrypt(nonce, sealed, _cell_context(key, table, row_id, column))
    except InvalidTag:
        raise SealBroken from None


class RootKeys:
    """The root keys by version; the highest one wraps."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._keys = dict(keys)

    @property
    def current(self) -> int:
        """The version that wraps new data keys. Raises `RootKeyMissing`."""
        if not self._keys:
            raise RootKeyMissing
        return max(self._keys)

    def wrap(self, secret: bytes, purpose: str, owner_id: UUID, version: int) -> bytes:
        """`nonce || ciphertext || tag` of a data key, bound to its purpose, owner and version."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(self.current).encrypt(nonce, secret, _wrap_context(purpose, owner_id, version))

    def unwrap(self, wrapped: bytes, root_version: int, purpose: str, owner_id: UUID, version: int) -> bytes:
        """The 32 bytes of a data key. Raises `RootKeyMissing`, `SealBroken`."""
        try:
            return self._cipher(root_version).decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrap_context(purpose, owner_id, version)
            )
        except InvalidTag:
            raise SealBroken from None

    def _cipher(self, version: int) -> AESGCM:
        if version not in self._keys:
            raise RootKeyMissing
        return AESGCM(self._keys[version])


def _wrap_context(purpose: str, owner_id: UUID, version: int) -> bytes:
    return length_prefixed(b"lifevault data key", purpose.encode(), owner_id.bytes, version.to_bytes(4))


def data_key(key_id: UUID, owner_id: UUID, secret: bytes) -> DataKey:
    """A usable data key from its 32 random bytes."""
    return DataKey(key_id, owner_id, _hkdf_extract(secret), _VERSION + key_id.bytes)


def new_secret() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def new_token() -> str:
    """A random URL-safe token of 256 bits, for links and refresh tokens."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """What is stored of a random token: SHA-256, enough because the token has 256 bits of its own."""
    return hashlib.sha256(token.encode()).digest()


@lru_cache(maxsize=64)
def _column_key(lookup_key: bytes, column: str) -> bytes:
    return _hkdf_expand(_hkdf_extract(lookup_key), length_prefixed(b"lifevault lookup", column.encode()))


def lookup_digest(lookup_key: bytes, column: str, value: str) -> bytes:
    """HMAC-SHA-256 of a value under the column's own key, for equality look-ups."""
    return hmac.digest(_column_key(lookup_key, column), value.encode(), "sha256")


def owner_digest(key: DataKey, column: str, value: bytes) -> bytes:
    """HMAC-SHA-256 of a value under a key of this owner and column: equal only within one vault."""
    column_key = _hkdf_expand(key.mac, length_prefixed(b"lifevault digest", column.encode()))
    return hmac.digest(column_key, value, "sha256")


def chunk_cipher(file_key: bytes) -> AESGCM:
    """The cipher of one file; its key is random and used for one version of one file only."""
    return AESGCM(file_key)


def seal_chunk(cipher: AESGCM, file_id: UUID, index: int, *, last: bool, plaintext: bytes) -> bytes:
    """`ciphertext || tag` of one chunk; index and last-flag are in nonce and AAD (STREAM, Hoang et al. 2015)."""
    return cipher.encrypt(_chunk_nonce(index, last=last), plaintext, _chunk_context(file_id, index, last=last))


def open_chunk(cipher: AESGCM, file_id: UUID, index: int, *, last: bool, chunk: bytes) -> bytes:
    """The plaintext of a chunk at exactly this place in this file. Raises `SealBroken`."""
    try:
        return cipher.decrypt(_chunk_nonce(index, last=last), chunk, _chunk_context(file_id, index, last=last))
    except InvalidTag:
        raise SealBroken from None


def _chunk_nonce(index: int, *, last: bool) -> bytes:
    return index.to_bytes(NONCE_BYTES - 1) + bytes([last])


def _chunk_context(file_id: UUID, index: int, *, last: bool) -> bytes:
    return length_prefixed(b"lifevault file", file_id.bytes, index.to_bytes(8), bytes([last]))
