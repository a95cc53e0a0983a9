"""Which processes do background work: each says so in Redis now and then. Losing that list costs nothing."""

import os
import time
from contextlib import suppress
from typing import Final

from app.core.clock import new_id
from app.core.tasks import QUEUE
from app.db.runtime import current

KEY: Final = "lifevault:workers"
SEEN_SECONDS: Final = 300
PAUSE_SECONDS: Final = 10.0

_run: Final = new_id()
_last: dict[int, float] = {}


async def note_worker() -> None:
    """Say that this process works, unless it has said so just now."""
    redis, pid, now = current().redis, os.getpid(), time.monotonic()
    if redis is None or now < _last.get(pid, -PAUSE_SECONDS) + PAUSE_SECONDS:
        return
    _last[pid] = now
    from redis.exceptions import RedisError  # noqa: PLC0415 (takes a while to import)

    with suppress(RedisError, OSError, TimeoutError):
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.zadd(KEY, {f"{_run}:{pid}": time.time()})
            pipeline.zremrangebyscore(KEY, "-inf", time.time() - SEEN_SECONDS)
            pipeline.expire(KEY, SEEN_SECONDS)
            await pipeline.execute()


async def seen_workers() -> list[float]:
    """For each process that worked in the last `SEEN_SECONDS`, how many seconds ago it said so; the latest first."""
    redis = current().redis
    if redis is None:
        return []
    now = time.time()
    scores = await redis.zrangebyscore(KEY, now - SEEN_SECONDS, "+inf", withscores=True)
    return sorted(max(0.0, now - float(pair[1])) for pair in scores)


async def queue_messages() -> int | None:
    """Messages in the queue that no worker has taken; None without a queue."""
    redis = current().redis
    return None if redis is None else int(await redis.llen(QUEUE))
