"""Questions to Redis, of which nobody waits long for an answer: there is always a way without it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.core.breaker import Breaker
from app.core.logging import get_log

T = TypeVar("T")

log = get_log(__name__)


class RedisAway(ConnectionError):
    """Redis does not answer."""


async def ask_redis(question: Callable[[], Awaitable[T]], *, seconds: float, breaker: Breaker, who: str) -> T:
    """The answer, for which so many seconds are waited at most, and none while the breaker is open.

    Raises `RedisAway`; the log says `who` goes on without it.
    """
    if not breaker.allows():
        raise RedisAway
    from redis.exceptions import RedisError  # noqa: PLC0415 (takes a while to import)

    try:
        async with asyncio.timeout(seconds):
            answer = await question()
    except (RedisError, OSError, TimeoutError) as error:
        breaker.failed()
        log.warning(f"{who} without Redis", error=type(error).__name__)
        raise RedisAway from error
    breaker.succeeded()
    return answer
