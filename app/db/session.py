"""Sessions: transactions for an actor, on the connection of the driver, with the ORM for whoever needs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.db.engine import asyncpg_url, make_engine
from app.db.gate import Gate
from app.db.security import ROLE
from app.db.transaction import NOBODY, SYSTEM, Actor, Transaction

__all__ = ["NOBODY", "SYSTEM", "Actor"]

NOT_FOUND: Final = "SELECT 0"


class OrmSession(Session):
    """The ORM within a transaction that is begun and ended by somebody else."""

    def __init__(self, *, transaction: Transaction, **options: Any) -> None:
        super().__init__(**options)
        self._on = transaction

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        """The connection of the transaction, which begins if it has not."""
        return self._on.connection()


class LazySession(AsyncSession):
    """A session of SQLAlchemy that is made when it is first used as one: a `Statement` needs the transaction alone.

    The transaction begins with the first statement; `commit` ends it, and the next begins with the next statement.
    """

    info: dict[Any, Any] = {}

    def __init__(self, bind: AsyncEngine, *, info: dict[Any, Any], **options: Any) -> None:
        self.info = dict(info)
        self.transaction = Transaction(bind.sync_engine, self.info)
        self._options = options

    def __getattr__(self, name: str) -> Any:
        if name not in ("sync_session", "_proxied"):
            raise AttributeError(name)
        super().__init__(sync_session_class=OrmSession, transaction=self.transaction, **self._options)
        return getattr(self, name)

    @property
    def _has_orm(self) -> bool:
        return "sync_session" in vars(self)

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
    engine = make_engine(settings)
    login = urlsplit(asyncpg_url(settings.database_url.get_secret_value())).username
    new_session.configure(bind=engine, info={"role": None if login == ROLE else ROLE, "gate": gate})
    return engine


def act_for(session: AsyncSession, actor: Actor) -> None:
    """Say whom the session acts for; must be called before its transaction begins."""
    if session.in_transaction() and session.info.get("actor", NOBODY) != actor:
        raise RuntimeError("the transaction has begun for somebody else")
    session.info["actor"] = actor


async def enter(session: AsyncSession, actor: Actor, question: str) -> bool:
    """Begin the session's transaction for `actor`; whether a query, asked in the same round trip, found a row.

    The query has no parameters; it must be made by `Statement.with_ids`. Raises as `Transaction.begin` does.
    """
    act_for(session, actor)
    return await transaction_of(session).begin(question) != NOT_FOUND


def transaction_of(session: AsyncSession) -> Transaction:
    """The transaction that a session is on."""
    assert isinstance(session, LazySession)  # noqa: S101
    return session.transaction


@asynccontextmanager
async def session_scope(actor: Actor = SYSTEM) -> AsyncIterator[AsyncSession]:
    """One transaction for `actor`: committed at the end, rolled back by an exception."""
    async with new_session() as session:
        session.info["actor"] = actor
        yield session
        await session.commit()
