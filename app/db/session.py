"""Sessions: transactions for an actor, on the connection of the driver, with the ORM for whoever needs it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.db.engine import make_engine, role_of
from app.db.gate import Gate
from app.db.replicas import Replicas
from app.db.transaction import NOBODY, SYSTEM, Actor, Transaction

__all__ = ["NOBODY", "SYSTEM", "Actor"]

NOT_FOUND: Final = "SELECT 0"


class OrmSession(Session):
    """The ORM within a transaction that is begun and ended by somebody else."""

    def __init__(self, *, transaction: Callable[[], Transaction], **options: Any) -> None:
        super().__init__(**options)
        self._transaction_of = transaction

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        """The connection of the transaction, which begins if it has not."""
        return self._transaction_of().connection()


class LazySession(AsyncSession):
    """A session of SQLAlchemy that is made when it is first used as one: a `Statement` needs the transaction alone.

    The transaction begins with the first statement; `commit` ends it, and the next begins with the next statement.
    """

    info: dict[Any, Any] = {}

    def __init__(self, bind: AsyncEngine, *, info: dict[Any, Any], **options: Any) -> None:
        self.info = dict(info)
        self._primary_info = info
        self.transaction = Transaction(bind.sync_engine, self.info)
        self._options = options
        self._primary = bind
        self._replicas: Replicas | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in ("sync_session", "_proxied"):
            raise AttributeError(name)
        super().__init__(sync_session_class=OrmSession, transaction=lambda: self.transaction, **self._options)
        return getattr(self, name)

    @property
    def _has_orm(self) -> bool:
        return "sync_session" in vars(self)

    def may_read_from(self, replicas: Replicas) -> None:
        """Only reads follow: what comes after `enter` may be answered by a replica."""
        self._replicas = replicas

    @property
    def is_on_replica(self) -> bool:
        """Whether a replica answers."""
        return self.info["gate"] is not self._primary_info["gate"]

    async def use_primary(self) -> None:
        """Go on on the primary, for the same actor; what was read is not read again."""
        if self.is_on_replica:
            await self.rollback()
            self.info.update(role=self._primary_info["role"], gate=self._primary_info["gate"])
            self.transaction = Transaction(self._primary.sync_engine, self.info)

    async def enter(self, actor: Actor, question: str) -> bool:
        """Begin; whether a query found a row. See `enter`, the function."""
        found = await self.transaction.begin(question) != NOT_FOUND
        if found and self._replicas is not None:
            self.transaction = await self._replicas.take_over(self.transaction, actor, self.info)
        return found

    def begin(self) -> NoReturn:
        """Refused: a transaction begins by itself, and `commit` or `session_scope` ends it."""
        raise RuntimeError("the transaction begins with the first statement")

    def in_transaction(self) -> bool:
        """Whether a transaction has begun."""
        return self.transaction.has_begun

    async def commit(self) -> None:
        """Send what the ORM has not sent yet, and commit. Raises `InvalidRequestError`, `DBAPIError`."""
        if self._has_orm:
            await super().commit()
        await self.transaction.commit()

    async def rollback(self) -> None:
        """Undo the transaction; the next begins with the next statement."""
        if self._has_orm:
            await super().rollback()
        await self.transaction.end()

    async def close(self) -> None:
        """Undo what is not committed, and give the connection back."""
        try:
            if self._has_orm:
                await super().close()
        finally:
            await self.transaction.end()


new_session: async_sessionmaker[LazySession] = async_sessionmaker(class_=LazySession, expire_on_commit=False)


def connect(settings: Settings, gate: Gate) -> AsyncEngine:
    """The engine of this process; `new_session` uses it from now on."""
    url = settings.database_url.get_secret_value()
    engine = make_engine(settings, url, settings.database_connect_timeout_seconds)
    new_session.configure(bind=engine, info={"role": role_of(url), "gate": gate})
    return engine


def act_for(session: AsyncSession, actor: Actor) -> None:
    """Say whom the session acts for; must be called before its transaction begins."""
    if session.in_transaction() and session.info.get("actor", NOBODY) != actor:
        raise RuntimeError("the transaction has begun for somebody else")
    session.info["actor"] = actor


async def enter(session: AsyncSession, actor: Actor, question: str) -> bool:
    """Begin the session's transaction for `actor`; whether a query, asked in the same round trip, found a row.

    The query is asked on the primary. It has no parameters; it must be made by `Statement.with_ids`. Raises as
    `Transaction.begin` does.
    """
    act_for(session, actor)
    return await lazy(session).enter(actor, question)


def transaction_of(session: AsyncSession) -> Transaction:
    """The transaction that a session is on."""
    return lazy(session).transaction


def lazy(session: AsyncSession) -> LazySession:
    """A session as what it is here."""
    assert isinstance(session, LazySession)  # noqa: S101
    return session


@asynccontextmanager
async def session_scope(actor: Actor = SYSTEM) -> AsyncIterator[AsyncSession]:
    """One transaction for `actor`: committed at the end, rolled back by an exception."""
    session = new_session()
    session.info["actor"] = actor
    try:
        yield session
        await session.commit()  # which gives the connection back
    except BaseException:
        async with session:  # rolls back, even while this is being cancelled
            raise
