"""Counting attempts in fixed windows: in Redis, or in this process while Redis does not answer."""

import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from app.core.breaker import Breaker
from app.core.redis_calls import RedisAway, ask_redis

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import FixedWindowRateLimiter
    from redis.asyncio import Redis

T = TypeVar("T")

PREFIX = "lifevault"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` attempts in `seconds`; `name` keeps its counters apart from those of other limits."""

    name: str
    most: int
    seconds: int


class Throttle:
    """Counters by key; keys must be ids or digests, as they are kept in Redis.

    A call waits `timeout` seconds for Redis at most, and not at all while the breaker is open.
    """

    def __init__(self, redis: "Redis | None", timeout: float, breaker: Breaker) -> None:
        from limits.aio.storage import MemoryStorage, RedisStorage  # noqa: PLC0415 (takes a while to import)
        from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

        self._timeout = timeout
        self._breaker = breaker
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._shared: FixedWindowRateLimiter | None = None
        if redis:
            storage = RedisStorage(
                "async+redis://pool:6379",  # never connected to: the pool has the address
                implementation="redispy",
                key_prefix=PREFIX,
                connection_pool=redis.connection_pool,  # type: ignore[arg-type]
            )
            self._shared = FixedWindowRateLimiter(storage)

    async def hit(self, limit: Limit, key: str) -> int:
        """Count an attempt; 0 if it is within the limit, otherwise the seconds until the next one is."""
        return await self._ask(lambda limiter: _hit(limiter, limit, key))

    async def full(self, limit: Limit, key: str) -> int:
        """As `hit`, but nothing is counted."""
        return await self._ask(lambda limiter: _full(limiter, limit, key))

    async def clear(self, limit: Limit, key: str) -> None:
        """Forget the attempts."""
        await self._ask(lambda limiter: limiter.clear(_item(limit), limit.name, key))

    async def _ask(self, question: "Callable[[FixedWindowRateLimiter], Awaitable[T]]") -> T:
        if shared := self._shared:
            with suppress(RedisAway):
                return await ask_redis(
                    lambda: question(shared), seconds=self._timeout, breaker=self._breaker, who="throttling"
                )
        return await question(self._local)


def _item(limit: Limit) -> "RateLimitItem":
    from limits import RateLimitItemPerSecond  # noqa: PLC0415

    return RateLimitItemPerSecond(limit.most, limit.seconds, namespace="throttle")


async def _hit(limiter: "FixedWindowRateLimiter", limit: Limit, key: str) -> int:
    if await limiter.hit(_item(limit), limit.name, key):
        return 0
    return await _wait(limiter, limit, key)


async def _full(limiter: "FixedWindowRateLimiter", limit: Limit, key: str) -> int:
    if await limiter.test(_item(limit), limit.name, key):
        return 0
    return await _wait(limiter, limit, key)


async def _wait(limiter: "FixedWindowRateLimiter", limit: Limit, key: str) -> int:
    window = await limiter.get_window_stats(_item(limit), limit.name, key)
    return max(1, math.ceil(window.reset_time - time.time()))
