"""What one process holds open: settings, engine, keys, blobs, Redis."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core import telemetry
from app.core.blobs import BlobStore
from app.core.breaker import Breaker
from app.core.cache import Cache
from app.core.config import Settings
from app.core.crypto import RootKeys
from app.db.gate import Gate
from app.db.keys import KeyStore
from app.db.pins import Pins
from app.db.replicas import Replicas
from app.db.session import connect

if TYPE_CHECKING:
    from redis.asyncio import Redis

REDIS_CONNECTIONS = 50
REDIS_PAUSE_SECONDS = 10.0


@dataclass(frozen=True)
class Runtime:
    """The open parts of this process; made by `open_runtime`."""

    settings: Settings
    engine: AsyncEngine
    gate: Gate
    keys: KeyStore
    blobs: BlobStore
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list, compare=False, repr=False)
    """What other packages opened for it; see `when_closing`."""

    @cached_property
    def redis(self) -> "Redis | None":
        """The client of Redis, None if there is none."""
        return _redis(self.settings)

    @cached_property
    def redis_breaker(self) -> Breaker:
        """Whether Redis is worth asking: one failure is enough, as there is always a way without it."""
        return Breaker("redis", failures=1, pause_seconds=REDIS_PAUSE_SECONDS)

    @cached_property
    def replicas(self) -> Replicas | None:
        """Replicas of the database, None if there are none."""
        settings = self.settings
        if not settings.replica_urls:
            return None
        pins = Pins(
            self.redis,
            seconds=settings.replica_pin_seconds,
            timeout=settings.redis_timeout_seconds,
            breaker=self.redis_breaker,
            secret=settings.lookup_key_bytes,
        )
        replicas = Replicas(settings, pins)
        when_closing(self, replicas.close)
        return replicas

    @cached_property
    def cache(self) -> Cache:
        """What can be made again, kept for a while."""
        settings = self.settings
        return Cache(self.redis, settings.redis_timeout_seconds, self.redis_breaker, settings.lookup_key_bytes)


_current: list[Runtime] = []


def open_runtime(settings: Settings) -> Runtime:
    """Open everything lazily: nothing connects before it is used."""
    gate = Gate(settings.database_connect_timeout_seconds)
    runtime = Runtime(
        settings=settings,
        engine=connect(settings, gate),
        gate=gate,
        keys=KeyStore(RootKeys(settings.root_key_ring)),
        blobs=BlobStore(settings.blob_url),
    )
    _current[:] = [runtime]
    if telemetry.is_wanted(settings):
        when_closing(runtime, telemetry.start(settings))
    return runtime


def current() -> Runtime:
    """The runtime of this process. Raises `RuntimeError` before `open_runtime`."""
    if not _current:
        raise RuntimeError("open_runtime(settings) comes first")
    return _current[0]


def when_closing(runtime: Runtime, close: Callable[[], Awaitable[None]]) -> None:
    """Have something closed with the runtime, in the event loop that closes it."""
    runtime.closers.append(close)


async def close_runtime() -> None:
    """Close all connections."""
    if not _current:
        return
    runtime = _current.pop()
    for close in runtime.closers:
        await close()
    await runtime.engine.dispose()
    runtime.gate.close()
    runtime.redis_breaker.forget()
    if "redis" in vars(runtime) and runtime.redis:
        await runtime.redis.aclose()


def _redis(settings: Settings) -> "Redis | None":
    """A client that gives up soon, but not because many ask at once.

    redis-py's defaults retry ten times, wait for five seconds, and fail when 100 connections are in use.
    """
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415  heavy, and not needed to start
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    timeout = settings.redis_timeout_seconds
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=REDIS_CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)
