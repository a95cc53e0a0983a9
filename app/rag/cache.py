"""Opened shelves that are kept in this process for the next question."""

from functools import lru_cache
from uuid import UUID

from app.core.idle_cache import IDLE_SECONDS, IdleCache
from app.rag.shelf import Shelf

Key = tuple[UUID, str | None, bool]
"""A vault, the model that made the vectors, and whether these are left to the database."""
Shelves = tuple[Shelf, ...]


class ShelfCache(IdleCache[Key, Shelves]):
    """The shelves of each vault: of documents that may be gone by now, and not all that are there."""

    def __init__(self, most_bytes: int, idle_seconds: float = IDLE_SECONDS) -> None:
        super().__init__(most_bytes, _bytes, (), idle_seconds, name="shelves")


def _bytes(shelves: Shelves) -> int:
    return sum(shelf.nbytes for shelf in shelves)


@lru_cache(maxsize=1)
def shelf_cache(most_bytes: int) -> ShelfCache:
    """The cache of this process."""
    return ShelfCache(most_bytes)
