"""Pages of what lies in vaults: newest first, by an index scan in each vault, access decided by the same statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, bindparam, exists, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.keys import KeyRing
from app.db.statements import Statement
from app.vault.cells import ring_of, rings_of, rings_of_vaults, tag_digest
from app.vault.models import favourites, members, vaults
from app.vault.policy import USER, require, visible_vaults

FIRST_PAGE: Final = UUID(int=2**128 - 1)  # sorts after every id


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part of a list is asked for: at most `limit` rows that are older than the row `before`."""

    limit: int = 20
    before: UUID | None = None
    trashed: bool = False
    vault_id: UUID | None = None
    type: str | None = None
    tag: str | None = None
    favourite: bool = False
    readable: bool = False
    """Of vaults, only those that the server can read: none that is sealed."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of what lies in vaults, and the statement of the rows that are shown of it."""

    table: Table
    rows: Select[Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One page: the rows, the keys that open them by vault, and the row that the next page continues after."""

    rows: Sequence[Any]
    rings: dict[UUID, KeyRing]
    last: UUID | None


async def find(session: AsyncSession, principal: Principal, listing: Listing, filters: Filters) -> Found:
    """One page of what the principal may read, of one vault or of all. Raises `VaultNotFound`."""
    values: dict[str, Any] = {
        "user_id": principal.user_id,
        "before": filters.before or FIRST_PAGE,
        "most": filters.limit + 1,
    }
    if filters.vault_id:
        values["in_vault"] = filters.vault_id
    if filters.type:
        values["of_type"] = filters.type
    if filters.tag:
        values["tagged"] = await _digests(session, principal, filters, filters.tag)
    statement = page_of(listing, frozenset(values), trashed=filters.trashed, favourite=filters.favourite)
    rows = await statement.fetch(session, **values)
    if filters.vault_id and not rows:
        await require(session, principal, filters.vault_id, "read")
    shown = rows[: filters.limit]
    return Found(shown, await rings_of(session, shown), shown[-1]["id"] if len(rows) > filters.limit else None)


@cache
def page_of(listing: Listing, filters: frozenset[str], *, trashed: bool, favourite: bool = False) -> Statement:
    """The statement for these filters: the newest rows of each vault, then the newest of those."""
    columns = listing.table.c
    conditions: list[ColumnElement[bool]] = [
        columns.vault_id == members.c.vault_id,
        columns.trashed_at.is_not(None) if trashed else columns.trashed_at.is_(None),
        columns.id < bindparam("before"),
    ]
    if "of_type" in filters:
        conditions.append(columns.type == bindparam("of_type"))
    if "tagged" in filters:
        conditions.append(columns.tag_digests.overlap(bindparam("tagged", type_=columns.tag_digests.type)))
    if favourite:
        wanted = favourites.c.item_id == columns.id, favourites.c.user_id == members.c.user_id
        conditions.append(exists().where(*wanted).correlate(listing.table, members))
    newest = listing.rows.where(*conditions).order_by(columns.id.desc()).limit(bindparam("most")).lateral("page")
    mine = [members.c.user_id == USER, vaults.c.trashed_at.is_(None)]
    if "in_vault" in filters:
        mine.append(members.c.vault_id == bindparam("in_vault"))
    visible = members.join(vaults, vaults.c.id == members.c.vault_id).join(newest, true())
    newest_of_all = select(newest).select_from(visible).where(*mine).order_by(newest.c.id.desc())
    return Statement(newest_of_all.limit(bindparam("most")))


async def _digests(session: AsyncSession, principal: Principal, filters: Filters, tag: str) -> list[bytes]:
    """The digests of a tag in the vault, or in each vault of the principal; they differ from vault to vault."""
    if filters.vault_id:
        return tag_digest(await ring_of(session, filters.vault_id), tag)
    vault_ids = await session.scalars(visible_vaults(principal.user_id).with_only_columns(members.c.vault_id))
    rings = await rings_of_vaults(session, vault_ids.all())
    return [digest for ring in rings.values() for digest in tag_digest(ring, tag)]
