"""The end of access to a sealed vault, in the transaction that ends the membership."""

from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.vault.models import members
from app.vault.sealed.models import heads, wraps


async def end_access(session: AsyncSession, vault_id: UUID, user_id: UUID) -> None:
    """Give somebody no key any more, and want a new one for the others; nothing in a vault that is not sealed.

    The transaction acts for the vault or the system. It is called before the membership ends: who writes into a sealed
    vault takes hold of its head first.
    """
    wanted = update(heads).where(heads.c.vault_id == vault_id).values(wanted=True).returning(heads.c.vault_id)
    if await session.scalar(wanted) is not None:
        await session.execute(delete(wraps).where(wraps.c.vault_id == vault_id, wraps.c.account_id == user_id))


async def end_access_everywhere(session: AsyncSession, user_id: UUID) -> None:
    """As `end_access`, in every vault that somebody is in. For the system."""
    theirs = select(members.c.vault_id).where(members.c.user_id == user_id).order_by(members.c.vault_id)
    for vault_id in (await session.scalars(theirs)).all():
        await end_access(session, vault_id, user_id)
