"""Log files that can't fill the disk."""

from contextlib import suppress
from pathlib import Path

LIMIT_BYTES = 5 * 1024 * 1024


class RotatingLog:
    """An append-only file; when it is full, it becomes `.1` and a new one begins."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit_bytes
        self._file = path.open("ab", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Append what a process wrote, at once visible to readers; it is lost when the disk is full."""
        with suppress(OSError):
            if self._file.tell() + len(chunk) > self._limit:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._file.close()
                self._file = self._path.open("ab", buffering=0)
            self._file.write(chunk)

    def tail(self, lines: int = 20) -> str:
        """The last lines."""
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 16_384))
            return b"\n".join(file.read().splitlines()[-lines:]).decode(errors="replace")

    def close(self) -> None:
        """Stop writing."""
        self._file.close()
