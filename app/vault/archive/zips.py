"""ZIP files written as a stream, with a digest of every entry."""

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
FILE_MODE: Final = 0o100600 << 16


class _Sink(io.RawIOBase):
    """Takes what is written until somebody fetches it; it can't be gone back in."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that is written."""

    path: str
    size: int
    sha256: str


@dataclass(slots=True)
class ZipStream:
    """A ZIP that is written entry by entry; fetch what `add` and `close` yield."""

    entries: list[Entry] = field(default_factory=list)
    _sink: _Sink = field(default_factory=_Sink)
    _zip: ZipFile | None = None

    async def add(
        self, path: str, content: AsyncIterator[bytes], at: datetime, *, packed: bool = True
    ) -> AsyncIterator[bytes]:
        """Write an entry; an exception of `content` leaves it as long as it is by then, and is raised."""
        self._zip = self._zip or ZipFile(self._sink, "w", allowZip64=True)
        info = ZipInfo(path, max(at.timetuple()[:6], EARLIEST))
        info.compress_type, info.external_attr = ZIP_DEFLATED if packed else ZIP_STORED, FILE_MODE
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as entry:
            try:
                async for piece in content:
                    entry.write(piece)
                    digest.update(piece)
                    size += len(piece)
                    yield self._sink.take()
            finally:
                self.entries.append(Entry(path, size, digest.hexdigest()))
        yield self._sink.take()

    def close(self) -> bytes:
        """The end of the file."""
        self._zip = self._zip or ZipFile(self._sink, "w")
        self._zip.close()
        return self._sink.take()
