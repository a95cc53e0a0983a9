"""What a vault holds counts for the plan of its owner's family, whoever puts it there.

It is counted in the transaction that stores it. What is deleted, by whatever way, is taken off by triggers of the
tables of documents and versions, in the transaction that deletes it.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.acting import acting_for
from app.db.session import SYSTEM
from app.payments.services import families, limits
from app.vault.models import document_versions, documents, members

ROWS_AT_ONCE: Final = 1_000
DOCUMENTS: Final = "documents"
BYTES: Final = "storage_bytes"


async def count_document(session: AsyncSession, vault_id: UUID, document_id: UUID) -> None:
    """Count a new document. Raises `PlanLimitReached`."""
    await _count(session, vault_id, DOCUMENTS, 1, document_id)


async def count_version(session: AsyncSession, vault_id: UUID, version_id: UUID, size: int) -> None:
    """Count the bytes of a version. Raises `PlanLimitReached`."""
    await _count(session, vault_id, BYTES, size, version_id)


async def _count(session: AsyncSession, vault_id: UUID, meter: str, amount: int, row_id: UUID) -> None:
    async with acting_for(session, SYSTEM):  # who owns a vault, and whose family that is, members need not see
        owner_id = await _owner_of(session, vault_id)
        if owner_id:
            await limits.consume_of(session, owner_id, meter, amount, str(row_id))


async def count_moved(
    session: AsyncSession, origin: UUID, vault_id: UUID, document_id: UUID, sizes: Mapping[UUID, int]
) -> None:
    """Let a document and its versions (id and bytes) count for the owner of the vault that it is moved to.

    Raises `PlanLimitReached`.
    """
    entries = [(DOCUMENTS, document_id, 1), *((BYTES, version_id, size) for version_id, size in sizes.items())]
    async with acting_for(session, SYSTEM):
        before, after = await _owner_of(session, origin), await _owner_of(session, vault_id)
        if before is None or after is None or before == after:
            return
        old_family, new_family = await families.family_of(session, before), await families.family_of(session, after)
        for meter, row_id, amount in entries:
            if old_family == new_family:
                await limits.hand_over(session, meter, [str(row_id)], after)
            else:
                await limits.give_back(session, old_family, meter, amount, str(row_id))
                await limits.consume_of(session, after, meter, amount, str(row_id))


async def _owner_of(session: AsyncSession, vault_id: UUID) -> UUID | None:
    owner: UUID | None = await session.scalar(
        select(members.c.user_id).where(members.c.vault_id == vault_id, members.c.role == "owner")
    )
    return owner


async def count_for_owner(session: AsyncSession, vault_id: UUID) -> None:
    """Let what a vault holds count for its present owner; no limit keeps anybody from that. For the system."""
    owner_id = await _owner_of(session, vault_id)
    if owner_id is None:
        return
    for meter, table in ((DOCUMENTS, documents), (BYTES, document_versions)):
        ids = (await session.scalars(select(table.c.id).where(table.c.vault_id == vault_id).order_by(table.c.id))).all()
        for begin in range(0, len(ids), ROWS_AT_ONCE):
            keys = [str(each) for each in ids[begin:][:ROWS_AT_ONCE]]
            await limits.hand_over(session, meter, keys, owner_id)
