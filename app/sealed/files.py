"""Files in sealed chunks: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over AES-256-GCM.

    chunk = version (1) ‖ suite (1) ‖ ciphertext ‖ tag (16)

Nonce = index (11 bytes) ‖ last (1); index, last-flag, vault, file and chunk size are in the associated data. The key is
random and used for one file only. Key, sizes and number of chunks travel in a `FileRef`, which is sealed as a field of
an item; so the whole file is bound to a signed revision, and no second key can be tried on it.
"""

import base64
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.sealed.box import NONCE_BYTES, SECRET_BYTES, SUITE_BYTES, TAG_BYTES, check_suite, derive
from app.sealed.encoding import number, pack, to_id, to_number, unpack_exactly
from app.sealed.errors import Tampered

SMALLEST_CHUNK = 64 * 1024
LARGEST_CHUNK = 1024 * 1024
CHUNK_OVERHEAD_BYTES = len(SUITE_BYTES) + TAG_BYTES
PURPOSE = "file"


@dataclass(frozen=True, slots=True)
class FileRef:
    """All that opens a file; kept as a field of an item."""

    file: UUID
    secret: bytes
    chunk_size: int
    size: int

    def __repr__(self) -> str:
        return f"FileRef({self.file})"

    @property
    def chunks(self) -> int:
        """How many; an empty file has one empty chunk."""
        return max(1, -(-self.size // self.chunk_size))

    def to_text(self) -> str:
        """For a field."""
        return base64.urlsafe_b64encode(
            pack(self.file.bytes, self.secret, number(self.chunk_size), number(self.size))
        ).decode()

    @classmethod
    def from_text(cls, text: str) -> "FileRef":
        """Raises `Tampered`."""
        try:
            data = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            raise Tampered from None
        file, secret, chunk_size, size = unpack_exactly(data, 4)
        if len(secret) != SECRET_BYTES:
            raise Tampered
        _check_chunk_size(to_number(chunk_size))
        return cls(to_id(file), secret, to_number(chunk_size), to_number(size))


class FileCipher:
    """Seals and opens the chunks of one file."""

    def __init__(self, vault: UUID, file: UUID, secret: bytes, chunk_size: int) -> None:
        _check_chunk_size(chunk_size)
        self._place = vault.bytes, file.bytes, number(chunk_size)
        self._cipher = AESGCM(derive(secret, PURPOSE, *self._place))
        self.chunk_size = chunk_size

    def seal(self, index: int, plaintext: bytes, *, last: bool) -> bytes:
        """One chunk, at its index; only the last one may be short."""
        if len(plaintext) > self.chunk_size or (len(plaintext) < self.chunk_size and not last):
            raise ValueError("only the last chunk may be short")
        return SUITE_BYTES + self._cipher.encrypt(_nonce(index, last=last), plaintext, self._context(index, last=last))

    def open(self, index: int, chunk: bytes, *, last: bool) -> bytes:
        """The plaintext of the chunk at this index. Raises `UnsupportedSuite`, `Tampered`."""
        check_suite(chunk)
        try:
            return self._cipher.decrypt(
                _nonce(index, last=last), chunk[len(SUITE_BYTES) :], self._context(index, last=last)
            )
        except InvalidTag:
            raise Tampered from None

    def _context(self, index: int, *, last: bool) -> bytes:
        return pack(SUITE_BYTES, PURPOSE.encode(), *self._place, number(index), bytes([last]))


def new_file_ref(chunk_size: int = LARGEST_CHUNK) -> FileRef:
    """A random file id and key; the size is filled in when the file has been read."""
    _check_chunk_size(chunk_size)
    return FileRef(uuid4(), os.urandom(SECRET_BYTES), chunk_size, 0)


def seal_file(vault: UUID, ref: FileRef, source: Iterable[bytes]) -> Iterator[tuple[int, bytes, int]]:
    """Index, sealed chunk and plaintext length of every chunk; never more than two chunks in memory."""
    cipher = FileCipher(vault, ref.file, ref.secret, ref.chunk_size)
    index, waiting = 0, b""
    for block in _blocks(source, ref.chunk_size):
        if index or waiting:
            yield index, cipher.seal(index, waiting, last=False), len(waiting)
            index += 1
        waiting = block
    yield index, cipher.seal(index, waiting, last=True), len(waiting)


def open_file(vault: UUID, ref: FileRef, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The plaintext, chunk by chunk; what came before an error is genuine but incomplete. Raises `Tampered`."""
    cipher = FileCipher(vault, ref.file, ref.secret, ref.chunk_size)
    size = index = 0
    for index, chunk in enumerate(chunks, 1):
        if index > ref.chunks:
            raise Tampered
        plaintext = cipher.open(index - 1, chunk, last=index == ref.chunks)
        size += len(plaintext)
        yield plaintext
    if (index, size) != (ref.chunks, ref.size):
        raise Tampered


def _blocks(source: Iterable[bytes], size: int) -> Iterator[bytes]:
    buffer = bytearray()
    for part in source:
        buffer += part
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


def _nonce(index: int, *, last: bool) -> bytes:
    return index.to_bytes(NONCE_BYTES - 1) + bytes([last])


def _check_chunk_size(size: int) -> None:
    if not SMALLEST_CHUNK <= size <= LARGEST_CHUNK or size & (size - 1):
        raise Tampered
