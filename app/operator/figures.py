"""All the numbers of the operators' page, from what each package tells of itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.pool import QueuePool
from starlette.responses import Response

from app.agents.overview import model_use
from app.api.health import ready
from app.auth.parts import per_runtime
from app.core.clock import utc_now
from app.db.runtime import Runtime, current
from app.jobs import overview
from app.jobs.workers import queue_messages, seen_workers
from app.notifications.webhooks.overview import webhook_overview
from app.operator.schemas import Day, Figures, Part, Pool
from app.operator.traffic import Measured
from app.payments.services.attention import payment_overview

DAY_SECONDS: Final = 15
PROBE_SECONDS: Final = 1.0


async def figures(session: AsyncSession) -> Figures:
    """What there is to see now, in a transaction of the system."""
    measured = await asyncio.to_thread(Measured)
    waiting = await overview.waiting(session)
    day = await _day().read(session)
    parts, workers, messages = await asyncio.gather(_parts(), _workers(), _messages())
    return Figures(
        at=utc_now(),
        version=version("lifevault"),
        environment=current().settings.environment,
        traffic=measured.traffic(),
        parts=parts,
        breakers=measured.breakers(),
        pool=_pool(measured.connections()),
        caches=measured.caches(),
        model_calls=measured.model_calls(),
        workers=workers,
        messages=messages,
        waiting=waiting,
        day=day,
    )


class _Day:
    """What costs more to ask for is asked for once in `DAY_SECONDS`, however many pages are open."""

    def __init__(self) -> None:
        self._kept: Day | None = None
        self._lock = asyncio.Lock()

    async def read(self, session: AsyncSession) -> Day:
        """The last day, as of a few seconds ago."""
        async with self._lock:
            if self._kept is None or self._kept.at < utc_now() - timedelta(seconds=DAY_SECONDS):
                self._kept = Day(
                    at=utc_now(),
                    work=await overview.work(session),
                    models=await model_use(session),
                    webhooks=await webhook_overview(session),
                    payments=await payment_overview(session),
                )
            return self._kept


@per_runtime
def _day(_: Runtime) -> _Day:
    return _Day()


def _pool(everywhere: int) -> Pool:
    pool = current().engine.sync_engine.pool
    settings = current().settings
    if not isinstance(pool, QueuePool):
        return Pool(in_use=0, open=0, most=0, everywhere=everywhere)
    in_use = pool.checkedout()
    most = settings.database_pool_size + settings.database_pool_overflow
    return Pool(in_use=in_use, open=in_use + pool.checkedin(), most=most, everywhere=everywhere)


async def _workers() -> list[float]:
    try:
        return await asyncio.wait_for(seen_workers(), PROBE_SECONDS)
    except Exception:  # the queue is shown as down
        return []


async def _messages() -> int | None:
    try:
        return await asyncio.wait_for(queue_messages(), PROBE_SECONDS)
    except Exception:  # as above
        return None


async def _parts() -> list[Part]:
    state = await ready(Response())
    redis = current().redis
    asked: dict[str, Callable[[], Awaitable[object]]] = {"database": _ask_database}
    if redis is not None:
        asked["queue"] = redis.ping
    times = dict(zip(asked, await asyncio.gather(*map(_timed, asked.values())), strict=True))
    return [Part(name=name, state=each, milliseconds=times.get(name)) for name, each in state.parts.items()]


async def _ask_database() -> None:
    async with current().engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def _timed(ask: Callable[[], Awaitable[object]]) -> float | None:
    started = time.perf_counter()
    try:
        await asyncio.wait_for(ask(), PROBE_SECONDS)
    except Exception:  # shown as down beside
        return None
    return round((time.perf_counter() - started) * 1000, 2)
