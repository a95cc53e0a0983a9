"""A transaction: the connection that it is on, and the principal that row-level security goes by.

It begins with one round trip: BEGIN, role, principal, and a question where there is one (see `app.db.session.enter`).
"""

import time
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn

from app.db.driver import ERRORS, Driver, as_database_error
from app.db.gate import Gate
from app.db.slow import slow_log

PERSON: Final = "user:"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom a transaction acts for; row-level security compares rows with `setting`."""

    setting: str

    @classmethod
    def user(cls, user_id: UUID) -> "Actor":
        """A person: their own rows and those of their vaults."""
        return cls(f"{PERSON}{user_id}")

    @property
    def person(self) -> str | None:
        """The id of the person that it is, if it is one."""
        return self.setting.removeprefix(PERSON) if self.setting.startswith(PERSON) else None

    @classmethod
    def vault(cls, vault_id: UUID) -> "Actor":
        """A job that works within one vault."""
        return cls(f"vault:{vault_id}")

    @classmethod
    def nominee(cls, nominee_id: UUID) -> "Actor":
        """Somebody without an account, to whom no row is shown before a policy has decided."""
        return cls(f"nominee:{nominee_id}")

    @classmethod
    def family(cls, family_id: UUID) -> "Actor":
        """What one family pays and uses."""
        return cls(f"family:{family_id}")


SYSTEM: Final = Actor("system")
NOBODY: Final = Actor("")


class Transaction:
    """A connection from the pool while a transaction is on it; when one has ended, the next may begin.

    `info` names the `actor` that the transactions act for, the `role` they take, if any, and the `gate` to pass.
    """

    def __init__(self, engine: Engine, info: dict[Any, Any]) -> None:
        self._engine = engine
        self._info = info
        self._gate: Gate = info["gate"]
        self._pooled: PoolProxiedConnection | None = None
        self._driver: Driver | None = None
        self._connection: Connection | None = None
        self._last: list[tuple[int, Actor, str]] = []

    def go_by(self, info: dict[Any, Any]) -> None:
        """Act from now on for whom this says."""
        self._info = info

    @property
    def has_begun(self) -> bool:
        """Whether it holds a connection."""
        return self._pooled is not None

    async def begin(self, question: str = "") -> str:
        """Take a connection and begin; returns the tag of the last command.

        Raises `DBAPIError`, and `OSError` or asyncpg's errors if there is no connection; `DatabaseAway`, which is an
        `OSError`, at once while the database is known not to answer.
        """
        if self._pooled is not None:
            raise RuntimeError("the transaction has begun")
        with self._gate.passed():
            self._pooled = await greenlet_spawn(_connection_of, self._engine)
            self._driver = driver = cast(Driver, self._pooled.driver_connection)
            settings = f"set_config('app.principal', {quoted(self._info.get('actor', NOBODY).setting)}, true)"
            if role := self._info.get("role"):
                settings = f"set_config('role', {quoted(role)}, true), {settings}"
            try:
                return await _run(driver, f"BEGIN; SELECT {settings}; {question}", self._gate.seconds)
            except DBAPIError as error:
                if isinstance(error.orig, OSError):  # a silent server: nothing is worth waiting for on this connection
                    driver.terminate()
                raise

    async def driver(self) -> Driver:
        """What statements are sent by; begins if it has not. Raises as `begin` does."""
        if self._driver is None:
            await self.begin()
        return cast(Driver, self._driver)

    def connection(self) -> Connection:
        """The connection for SQLAlchemy, from within one of its greenlets; begins if it has not."""
        if self._pooled is None:
            await_only(self.begin())
        if self._connection is None:
            self._connection = Connection(self._engine, self._pooled)
        return self._connection

    def at_commit(self, command: str, actor: Actor, *, order: int) -> None:
        """Have a command without parameters sent together with COMMIT: it costs no round trip, and holds locks briefly.

        If it fails, nothing is committed. Commands of all transactions come in the order of `order`.
        """
        self._last.append((order, actor, command))

    async def commit(self) -> None:
        """Commit, if it has begun. Raises `InvalidRequestError` if the database rolled back, `DBAPIError`."""
        if self._driver is None and not self._last:
            return
        if await _run(await self.driver(), f"{self._last_commands()}COMMIT") != "COMMIT":
            raise InvalidRequestError("a statement of the transaction had failed, so the database rolled it back")
        await self.end()

    def _last_commands(self) -> str:
        commands, acting = [], self._info.get("actor", NOBODY)
        for _, actor, command in sorted(self._last, key=itemgetter(0)):
            if actor != acting:
                commands.append(f"SELECT set_config('app.principal', {quoted(actor.setting)}, true); ")
                acting = actor
            commands.append(f"{command}; ")
        return "".join(commands)

    async def end(self) -> None:
        """Give the connection back; the pool rolls back what was not committed."""
        pooled, self._pooled, self._driver, self._connection = self._pooled, None, None, None
        self._last.clear()
        if pooled is not None:
            await greenlet_spawn(pooled.close)


def _connection_of(engine: Engine) -> PoolProxiedConnection:
    """A connection of the pool. Raises `OSError`, and `DBAPIError` if the server refuses, as while it starts."""
    try:
        return engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(None, None, error, hide_parameters=True, connection_invalidated=True) from error


async def _run(driver: Driver, commands: str, seconds: float | None = None) -> str:
    """Send commands without parameters in one round trip; returns the tag of the last."""
    started = time.perf_counter()
    try:
        tag: str = await driver.execute(commands, timeout=seconds)
    except ERRORS as error:
        raise as_database_error(error) from error
    finally:
        slow_log.note(commands, started)
    return tag


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
