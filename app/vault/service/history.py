"""Versions of items: what they were before each change."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.keys import KeyRing
from app.vault.cells import open_body, ring_of
from app.vault.errors import VersionNotFound
from app.vault.models import item_versions, items
from app.vault.schemas.items import ItemRead, ItemVersionRead
from app.vault.service.items import replace_content, visible_item, writable_item
from app.vault.service.listing import FIRST_PAGE, Filters


async def list_item_versions(
    session: AsyncSession, principal: Principal, item_id: UUID, filters: Filters
) -> tuple[list[ItemVersionRead], UUID | None]:
    """One page of superseded versions, newest first; and the id that the next page continues after.

    Raises `ItemNotFound`.
    """
    item = await visible_item(session, principal, item_id)
    statement = (
        select(item_versions)
        .where(item_versions.c.item_id == item_id, item_versions.c.id < (filters.before or FIRST_PAGE))
        .order_by(item_versions.c.id.desc())
        .limit(filters.limit + 1)
    )
    rows = (await session.execute(statement)).mappings().all()
    ring = await ring_of(session, item["vault_id"], *(row["body"] for row in rows))
    shown = [_shown(ring, row) for row in rows[: filters.limit]]
    return shown, rows[filters.limit - 1]["id"] if len(rows) > filters.limit else None


async def read_item_version(
    session: AsyncSession, principal: Principal, item_id: UUID, revision: int
) -> ItemVersionRead:
    """One superseded version. Raises `ItemNotFound`, `VersionNotFound`."""
    item = await visible_item(session, principal, item_id)
    row = await version_row(session, item_id, revision)
    return _shown(await ring_of(session, item["vault_id"], row["body"]), row)


async def restore_item_version(
    session: AsyncSession, principal: Principal, item_id: UUID, revision: int, *, if_match: str | None
) -> ItemRead:
    """Make an earlier version the present one again; what was present becomes a version.

    Raises `ItemNotFound`, `VersionNotFound`, `RoleTooLow`, `StaleRevision`.
    """
    item = await writable_item(session, principal, item_id, if_match)
    row = await version_row(session, item_id, revision)
    ring = await ring_of(session, item["vault_id"], item["body"], row["body"])
    before = open_body(ring, items, item_id, item["body"])
    content = open_body(ring, item_versions, row["id"], row["body"])
    restored = await replace_content(session, principal, ring, item, before, content)
    ids = {"restored": revision, "revision": restored.revision}
    await audit.record(session, principal, item["vault_id"], "vault.item_version_restored", item_id, **ids)
    return restored


async def version_row(session: AsyncSession, item_id: UUID, revision: int) -> Any:
    """The row of a superseded version, for whoever may see the item. Raises `VersionNotFound`."""
    statement = select(item_versions).where(item_versions.c.item_id == item_id, item_versions.c.revision == revision)
    row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        raise VersionNotFound
    return row


def _shown(ring: KeyRing, row: Any) -> ItemVersionRead:
    content = open_body(ring, item_versions, row["id"], row["body"])
    return ItemVersionRead(
        item_id=row["item_id"],
        revision=row["revision"],
        written_by=row["written_by"],
        written_at=row["written_at"],
        **content,
    )
