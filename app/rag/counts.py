"""How many documents there are in vaults, and how many of them can be searched."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.rag.models import ShardRow
from app.vault import service as vaults


@dataclass(frozen=True, slots=True)
class Count:
    """Documents of one vault."""

    documents: int
    searchable: int


async def count_documents(session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID]) -> dict[UUID, Count]:
    """The counts of those of the vaults that the principal may read and that have documents."""
    visible = vaults.visible_document_versions(principal, vault_ids).subquery()
    counted = (
        select(visible.c.vault_id, func.count(), func.count(ShardRow.id))
        .outerjoin(ShardRow, ShardRow.document_id == visible.c.document_id)
        .group_by(visible.c.vault_id)
    )
    rows = (await session.execute(counted)).all()
    return {vault_id: Count(documents, searchable) for vault_id, documents, searchable in rows}
