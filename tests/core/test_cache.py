"""The cache: shared through Redis, forgotten by tags, and no more than a help."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.core.breaker import Breaker
from app.core.cache import PREFIX, Cache, CacheAway, Made
from app.db.runtime import Runtime
from tests.stack import free_port

pytestmark = pytest.mark.anyio
SECRET = b"k" * 32


class Source:
    """What is cached, and how often it was made."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.value = 1
        self.made = 0
        self.during: asyncio.Event | None = None
        self.started = asyncio.Event()

    async def make(self) -> Made:
        self.made += 1
        value = self.value
        self.started.set()
        if self.during:
            await self.during.wait()
        return Made({"value": value}, (self.tag,))

    async def read(self, cache: Cache) -> int:
        kept = await cache.get("test", self.tag, 60, self.make)
        value: int = kept["value"]
        return value


@pytest.fixture
def source() -> Source:
    return Source(f"thing:{uuid4()}")


def cache_of(runtime: Runtime) -> Cache:
    """Another process' cache, on the same Redis."""
    return Cache(runtime.redis, 5, Breaker("test"), SECRET)


@pytest.fixture
async def away() -> AsyncIterator[Cache]:
    redis = Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    yield Cache(redis, 5, Breaker("test", failures=1), SECRET)
    await redis.aclose()


async def test_processes_share_what_one_of_them_made(runtime: Runtime, source: Source):
    one, other = cache_of(runtime), cache_of(runtime)

    assert [await source.read(one), await source.read(one), await source.read(other)] == [1, 1, 1]
    assert source.made == 1


async def test_what_carries_a_tag_is_forgotten_for_all_and_the_rest_is_kept(runtime: Runtime, source: Source):
    one, other, third = (cache_of(runtime) for _ in range(3))
    kept = Source(f"thing:{uuid4()}")
    await source.read(one)
    await kept.read(one)
    source.value = 2
    await other.forget(source.tag)

    assert await source.read(third) == 2
    one.clear()  # as after LOCAL_SECONDS
    assert await source.read(one) == 2
    assert (await kept.read(third), kept.made) == (1, 1)


async def test_what_was_being_made_while_it_was_forgotten_is_not_kept(runtime: Runtime, source: Source):
    one, other = cache_of(runtime), cache_of(runtime)
    source.during = asyncio.Event()
    reading = asyncio.create_task(source.read(one))
    await source.started.wait()
    source.value = 2
    await other.forget(source.tag)
    source.during.set()
    assert await reading == 1  # begun before the change
    one.clear()

    assert await source.read(one) == 2


async def test_a_process_does_not_remember_what_it_forgot_meanwhile(source: Source):
    cache = Cache(None, 1, Breaker("test"), SECRET)
    source.during = asyncio.Event()
    reading = asyncio.create_task(source.read(cache))
    await source.started.wait()
    source.value = 2
    await cache.forget(source.tag)
    source.during.set()
    await reading

    assert await source.read(cache) == 2


async def test_without_redis_a_process_remembers_for_itself_and_says_if_others_could_not_be_told(
    away: Cache, source: Source
):
    assert [await source.read(away), await source.read(away)] == [1, 1]
    assert source.made == 1
    source.value = 2
    with pytest.raises(CacheAway):
        await away.forget(source.tag)
    assert await source.read(away) == 2


async def test_an_entry_that_somebody_else_wrote_or_moved_is_made_anew(runtime: Runtime, source: Source):
    other, cache = Source(f"thing:{uuid4()}"), cache_of(runtime)
    other.value = 666
    await source.read(cache)
    await other.read(cache)
    assert runtime.redis is not None
    entry = await runtime.redis.get(f"{PREFIX}test:{other.tag}")
    for forged in (entry, b'[{"value": 666}, []]', b""):
        await runtime.redis.set(f"{PREFIX}test:{source.tag}", forged)
        assert await source.read(cache_of(runtime)) == 1


async def test_nothing_is_kept_for_ever(runtime: Runtime, source: Source):
    await source.read(cache_of(runtime))

    assert runtime.redis is not None
    for key in (f"{PREFIX}test:{source.tag}", f"{PREFIX}tag:{source.tag}"):
        assert 0 < await runtime.redis.ttl(key) <= 60
