"""A cache in two steps: for a moment in this process, and in Redis for all processes. Ids and numbers only.

Everything in it can be made again, so nothing depends on it: without Redis it is the memory of one process, and short.
What is kept carries tags; `forget` drops all that carries one, in this process at once, in Redis for everybody, and in
the memory of other processes after `LOCAL_SECONDS` at most. What was being made meanwhile from older rows is not kept.
"""

import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from app.core.breaker import Breaker
from app.core.metrics import cache_requests
from app.core.redis_calls import RedisAway, ask_redis

if TYPE_CHECKING:
    from redis.asyncio import Redis

LOCAL_SECONDS: Final = 2.0
ALONE_SECONDS: Final = 5.0
MOST_ENTRIES: Final = 20_000
MAC_BYTES: Final = 32
PREFIX: Final = "lifevault:cache:"
EPOCH: Final = f"{PREFIX}epoch"

# Nothing is kept that was made before something was forgotten, whatever that was: it may be of the same rows.
KEEP: Final = """
if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
for i = 3, #KEYS do redis.call('SADD', KEYS[i], KEYS[2]) redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return 1
"""
FORGET: Final = """
redis.call('INCR', KEYS[1])
for i = 2, #KEYS do
  for _, kept in ipairs(redis.call('SMEMBERS', KEYS[i])) do redis.call('DEL', kept) end
  redis.call('DEL', KEYS[i])
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A value as JSON has it, and the tags by which it is forgotten: words with ids, such as `family:…`."""

    value: Any
    tags: tuple[str, ...]


Make: TypeAlias = Callable[[], Awaitable[Made]]


class CacheAway(ConnectionError):
    """Redis does not answer, so others may still find what was to be forgotten: try again."""


class Cache:
    """One for each process; `timeout` is the longest wait for Redis.

    Entries carry a MAC by `secret`, bound to their place: who can write to Redis can't make anybody somebody else.
    """

    def __init__(self, redis: "Redis | None", timeout: float, breaker: Breaker, secret: bytes) -> None:
        self._redis = redis
        self._key = hmac.digest(secret, b"lifevault cache", "sha256")
        self._timeout = timeout
        self._breaker = breaker
        self._local: OrderedDict[Hashable, tuple[float, Made]] = OrderedDict()
        self._generation = 0

    async def get(self, name: str, key: str, seconds: int, make: Make) -> Any:
        """The value of a key, which is an id or a digest, made if it is not kept; good for so many seconds."""
        kept = self._local.get((name, key))
        if kept is not None and kept[0] > time.monotonic():
            cache_requests.labels(name, "hit").inc()
            return kept[1].value
        generation = self._generation
        place = f"{PREFIX}{name}:{key}"
        answered = await self._ask(lambda redis: redis.mget(place, EPOCH))
        shared = self._opened(place, answered[0]) if answered else None
        if shared is not None:
            cache_requests.labels(name, "shared hit").inc()
            self._remember((name, key), shared, LOCAL_SECONDS, generation)
            return shared.value
        cache_requests.labels(name, "miss").inc()
        made = await make()
        if answered:
            epoch = (answered[1] or b"0").decode()
            await self._keep(place, made, seconds, epoch)
        self._remember((name, key), made, min(seconds, LOCAL_SECONDS if answered else ALONE_SECONDS), generation)
        return made.value

    async def forget(self, *tags: str) -> None:
        """Drop everything that carries one of the tags. Raises `CacheAway` if others could not be told."""
        self._generation += 1
        for key in [key for key, (_, made) in self._local.items() if not set(tags).isdisjoint(made.tags)]:
            del self._local[key]
        keys = [EPOCH, *map(_tag, tags)]
        if self._redis is not None and await self._ask(lambda redis: redis.eval(FORGET, len(keys), *keys)) is None:
            raise CacheAway

    def clear(self) -> None:
        """Drop what this process remembers."""
        self._generation += 1
        self._local.clear()

    async def _keep(self, place: str, made: Made, seconds: int, epoch: str) -> None:
        content = orjson.dumps([made.value, made.tags])
        content = self._mac(place, content) + content
        keys = [EPOCH, place, *map(_tag, made.tags)]
        await self._ask(lambda redis: redis.eval(KEEP, len(keys), *keys, epoch, content, str(seconds)))

    def _opened(self, place: str, entry: bytes | None) -> Made | None:
        if entry is None or not hmac.compare_digest(entry[:MAC_BYTES], self._mac(place, entry[MAC_BYTES:])):
            return None
        value, tags = orjson.loads(entry[MAC_BYTES:])
        return Made(value, tuple(tags))

    def _mac(self, place: str, content: bytes) -> bytes:
        return hmac.digest(self._key, place.encode() + b"\0" + content, "sha256")

    def _remember(self, key: Hashable, made: Made, seconds: float, generation: int) -> None:
        if generation != self._generation:
            return
        self._local[key] = (time.monotonic() + seconds, made)
        self._local.move_to_end(key)
        if len(self._local) > MOST_ENTRIES:
            self._local.popitem(last=False)

    async def _ask(self, question: "Callable[[Redis], Awaitable[Any]]") -> Any:
        """Redis' answer; None while it does not answer."""
        redis = self._redis
        if redis is None:
            return None
        try:
            return await ask_redis(lambda: question(redis), seconds=self._timeout, breaker=self._breaker, who="cache")
        except RedisAway:
            return None


def _tag(tag: str) -> str:
    return f"{PREFIX}tag:{tag}"
