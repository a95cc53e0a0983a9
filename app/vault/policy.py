"""Who may do what in a vault: the only place that decides it, as statements and as a question.

Reads start from the `visible_*` statements, which know nothing of vaults in the trash and of other people's; changes
name an `Action`. Row-level security stands behind as a second wall (see `app.db.security`).
"""

from collections.abc import Sequence
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import BindParameter, FromClause, Select, Table, and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.vault.errors import RoleTooLow, VaultNotFound, VaultSealed
from app.vault.models import document_versions, documents, members, vaults

Action = Literal["read", "write", "share", "manage", "own"]

RANKS: Final = ("viewer", "editor", "admin", "owner")
LOWEST: Final[dict[Action, str]] = {
    "read": "viewer",  # see what is in the vault, and its members
    "write": "editor",  # add, change, trash, restore and purge items and documents
    "share": "editor",  # give people outside a link to something
    "manage": "admin",  # rename the vault; invite, remove and give roles to all but the owner
    "own": "owner",  # trash, restore and purge the vault, exchange its key, hand it over
}
SEALED: Final = "sealed"
USER: Final[BindParameter[UUID]] = bindparam("user_id")  # in statements that are made once


def allows(role: str, action: Action) -> bool:
    """Whether a member with this role may do that."""
    return RANKS.index(role) >= RANKS.index(LOWEST[action])


def roles_for(action: Action) -> tuple[str, ...]:
    """The roles whose members may do that."""
    return RANKS[RANKS.index(LOWEST[action]) :]


def open_to_members(table: Table) -> FromClause:
    """Rows of vaults, joined to the memberships, and to the vaults if these are not in the trash."""
    joined = table.join(members, members.c.vault_id == table.c.vault_id)
    return joined.join(vaults, and_(vaults.c.id == table.c.vault_id, vaults.c.trashed_at.is_(None)))


def visible_vaults(user_id: Any) -> Select[Any]:
    """`vault_id` and `role` for each vault that a person is a member of and that is not in the trash."""
    return (
        select(members.c.vault_id, members.c.role)
        .select_from(members.join(vaults, vaults.c.id == members.c.vault_id))
        .where(members.c.user_id == user_id, vaults.c.trashed_at.is_(None))
    )


def writable_vaults(user_id: Any) -> Select[Any]:
    """`vault_id` for each vault that a person may put things into that the server can read."""
    mine = visible_vaults(user_id).with_only_columns(members.c.vault_id)
    return mine.where(members.c.role.in_(roles_for("write")), vaults.c.tier != SEALED)


def writable_vault(vault_id: Any, user_id: Any) -> Select[Any]:
    """One row if a person may put things into a vault, otherwise none."""
    return writable_vaults(user_id).where(members.c.vault_id == vault_id)


def visible_things(table: Table, user_id: Any) -> Select[Any]:
    """The ids of the rows that a person may read and that are not in the trash, of items or of documents."""
    mine = members.c.user_id == user_id, table.c.trashed_at.is_(None)
    return select(table.c.id).select_from(open_to_members(table)).where(*mine)


def visible_document_versions(principal: Principal, vault_ids: Sequence[UUID] | None = None) -> Select[Any]:
    """`document_id`, `version_id` (the current one) and `vault_id` of every document that the principal may read."""
    statement = (
        select(
            documents.c.id.label("document_id"),
            documents.c.current_version_id.label("version_id"),
            documents.c.vault_id.label("vault_id"),
        )
        .select_from(open_to_members(documents))
        .where(members.c.user_id == principal.user_id, documents.c.trashed_at.is_(None))
    )
    return statement if vault_ids is None else statement.where(documents.c.vault_id.in_(vault_ids))


def version_ids(document_id: UUID) -> Select[Any]:
    """The ids of all versions of a document."""
    return select(document_versions.c.id).where(document_versions.c.document_id == document_id)


async def require(
    session: AsyncSession,
    principal: Principal,
    vault_id: UUID,
    action: Action,
    *,
    trashed: bool = False,
    any_tier: bool = False,
) -> str:
    """The principal's role in a vault, if it allows the action; `trashed` asks about vaults in the trash.

    `any_tier` is for what needs to read nothing of what is in the vault. Raises `VaultNotFound` for strangers,
    `RoleTooLow` for members, `VaultSealed`.
    """
    statement = (
        select(members.c.role, vaults.c.tier)
        .join(vaults, vaults.c.id == members.c.vault_id)
        .where(members.c.vault_id == vault_id, members.c.user_id == principal.user_id)
        .where(vaults.c.trashed_at.is_not(None) if trashed else vaults.c.trashed_at.is_(None))
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise VaultNotFound
    if not allows(row.role, action):
        raise RoleTooLow
    if row.tier == SEALED and not any_tier:
        raise VaultSealed
    return str(row.role)


async def require_vaults(
    session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID], *, any_tier: bool = False
) -> None:
    """See that the principal may read each of these vaults, and unless for `any_tier` the server, too.

    Raises `VaultNotFound`, `VaultSealed`.
    """
    seen = visible_vaults(principal.user_id).where(members.c.vault_id.in_(vault_ids)).add_columns(vaults.c.tier)
    rows = (await session.execute(seen)).all()
    if len(rows) != len(set(vault_ids)):
        raise VaultNotFound
    if not any_tier and any(row.tier == SEALED for row in rows):
        raise VaultSealed
