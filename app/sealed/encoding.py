"""Bytes that have one reading only: length-prefixed parts, numbers of eight bytes, ids of sixteen."""

import hashlib
from uuid import UUID

from app.sealed.errors import Tampered

LENGTH_BYTES = 4
NUMBER_BYTES = 8
ID_BYTES = 16
DIGEST_BYTES = 32
NO_DIGEST = bytes(DIGEST_BYTES)


def pack(*parts: bytes) -> bytes:
    """Each part after its length; no two different lists give the same bytes."""
    return b"".join(len(part).to_bytes(LENGTH_BYTES) + part for part in parts)


def unpack(data: bytes) -> list[bytes]:
    """The parts that `pack` joined. Raises `Tampered` for anything cut or left over."""
    parts, position = [], 0
    while position < len(data):
        start = position + LENGTH_BYTES
        position = start + int.from_bytes(data[position:start])
        if position > len(data):
            raise Tampered
        parts.append(data[start:position])
    return parts


def unpack_exactly(data: bytes, count: int) -> list[bytes]:
    """The parts, which must be as many as expected. Raises `Tampered`."""
    parts = unpack(data)
    if len(parts) != count:
        raise Tampered
    return parts


def number(value: int) -> bytes:
    """A number from 0 to 2^64 - 1, big-endian."""
    return value.to_bytes(NUMBER_BYTES)


def to_number(data: bytes) -> int:
    """The number of eight bytes. Raises `Tampered`."""
    if len(data) != NUMBER_BYTES:
        raise Tampered
    return int.from_bytes(data)


def to_id(data: bytes) -> UUID:
    """The id of sixteen bytes. Raises `Tampered`."""
    if len(data) != ID_BYTES:
        raise Tampered
    return UUID(bytes=data)


def to_text(data: bytes) -> str:
    """UTF-8. Raises `Tampered`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Tampered from None


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
