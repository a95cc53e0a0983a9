"""The owner's choice for a vault: all sealed, or vectors where PostgreSQL compares them."""

from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import Actor
from app.rag.errors import PgvectorNotOffered
from app.rag.models import ShardRow, VectorChoice, VectorSet
from app.rag.schemas import IndexMode, IndexRead
from app.vault import service as vaults


async def read_index(session: AsyncSession, principal: Principal, vault_id: UUID) -> IndexRead:
    """How a vault is indexed. Raises `VaultNotFound`, `VaultSealed`."""
    await vaults.require(session, principal, vault_id, "read")
    chosen = await session.scalar(select(VectorChoice.vault_id).where(VectorChoice.vault_id == vault_id))
    counted = select(func.count(), func.count(VectorSet.revision)).select_from(ShardRow)
    of_vault = counted.outerjoin(VectorSet, VectorSet.revision == ShardRow.revision)
    documents, copied = (await session.execute(of_vault.where(ShardRow.vault_id == vault_id))).one()
    mode: IndexMode = "pgvector" if chosen else "sealed"
    return IndexRead(vault_id=vault_id, mode=mode, offered=_is_offered(), documents=documents, in_clear=copied)


async def choose_index(session: AsyncSession, principal: Principal, vault_id: UUID, mode: IndexMode) -> IndexRead:
    """Have a vault indexed like this; the owner alone decides. Emits `rag.index_chosen` with `vault_id`.

    What stood in clear is gone at once when it is sealed again. Raises `VaultNotFound`, `RoleTooLow`, `VaultSealed`,
    `PgvectorNotOffered`.
    """
    await vaults.require(session, principal, vault_id, "own")
    if mode == "pgvector" and not _is_offered():
        raise PgvectorNotOffered
    async with acting_for(session, Actor.vault(vault_id)):
        if mode == "pgvector":
            statement = insert(VectorChoice).values(vault_id=vault_id).on_conflict_do_nothing()
            changed = await session.scalar(statement.returning(VectorChoice.vault_id))
        else:
            gone = delete(VectorChoice).where(VectorChoice.vault_id == vault_id)
            changed = await session.scalar(gone.returning(VectorChoice.vault_id))
    if changed:
        await audit.record(session, principal, vault_id, "rag.index_chosen", mode=mode)
        await emit(session, "rag.index_chosen", vault_id=vault_id)
    return await read_index(session, principal, vault_id)


def _is_offered() -> bool:
    return current().settings.vector_index == "pgvector"
