"""The trash of items and documents: hidden at once, restored or purged later."""

from dataclasses import dataclass
from typing import Any, Final, NoReturn
from uuid import UUID

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.errors import NotFound
from app.vault.errors import DocumentNotFound, ItemNotFound, NotInTrash, RoleTooLow
from app.vault.models import documents, items, members
from app.vault.policy import allows, open_to_members, writable_vaults


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that can be put into the trash."""

    word: str
    table: Table
    not_found: type[NotFound]


ITEM: Final = Kind("item", items, ItemNotFound)
DOCUMENT: Final = Kind("document", documents, DocumentNotFound)


async def trash(session: AsyncSession, principal: Principal, kind: Kind, row_id: UUID) -> UUID:
    """Put a row into the trash; returns its vault. Raises the kind's not-found, `RoleTooLow`."""
    table = kind.table
    statement = update(table).where(*_mine(principal, kind, row_id), table.c.trashed_at.is_(None))
    vault_id = await session.scalar(statement.values(trashed_at=func.now()).returning(table.c.vault_id))
    if vault_id is None:
        await _refuse(session, principal, kind, row_id)
    return await _recorded(session, principal, vault_id, f"vault.{kind.word}_trashed", row_id)


async def restore(session: AsyncSession, principal: Principal, kind: Kind, row_id: UUID) -> UUID:
    """Take a row out of the trash; returns its vault. Raises the kind's not-found, `RoleTooLow`, `NotInTrash`."""
    table = kind.table
    statement = update(table).where(*_mine(principal, kind, row_id), table.c.trashed_at.is_not(None))
    vault_id = await session.scalar(statement.values(trashed_at=None).returning(table.c.vault_id))
    if vault_id is None:
        await _refuse(session, principal, kind, row_id, in_trash=True)
    return await _recorded(session, principal, vault_id, f"vault.{kind.word}_restored", row_id)


async def purge(session: AsyncSession, principal: Principal, kind: Kind, row_id: UUID) -> UUID:
    """Delete a row that is in the trash for good, with its versions; returns its vault.

    Raises the kind's not-found, `RoleTooLow`, `NotInTrash`.
    """
    table = kind.table
    statement = delete(table).where(*_mine(principal, kind, row_id), table.c.trashed_at.is_not(None))
    vault_id = await session.scalar(statement.returning(table.c.vault_id))
    if vault_id is None:
        await _refuse(session, principal, kind, row_id, in_trash=True)
    return await _recorded(session, principal, vault_id, f"vault.{kind.word}_purged", row_id)


async def _recorded(session: AsyncSession, principal: Principal, vault_id: Any, action: str, row_id: UUID) -> UUID:
    in_vault: UUID = vault_id
    await audit.record(session, principal, in_vault, action, row_id)
    return in_vault


def _mine(principal: Principal, kind: Kind, row_id: UUID) -> list[Any]:
    return [kind.table.c.id == row_id, kind.table.c.vault_id.in_(writable_vaults(principal.user_id))]


async def _refuse(
    session: AsyncSession, principal: Principal, kind: Kind, row_id: UUID, *, in_trash: bool = False
) -> NoReturn:
    """Say why nothing was changed."""
    table = kind.table
    statement = (
        select(members.c.role, table.c.trashed_at)
        .select_from(open_to_members(table))
        .where(table.c.id == row_id, members.c.user_id == principal.user_id)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None or (row.trashed_at and not in_trash):
        raise kind.not_found
    if not allows(row.role, "write"):
        raise RoleTooLow
    raise NotInTrash
