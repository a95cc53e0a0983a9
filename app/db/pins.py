"""How far a replica must have come before somebody reads from it: where their last own change stands in the log.

It is kept in Redis for a while, under a keyed digest of who it is, so that every process knows. While Redis does not
answer nobody knows, and everything is read from the primary.
"""

import hmac
from typing import TYPE_CHECKING, Final

from app.core.breaker import Breaker
from app.core.redis_calls import RedisAway, ask_redis

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX: Final = "lifevault:pin:"
# Of two changes at once the later place counts, whichever is noted last; the places are written in equally many digits.
RAISE: Final = """
local kept = redis.call('GET', KEYS[1])
if not kept or kept < ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return 1
"""


class Pins:
    """The pins of everybody; `seconds` is how long one is kept."""

    def __init__(self, redis: "Redis | None", *, seconds: int, timeout: float, breaker: Breaker, secret: bytes) -> None:
        self._redis = redis
        self._seconds = seconds
        self._timeout = timeout
        self._breaker = breaker
        self._key = hmac.digest(secret, b"lifevault pins", "sha256")

    async def pin(self, who: str, position: int) -> None:
        """Somebody's change stands at this place of the log. Raises `RedisAway`."""
        redis = self._client()
        place, digits = self._place(who), f"{position:016x}"
        await ask_redis(
            lambda: redis.eval(RAISE, 1, place, digits, str(self._seconds)),
            seconds=self._timeout,
            breaker=self._breaker,
            who="pins",
        )

    async def position_of(self, who: str) -> int:
        """The place that a replica must have reached for somebody; 0 for any. Raises `RedisAway`."""
        redis = self._client()
        place = self._place(who)
        kept = await ask_redis(lambda: redis.get(place), seconds=self._timeout, breaker=self._breaker, who="pins")
        return int(kept, 16) if kept else 0

    def _client(self) -> "Redis":
        if self._redis is None:
            raise RedisAway
        return self._redis

    def _place(self, who: str) -> str:
        return PREFIX + hmac.digest(self._key, who.encode(), "sha256").hex()
