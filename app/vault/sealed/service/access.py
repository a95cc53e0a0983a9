"""Who may do what in a sealed vault: a role, as everywhere, and where the vault stands."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.runtime import current
from app.sealed.encoding import digest
from app.vault.errors import LimitReached, StaleRevision
from app.vault.policy import Action, require
from app.vault.sealed.errors import VaultNotSealed
from app.vault.sealed.models import heads


async def require_sealed(session: AsyncSession, principal: Principal, vault_id: UUID, action: Action) -> str:
    """The principal's role in a sealed vault. Raises `VaultNotFound`, `RoleTooLow`, `VaultNotSealed`."""
    role = await require(session, principal, vault_id, action, any_tier=True)
    if await session.scalar(select(heads.c.vault_id).where(heads.c.vault_id == vault_id)) is None:
        raise VaultNotSealed
    return role


async def head_of(session: AsyncSession, vault_id: UUID, *, lock: bool = False) -> Any:
    """Where a sealed vault stands; with `lock`, until the transaction ends: who writes into it, writes alone."""
    statement = select(heads).where(heads.c.vault_id == vault_id)
    statement = statement.with_for_update() if lock else statement
    return (await session.execute(statement)).mappings().one()


async def move_head(
    session: AsyncSession, head: Any, *, clock: bytes, grows: int = 0, items: int = 0, **values: Any
) -> None:
    """Turn the clock, and count what was added. Raises `LimitReached`; `StaleRevision` if the clock stands still."""
    if clock == head["clock"]:
        raise StaleRevision("The clock must change with every write")
    size = head["size"] + grows
    if grows > 0 and size > current().settings.max_sealed_bytes:
        raise LimitReached("The vault holds as much as it may")
    moved = update(heads).where(heads.c.vault_id == head["vault_id"])
    await session.execute(moved.values(clock=clock, size=size, items=head["items"] + items, **values))


def require_clock(head: Any, clock_before: bytes) -> None:
    """See that nobody wrote since the client has looked. Raises `StaleRevision`."""
    if digest(head["clock"]) != clock_before:
        raise StaleRevision
