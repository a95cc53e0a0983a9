"""Favourites: what a person wants at hand, for themselves alone."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.vault.models import favourites, items
from app.vault.service.items import visible_item


async def add_favourite(session: AsyncSession, principal: Principal, item_id: UUID) -> None:
    """Make an item a favourite of the principal, if it is not. Raises `ItemNotFound`."""
    await visible_item(session, principal, item_id)
    values = {"user_id": principal.user_id, "item_id": item_id}
    await session.execute(upsert(favourites).values(values).on_conflict_do_nothing())


async def remove_favourite(session: AsyncSession, principal: Principal, item_id: UUID) -> None:
    """Let an item be no favourite of the principal. Raises `ItemNotFound`."""
    await visible_item(session, principal, item_id)
    mine = favourites.c.user_id == principal.user_id, favourites.c.item_id == item_id
    await session.execute(delete(favourites).where(*mine))


async def forget_favourites(session: AsyncSession, vault_id: UUID, user_id: UUID) -> None:
    """Drop those of somebody who has left a vault; for the system."""
    gone = select(items.c.id).where(items.c.vault_id == vault_id)
    await session.execute(delete(favourites).where(favourites.c.user_id == user_id, favourites.c.item_id.in_(gone)))
