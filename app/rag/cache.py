"""Opened shelves that are kept in this process for the next question."""

import threading
import time
from collections import OrderedDict
from functools import lru_cache
from uuid import UUID

from app.rag.shelf import Shelf

IDLE_SECONDS = 900.0

Key = tuple[UUID, str | None]
"""A vault, and the model that made the vectors."""
Shelves = tuple[Shelf, ...]


class ShelfCache:
    """The shelves of each vault, the least used vault forgotten first; whoever asks must have decided about access.

    One that nobody has asked for in `idle_seconds` is dropped, whether or not another is asked for: what was deleted,
    superseded or no longer shared does not stay in memory.
    """

    def __init__(self, most_bytes: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._most_bytes = most_bytes
        self._idle_seconds = idle_seconds
        self._kept: OrderedDict[Key, tuple[float, Shelves]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._sweeper: threading.Timer | None = None

    @property
    def nbytes(self) -> int:
        """Memory of what is held."""
        return self._bytes

    def get(self, key: Key) -> Shelves:
        """What is kept of a vault: documents that may be gone by now, and not all that are there."""
        with self._lock:
            entry = self._kept.get(key)
            if entry is None:
                return ()
            self._kept[key] = (time.monotonic(), entry[1])
            self._kept.move_to_end(key)
            return entry[1]

    def put(self, key: Key, shelves: Shelves) -> None:
        """Keep these in the place of what was kept of the vault; what is larger than the whole cache is not kept."""
        with self._lock:
            self._drop(key)
            if not shelves or _bytes(shelves) > self._most_bytes:
                return
            self._kept[key] = (time.monotonic(), shelves)
            self._bytes += _bytes(shelves)
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))
            self._sweep_later()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _drop(self, key: Key) -> None:
        entry = self._kept.pop(key, None)
        if entry:
            self._bytes -= _bytes(entry[1])

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Timer(self._idle_seconds / 2, self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        """Drop what is idle; the order of use is the order of the entries."""
        with self._lock:
            self._sweeper = None
            idle_since = time.monotonic() - self._idle_seconds
            while self._kept and next(iter(self._kept.values()))[0] < idle_since:
                self._drop(next(iter(self._kept)))
            if self._kept:
                self._sweep_later()


def _bytes(shelves: Shelves) -> int:
    return sum(shelf.nbytes for shelf in shelves)


@lru_cache(maxsize=1)
def shelf_cache(most_bytes: int) -> ShelfCache:
    """The cache of this process."""
    return ShelfCache(most_bytes)
