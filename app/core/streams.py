"""Files as streams of encrypted chunks: sealed while they arrive, opened from any byte on, never whole in memory."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.crypto import TAG_BYTES, SealBroken, chunk_cipher, open_chunk, seal_chunk

Fetch = Callable[[int, int], Awaitable[bytes]]
FetchNow = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What opens a stored file: its id and key, its plaintext `size`, and the plaintext bytes of each chunk."""

    id: UUID
    key: bytes
    size: int
    chunk_bytes: int

    @property
    def last_chunk(self) -> int:
        """The index of the last chunk; an empty file has one chunk, too."""
        return max(self.size - 1, 0) // self.chunk_bytes

    def __repr__(self) -> str:
        return f"SealedFile({self.id})"


async def seal_stream(
    file_id: UUID, key: bytes, plaintext: AsyncIterator[bytes], chunk_bytes: int
) -> AsyncIterator[bytes]:
    """Sealed chunks of `chunk_bytes` plaintext each (the last may be shorter), from pieces of whatever length."""
    cipher = chunk_cipher(key)
    waiting = bytearray()
    index = 0
    async for piece in plaintext:
        waiting += piece
        while len(waiting) > chunk_bytes:  # a full chunk waits for one byte more, for it may be the last
            yield seal_chunk(cipher, file_id, index, last=False, plaintext=bytes(waiting[:chunk_bytes]))
            del waiting[:chunk_bytes]
            index += 1
    yield seal_chunk(cipher, file_id, index, last=True, plaintext=bytes(waiting))


async def open_range(file: SealedFile, fetch: Fetch, start: int, end: int) -> AsyncIterator[bytes]:
    """The plaintext bytes [start, end) chunk by chunk; `fetch(start, end)` gets bytes of the sealed stream.

    Raises `SealBroken` at the first chunk that was altered, cut, swapped or moved; every byte yielded was verified.
    """
    cipher = chunk_cipher(file.key)
    sealed_bytes = file.chunk_bytes + TAG_BYTES
    for index in range(start // file.chunk_bytes, (max(end, 1) - 1) // file.chunk_bytes + 1):
        first = index * file.chunk_bytes
        length = min(file.chunk_bytes, file.size - first) + TAG_BYTES
        chunk = await fetch(index * sealed_bytes, index * sealed_bytes + length)
        if len(chunk) != length:
            raise SealBroken
        plaintext = open_chunk(cipher, file.id, index, last=index == file.last_chunk, chunk=chunk)
        yield plaintext[max(start - first, 0) : end - first]


class SealedReader(io.RawIOBase):
    """A stored file as a file of Python's, for libraries that jump about in one; for threads: it waits for each chunk.

    Reading raises `SealBroken` at a chunk that was altered, cut, swapped or moved.
    """

    def __init__(self, file: SealedFile, fetch: FetchNow) -> None:
        self._file, self._fetch = file, fetch
        self._cipher = chunk_cipher(file.key)
        self._at = 0
        self._open: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another byte."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """The next bytes, at most to the end of a chunk."""
        index, skipped = divmod(self._at, self._file.chunk_bytes)
        if self._at >= self._file.size:
            return 0
        piece = self._chunk(index)[skipped : skipped + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _chunk(self, index: int) -> bytes:
        if self._open[0] != index:
            sealed_bytes = self._file.chunk_bytes + TAG_BYTES
            length = min(self._file.chunk_bytes, self._file.size - index * self._file.chunk_bytes) + TAG_BYTES
            chunk = self._fetch(index * sealed_bytes, index * sealed_bytes + length)
            if len(chunk) != length:
                raise SealBroken
            last = index == self._file.last_chunk
            self._open = index, open_chunk(self._cipher, self._file.id, index, last=last, chunk=chunk)
        return self._open[1]
