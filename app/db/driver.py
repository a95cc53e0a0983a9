"""The asyncpg connection under SQLAlchemy: its errors, and whether one from the pool is still good."""

import time
from typing import Any, Final, TypeAlias

import asyncpg
from prometheus_client import Gauge
from sqlalchemy import Engine, event
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

connections = Gauge(
    "lifevault_database_connections", "Connections to the database that are open.", multiprocess_mode="livesum"
)
in_use = Gauge("lifevault_database_connections_in_use", "Of these, how many are in use.", multiprocess_mode="livesum")

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

REST_SECONDS: Final = 30
PING_SECONDS: Final = 1.0
RESTED_SINCE: Final = "rested since"
# TimeoutError is an OSError; InternalClientError is what a query meets while the server's farewell is being read.
LOST: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError)
ERRORS: Final = (*LOST, asyncpg.PostgresError)


def as_database_error(error: Exception) -> DBAPIError:
    """An error of asyncpg as SQLAlchemy would raise it, with the original as `orig`."""
    kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
    return kind(None, None, error, hide_parameters=True, connection_invalidated=isinstance(error, LOST))


def watch_pool(engine: Engine) -> None:
    """See that nobody gets a dead connection from the pool, or one with a transaction in it.

    A connection that the server has closed is known as such without asking. One that rested for `REST_SECONDS` is
    asked, since a fault of the network tells nobody; SQLAlchemy's own `pool_pre_ping` asks on every check-out.
    """

    def on_connect(_adapted: AdaptedConnection, _entry: ConnectionPoolEntry) -> None:
        connections.inc()

    def on_close(_adapted: AdaptedConnection, _entry: ConnectionPoolEntry) -> None:
        connections.dec()

    def on_checkout(adapted: AdaptedConnection, entry: ConnectionPoolEntry, _fairy: Any) -> None:
        if adapted.driver_connection.is_closed():
            raise DisconnectionError
        if entry.info.pop(RESTED_SINCE, time.monotonic()) + REST_SECONDS < time.monotonic():
            try:
                _run(adapted, "SELECT 1", PING_SECONDS)
            except ERRORS:
                adapted.driver_connection.terminate()  # without a farewell, which nobody would answer
                raise DisconnectionError from None
        in_use.inc()

    def on_checkin(_adapted: AdaptedConnection | None, entry: ConnectionPoolEntry) -> None:
        in_use.dec()
        entry.info[RESTED_SINCE] = time.monotonic()

    def on_reset(adapted: AdaptedConnection, _entry: ConnectionPoolEntry, state: PoolResetState) -> None:
        driver = adapted.driver_connection
        if not (state.terminate_only or driver.is_closed()) and driver.is_in_transaction():
            try:
                _run(adapted, "ROLLBACK", PING_SECONDS)
            except ERRORS:
                driver.terminate()  # its server is silent; whoever is given it next gets a new one in its place

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "close", on_close)
    event.listen(engine, "checkout", on_checkout)
    event.listen(engine, "checkin", on_checkin)
    event.listen(engine, "reset", on_reset)


def _run(adapted: Any, commands: str, seconds: float | None = None) -> str:
    tag: str = adapted.run_async(lambda driver: driver.execute(commands, timeout=seconds))
    return tag
