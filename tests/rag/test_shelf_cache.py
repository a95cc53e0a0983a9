"""Opened shelves in memory: bounded, and forgotten when nobody asks for them."""

import time
from uuid import uuid4

from app.rag.cache import ShelfCache
from app.rag.chunking import chunk_pages
from app.rag.document import Page, Source
from app.rag.shard import build_shard
from app.rag.shelf import Shelf
from app.rag.shelving import open_shelves


def shelf(text: str = "The excess is 350 euros. " * 40) -> Shelf:
    pages = [Page(1, text)]
    source = Source(uuid4(), uuid4(), uuid4(), "Insurance", "en")
    (opened,) = open_shelves([build_shard(source, pages, chunk_pages(pages), None, None)])
    return opened


def key() -> tuple:
    return uuid4(), None, False


def test_the_least_used_vault_makes_room_and_the_bound_holds() -> None:
    size = shelf().nbytes
    cache = ShelfCache(3 * size)
    first, second, third, fourth = [key() for _ in range(4)]
    for vault in (first, second, third):
        cache.put(vault, (shelf(),))
    cache.get(first)

    cache.put(fourth, (shelf(),))

    assert cache.get(second) == ()
    assert len(cache.get(first)) == 1
    assert cache.nbytes == 3 * size


def test_what_is_put_takes_the_place_of_what_was_kept_of_the_vault() -> None:
    cache = ShelfCache(10**9)
    vault, one = key(), shelf()
    cache.put(vault, (shelf(), shelf()))

    cache.put(vault, (one,))

    assert cache.get(vault) == (one,)
    assert cache.nbytes == one.nbytes
    cache.put(vault, ())
    assert (cache.get(vault), cache.nbytes) == ((), 0)


def test_a_vault_larger_than_the_cache_is_not_kept() -> None:
    cache = ShelfCache(100)
    vault = key()

    cache.put(vault, (shelf(),))

    assert cache.get(vault) == ()
    assert cache.nbytes == 0


def test_what_nobody_asks_for_is_dropped_without_anybody_asking_for_another() -> None:
    cache = ShelfCache(10**9, idle_seconds=0.2)
    used, idle = key(), key()
    cache.put(used, (shelf(),))
    cache.put(idle, (shelf(),))

    for _ in range(8):
        time.sleep(0.05)
        assert cache.get(used)

    assert cache.nbytes == shelf().nbytes
    assert cache.get(idle) == ()
