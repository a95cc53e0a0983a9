"""Challenges: questions that are answered once, within minutes, by whom they were put to.

A challenge is also what an authenticator signs: its token is the base64url text of 32 random bytes.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import Challenge
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.db.runtime import current

Kind = Literal["second_factor", "passkey", "register", "step_up"]
MOST_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """An open challenge."""

    id: UUID
    user_id: UUID | None
    scope: str | None


async def ask(
    session: AsyncSession,
    kind: Kind,
    *,
    user_id: UUID | None = None,
    session_id: UUID | None = None,
    scope: str | None = None,
) -> str:
    """The token of a new challenge, to this person and in this session only, if they are given."""
    token = new_token()
    values = {"kind": kind, "user_id": user_id, "session_id": session_id, "scope": scope}
    life = timedelta(seconds=current().settings.challenge_seconds)
    digest = token_digest(token)
    await session.execute(insert(Challenge).values(id=new_id(), digest=digest, expires_at=func.now() + life, **values))
    return token


def _open(kind: Kind, token: str, session_id: UUID | None) -> ColumnElement[bool]:
    same_session = Challenge.session_id.is_(None) if session_id is None else Challenge.session_id == session_id
    alive = (Challenge.expires_at > func.now()) & (Challenge.attempts < MOST_ATTEMPTS)
    return (Challenge.kind == kind) & (Challenge.digest == token_digest(token)) & same_session & alive


async def find(
    session: AsyncSession, kind: Kind, token: str, *, session_id: UUID | None = None, lock: bool = False
) -> Asked | None:
    """An open challenge; with `lock` nobody else can answer it before the end of the transaction."""
    columns = Challenge.id, Challenge.user_id, Challenge.scope
    statement = select(*columns).where(_open(kind, token, session_id))
    row = (await session.execute(statement.with_for_update() if lock else statement)).one_or_none()
    return Asked(*row) if row else None


async def redeem(session: AsyncSession, kind: Kind, token: str, *, session_id: UUID | None = None) -> Asked | None:
    """Use a challenge up; None if it is not open."""
    columns = Challenge.id, Challenge.user_id, Challenge.scope
    used = delete(Challenge).where(_open(kind, token, session_id)).returning(*columns)
    row = (await session.execute(used)).one_or_none()
    return Asked(*row) if row else None


async def close(session: AsyncSession, asked: Asked) -> None:
    """Nobody can answer a challenge any more."""
    await session.execute(delete(Challenge).where(Challenge.id == asked.id))


async def count_failure(session: AsyncSession, asked: Asked) -> None:
    """Note a wrong answer; after `MOST_ATTEMPTS` of them the challenge is void."""
    await session.execute(update(Challenge).where(Challenge.id == asked.id).values(attempts=Challenge.attempts + 1))


async def void(session: AsyncSession, user_id: UUID) -> None:
    """Make every open challenge of a person useless."""
    await session.execute(delete(Challenge).where(Challenge.user_id == user_id))
