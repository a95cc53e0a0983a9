"""Who may read what the log says of a vault."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.policy import Access
from app.audit.service import decides_access
from app.auth.principal import Principal
from app.vault.models import members, vaults
from app.vault.policy import allows


@decides_access
async def log_access(session: AsyncSession, principal: Principal, vault_id: UUID) -> Access | None:
    """What the principal is in a vault; one in the trash has a log for its owner alone."""
    statement = (
        select(members.c.role, vaults.c.trashed_at)
        .join(vaults, vaults.c.id == members.c.vault_id)
        .where(members.c.vault_id == vault_id, members.c.user_id == principal.user_id)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None or (row.trashed_at and not allows(row.role, "own")):
        return None
    return "manager" if allows(row.role, "manage") else "member"
