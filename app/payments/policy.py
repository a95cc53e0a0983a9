"""Who may see what a family pays and uses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core.errors import NotFound
from app.db.acting import acting_for
from app.db.runtime import current
from app.db.session import NOBODY, SYSTEM, Actor


@asynccontextmanager
async def as_family(session: AsyncSession, family_id: UUID) -> AsyncIterator[None]:
    """Let the transaction act for a family that was decided about; it does already if it acts for it or the system."""
    if session.info.get("actor", NOBODY) in (SYSTEM, Actor.family(family_id)):
        yield
        return
    async with acting_for(session, Actor.family(family_id)):
        yield


async def require_operator(session: AsyncSession, principal: Principal) -> None:
    """See that the principal is one of the people who run this installation. Raises `NotFound` for everybody else.

    An address counts only when it was confirmed: anybody can register with any.
    """
    operators = {address.lower() for address in current().settings.operators}
    me = await auth.read_me(session, principal) if operators else None
    if me is None or not me.email_verified or me.email.lower() not in operators:
        raise NotFound


@asynccontextmanager
async def as_operator(session: AsyncSession, principal: Principal) -> AsyncIterator[None]:
    """Let the transaction act for the system on behalf of an operator. Raises `NotFound` for everybody else."""
    await require_operator(session, principal)
    async with acting_for(session, SYSTEM):
        yield
