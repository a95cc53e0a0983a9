"""Sessions: their start, the check on every request, their list and their end."""

import time
from collections import OrderedDict
from datetime import timedelta
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, bindparam, func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.devices import Device
from app.auth.errors import SessionEnded, SessionNotFound
from app.auth.models import RefreshToken, User, UserSession
from app.auth.parts import per_runtime
from app.auth.principal import Principal
from app.auth.schemas import SessionRead
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.db.keys import KeyRing
from app.db.runtime import Runtime, current
from app.db.session import enter, session_scope
from app.db.statements import Statement

SEEN_SECONDS = 3_600
REMEMBER_SEEN = 50_000
LIVE: ColumnElement[bool] = UserSession.ended_at.is_(None) & (UserSession.expires_at > func.now())

_IS_LIVE = Statement(
    select(literal_column("1")).where(
        UserSession.id == bindparam("session_id"), UserSession.user_id == bindparam("user_id"), LIVE
    )
)


async def start(session: AsyncSession, user_id: UUID, scope: str | None, device: Device) -> tuple[UUID, str]:
    """A new session of a person, with its first refresh token; the transaction is the system's."""
    session_id = new_id()
    ring = await current().keys.ring(session, user_id)
    body = orjson.dumps({"name": device.name, "address": device.address})
    await session.execute(
        insert(UserSession).values(
            id=session_id,
            user_id=user_id,
            scope=scope,
            device=ring.seal("auth_sessions", session_id, "device", body),
            address_digest=device.place,
            expires_at=func.now() + _life(),
        )
    )
    return session_id, await _add_token(session, session_id, user_id, parent_id=None)


async def prolong(session: AsyncSession, session_id: UUID, user_id: UUID, parent_id: UUID) -> str:
    """The refresh token that replaces `parent_id`; the session lives on from now."""
    values = {"expires_at": func.now() + _life(), "last_seen_at": func.now()}
    await session.execute(update(UserSession).where(UserSession.id == session_id).values(**values))
    return await _add_token(session, session_id, user_id, parent_id)


async def _add_token(session: AsyncSession, session_id: UUID, user_id: UUID, parent_id: UUID | None) -> str:
    token = new_token()
    values = {"session_id": session_id, "user_id": user_id, "parent_id": parent_id, "digest": token_digest(token)}
    await session.execute(insert(RefreshToken).values(id=new_id(), **values))
    return token


def _life() -> timedelta:
    return timedelta(seconds=current().settings.refresh_token_seconds)


async def enter_live_session(session: AsyncSession, principal: Principal) -> None:
    """The check on every request: begin the transaction for the principal, if their session lives.

    Raises `SessionEnded`.
    """
    if principal.session_id is None:
        raise SessionEnded
    if _seen().is_stale(principal.session_id):
        await _touch(principal)
    question = _IS_LIVE.with_ids(session_id=principal.session_id, user_id=principal.user_id)
    if not await enter(session, principal.actor, question):
        raise SessionEnded


class _Seen:
    """Which sessions this process has marked as seen within the hour."""

    def __init__(self) -> None:
        self._at: OrderedDict[UUID, float] = OrderedDict()

    def is_stale(self, session_id: UUID) -> bool:
        """Whether it is time to mark the session again; the caller does so."""
        now = time.monotonic()
        if self._at.get(session_id, -SEEN_SECONDS) + SEEN_SECONDS > now:
            return False
        self._at[session_id] = now
        self._at.move_to_end(session_id)
        if len(self._at) > REMEMBER_SEEN:
            self._at.popitem(last=False)
        return True


@per_runtime
def _seen(_: Runtime) -> _Seen:
    return _Seen()


async def _touch(principal: Principal) -> None:
    """Record that the person is there, in a transaction of its own, so that a long request holds no lock on it."""
    old = func.now() - timedelta(seconds=SEEN_SECONDS)
    stale = select(UserSession.id).where(UserSession.id == principal.session_id, UserSession.last_seen_at < old, LIVE)
    touched = (
        update(UserSession)
        .where(UserSession.id.in_(stale.with_for_update(skip_locked=True)))
        .values(last_seen_at=func.now())
        .returning(UserSession.user_id)
        .cte("touched")
    )
    person = update(User).where(User.id.in_(select(touched.c.user_id))).values(last_seen_at=func.now())
    async with session_scope(principal.actor) as session:
        await session.execute(person.add_cte(touched), execution_options={"synchronize_session": False})


async def list_sessions(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[SessionRead], UUID | None]:
    """The live sessions of the principal, newest first, older than `after`; with the last id if there are more."""
    statement = select(UserSession).where(UserSession.user_id == principal.user_id, LIVE)
    if after:
        statement = statement.where(UserSession.id < after)
    rows = list(await session.scalars(statement.order_by(UserSession.id.desc()).limit(limit + 1)))
    ring = await current().keys.ring(session, principal.user_id, *(row.device for row in rows))
    items = [_read(row, ring, principal) for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


def _read(row: UserSession, ring: KeyRing, principal: Principal) -> SessionRead:
    device = orjson.loads(ring.open("auth_sessions", row.id, "device", row.device))
    return SessionRead(
        id=row.id,
        device=device["name"],
        address=device["address"],
        current=row.id == principal.session_id,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
    )


async def end(session: AsyncSession, user_id: UUID, *which: ColumnElement[bool]) -> int:
    """End the live sessions of a person that meet every condition; returns how many."""
    ended = update(UserSession).where(UserSession.user_id == user_id, LIVE, *which).values(ended_at=func.now())
    return len((await session.scalars(ended.returning(UserSession.id))).all())


async def end_this(session: AsyncSession, principal: Principal) -> None:
    """End the session that the principal is using."""
    await end(session, principal.user_id, UserSession.id == principal.session_id)


async def end_session(session: AsyncSession, principal: Principal, session_id: UUID) -> None:
    """End one of the principal's sessions. Raises `SessionNotFound`."""
    if not await end(session, principal.user_id, UserSession.id == session_id):
        raise SessionNotFound


async def end_others(session: AsyncSession, principal: Principal) -> None:
    """End every session of the principal but this one."""
    await end(session, principal.user_id, UserSession.id != principal.session_id)
