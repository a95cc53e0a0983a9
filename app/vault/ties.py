"""What vaults tell accounts and their log."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.policy import Access, decides_access
from app.auth.errors import OwnershipRemains
from app.auth.principal import Principal
from app.auth.service import before_deletion
from app.db.acting import acting_for
from app.db.session import SYSTEM
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


@before_deletion
async def refuse_while_shared(session: AsyncSession, principal: Principal) -> None:
    """Raises `OwnershipRemains` with the ids of vaults that the person owns and others are members of."""
    owned = select(members.c.vault_id).where(members.c.user_id == principal.user_id, members.c.role == "owner")
    others = members.c.vault_id.in_(owned), members.c.user_id != principal.user_id
    async with acting_for(session, SYSTEM):
        shared = (await session.scalars(select(members.c.vault_id).where(*others).distinct())).all()
    if shared:
        raise OwnershipRemains(vault_ids=[str(vault_id) for vault_id in sorted(shared)])
