"""Links that are mailed: known by the digest of their token, and of no effect until somebody posts what they say."""

from datetime import timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.nominees.errors import LegacyLinkNotFound
from app.nominees.models import links

Kind: TypeAlias = Literal["invitation", "sign_in", "stop", "confirm", "drill"]

CASE_LINK_SECONDS = 400 * 86_400  # a case asks no link for its age: it counts as long as the case can be changed


async def make_link(
    session: AsyncSession,
    user_id: UUID,
    kind: Kind,
    *,
    nominee_id: UUID | None = None,
    subject_id: UUID | None = None,
    seconds: int = CASE_LINK_SECONDS,
) -> str:
    """The token of a new link; only its digest is kept."""
    token = new_token()
    values = {
        "id": new_id(),
        "user_id": user_id,
        "kind": kind,
        "digest": token_digest(token),
        "nominee_id": nominee_id,
        "subject_id": subject_id,
        "expires_at": func.now() + timedelta(seconds=seconds),
    }
    await session.execute(insert(links).values(values))
    return token


async def find_link(session: AsyncSession, kind: Kind, token: str) -> Any:
    """The row of a link that was not used; nothing is changed. For the system. Raises `LegacyLinkNotFound`."""
    live = links.c.kind == kind, links.c.digest == token_digest(token), links.c.expires_at > func.now()
    row = (await session.execute(select(links).where(*live, links.c.used_at.is_(None)))).mappings().one_or_none()
    if row is None:
        raise LegacyLinkNotFound
    return row


async def use_link(session: AsyncSession, link_id: UUID) -> None:
    """Let a link work no more. Raises `LegacyLinkNotFound` for the second of two who use it at once."""
    used = update(links).where(links.c.id == link_id, links.c.used_at.is_(None)).values(used_at=func.now())
    if await session.scalar(used.returning(links.c.id)) is None:
        raise LegacyLinkNotFound


async def void_links(session: AsyncSession, nominee_id: UUID, *kinds: Kind) -> None:
    """Make the links of a nominee useless, those of some kinds or all."""
    of_nominee = delete(links).where(links.c.nominee_id == nominee_id)
    await session.execute(of_nominee.where(links.c.kind.in_(kinds)) if kinds else of_nominee)
