"""Opened shards in memory: bounded, and forgotten when nobody asks for them."""

import time
from uuid import uuid4

from app.rag.chunking import chunk_pages
from app.rag.document import Page, Source
from app.rag.engine import SHARD_OVERHEAD_BYTES, ShardCache
from app.rag.shard import Shard, build_shard, open_shard


def shard(text: str = "The excess is 350 euros. " * 40) -> Shard:
    pages = [Page(1, text)]
    source = Source(uuid4(), uuid4(), uuid4(), "Insurance", "en")
    return open_shard(build_shard(source, pages, chunk_pages(pages), None, None))


def test_the_least_used_one_makes_room_and_the_bound_holds() -> None:
    size = shard().nbytes + SHARD_OVERHEAD_BYTES
    cache = ShardCache(3 * size)
    first, second, *others = [uuid4() for _ in range(4)]
    for revision in (first, second, others[0]):
        cache.put(revision, shard())
    cache.get(first)

    cache.put(others[1], shard())

    assert cache.get(second) is None
    assert cache.get(first) is not None
    assert cache.nbytes == 3 * size


def test_one_larger_than_the_cache_is_not_kept() -> None:
    cache = ShardCache(100)
    revision = uuid4()

    cache.put(revision, shard())

    assert cache.get(revision) is None
    assert cache.nbytes == 0


def test_what_nobody_asks_for_is_dropped_without_anybody_asking_for_another() -> None:
    cache = ShardCache(10**9, idle_seconds=0.2)
    used, idle = uuid4(), uuid4()
    cache.put(used, shard())
    cache.put(idle, shard())

    for _ in range(8):
        time.sleep(0.05)
        assert cache.get(used) is not None

    assert cache.nbytes == shard().nbytes + SHARD_OVERHEAD_BYTES
    assert cache.get(idle) is None
