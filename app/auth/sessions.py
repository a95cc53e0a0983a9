"""Sessions: their start, the check on every request, their list and their end."""

from datetime import timedelta
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, bindparam, func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.acts import note
from app.auth.devices import Device
from app.auth.errors import SessionEnded, SessionNotFound
from app.auth.models import RefreshToken, User, UserSession
from app.auth.parts import per_runtime
from app.auth.principal import Principal
from app.auth.schemas import SessionRead, SessionUpdate
from app.auth.seen import Seen
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import Runtime, current
from app.db.session import enter, session_scope
from app.db.statements import Statement

SEEN_SECONDS = 3_600
LIVE: ColumnElement[bool] = UserSession.ended_at.is_(None) & (UserSession.expires_at > func.now())

IS_LIVE = Statement(
    select(literal_column("1")).where(
        UserSession.id == bindparam("session_id"), UserSession.user_id == bindparam("user_id"), LIVE
    )
)


async def start(session: AsyncSession, user_id: UUID, scope: str | None, device: Device) -> tuple[UUID, str]:
    """A new session of a person, with its first refresh token; the transaction is the system's.

    Emits `auth.new_device` unless it is the first, or one like it was seen before.
    """
    session_id = new_id()
    if await _is_new(session, user_id, device):
        await emit(session, "auth.new_device", user_id=user_id, session_id=session_id)
    ring = await current().keys.ring(session, user_id)
    body = orjson.dumps({"name": device.name, "address": device.address})
    await session.execute(
        insert(UserSession).values(
            id=session_id,
            user_id=user_id,
            scope=scope,
            device=ring.seal("auth_sessions", session_id, "device", body),
            address_digest=device.place,
            device_digest=device.digest,
            expires_at=func.now() + _life(),
        )
    )
    refresh_token = await _add_token(session, session_id, user_id, parent_id=None)
    await note(session, Principal(user_id, frozenset(), session_id), user_id, "auth.signed_in", session_id)
    return session_id, refresh_token


async def _is_new(session: AsyncSession, user_id: UUID, device: Device) -> bool:
    """Whether a person who has signed in before never did so with such a device from this place."""
    same_device = (UserSession.device_digest == device.digest) | UserSession.device_digest.is_(None)
    like_this = same_device & (UserSession.address_digest == device.place)
    columns = func.count(), func.count().filter(like_this)
    sessions, alike = (await session.execute(select(*columns).where(UserSession.user_id == user_id))).one()
    return bool(sessions and not alike)


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
        await _seen().mark(principal.session_id, _touch(principal))
    question = IS_LIVE.with_ids(session_id=principal.session_id, user_id=principal.user_id)
    if not await enter(session, principal.actor, question):
        raise SessionEnded


@per_runtime
def _seen(_: Runtime) -> Seen:
    return Seen(SEEN_SECONDS)


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
        name=device.get("label"),
        device=device["name"],
        address=device["address"],
        current=row.id == principal.session_id,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
    )


async def update_session(
    session: AsyncSession, principal: Principal, session_id: UUID, data: SessionUpdate
) -> SessionRead:
    """Give one of the principal's devices a name. Raises `SessionNotFound`."""
    mine = UserSession.id == session_id, UserSession.user_id == principal.user_id, LIVE
    row = await session.scalar(select(UserSession).where(*mine).with_for_update())
    if row is None:
        raise SessionNotFound
    ring = await current().keys.ring(session, principal.user_id, row.device)
    body = orjson.loads(ring.open("auth_sessions", row.id, "device", row.device))
    row.device = ring.seal("auth_sessions", row.id, "device", orjson.dumps(body | {"label": data.name}))
    await session.flush()
    return _read(row, ring, principal)


async def find_session(session: AsyncSession, user_id: UUID, session_id: UUID) -> SessionRead | None:
    """A session of a person, for themself or the system; None if it has ended."""
    row = await session.scalar(select(UserSession).where(UserSession.id == session_id, LIVE))
    if row is None:
        return None
    ring = await current().keys.ring(session, user_id, row.device)
    return _read(row, ring, Principal(user_id, frozenset(), session_id))


async def end(session: AsyncSession, user_id: UUID, *which: ColumnElement[bool]) -> int:
    """End the live sessions of a person that meet every condition; returns how many."""
    ended = update(UserSession).where(UserSession.user_id == user_id, LIVE, *which).values(ended_at=func.now())
    return len((await session.scalars(ended.returning(UserSession.id))).all())


async def end_this(session: AsyncSession, principal: Principal) -> None:
    """End the session that the principal is using."""
    await end(session, principal.user_id, UserSession.id == principal.session_id)
    await note(session, principal, principal.user_id, "auth.signed_out", principal.session_id)


async def end_session(session: AsyncSession, principal: Principal, session_id: UUID) -> None:
    """End one of the principal's sessions. Raises `SessionNotFound`."""
    if not await end(session, principal.user_id, UserSession.id == session_id):
        raise SessionNotFound
    await note(session, principal, principal.user_id, "auth.session_ended", session_id)


async def end_others(session: AsyncSession, principal: Principal) -> None:
    """End every session of the principal but this one."""
    await end(session, principal.user_id, UserSession.id != principal.session_id)
