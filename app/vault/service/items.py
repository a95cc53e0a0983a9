"""Items: typed records, one sealed body each."""

from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.keys import KeyRing
from app.db.runtime import current
from app.vault.cells import open_body, ring_of, rings_of, seal_body, tag_digest, tag_digests
from app.vault.errors import (
    InvalidFields,
    ItemNotFound,
    LimitReached,
    RoleTooLow,
    StaleRevision,
    TagNeedsVault,
    UnknownType,
)
from app.vault.etags import check_revision
from app.vault.models import item_versions, items, members, vaults
from app.vault.policy import USER, allows, open_to_members, require, roles_for
from app.vault.schemas.items import MOST_FIELDS, ItemCreate, ItemRead, ItemUpdate
from app.vault.types import record_types
from app.vault.types.fields import check_fields, missing_fields

FIRST_PAGE: Final = UUID(int=2**128 - 1)  # sorts after every id
LIMIT_OF_ITEMS: Final = "The vault holds as many items as it may; purge some"

COLUMNS: Final = (
    items.c.id,
    items.c.vault_id,
    items.c.type,
    items.c.body,
    items.c.revision,
    items.c.created_at,
    items.c.updated_at,
    items.c.trashed_at,
)
READ: Final = (
    select(*COLUMNS, items.c.written_by, members.c.role)
    .select_from(open_to_members(items))
    .where(items.c.id == bindparam("item_id"), members.c.user_id == USER, items.c.trashed_at.is_(None))
)
_HELD: Final = select(func.count()).select_from(items).where(items.c.vault_id == bindparam("vault_id"))
_NEW: Final = {"id": items.c.id, "vault_id": items.c.vault_id, "type": items.c.type, "body": items.c.body,
               "tag_digests": items.c.tag_digests, "written_by": items.c.written_by}  # fmt: skip
CREATE: Final = (
    insert(items)
    .from_select(
        list(_NEW),
        select(*(bindparam(name, type_=column.type) for name, column in _NEW.items()))
        .select_from(members.join(vaults, vaults.c.id == members.c.vault_id))
        .where(
            members.c.vault_id == bindparam("vault_id"),
            members.c.user_id == bindparam("written_by"),
            members.c.role.in_(roles_for("write")),
            vaults.c.trashed_at.is_(None),
            _HELD.scalar_subquery() < bindparam("most"),
        ),
    )
    .returning(items.c.created_at)
)


async def create_item(session: AsyncSession, principal: Principal, data: ItemCreate) -> ItemRead:
    """Put an item into a vault.

    Raises `VaultNotFound`, `RoleTooLow`, `LimitReached`, `UnknownType`, `InvalidFields`.
    """
    if data.type not in record_types():
        raise UnknownType
    check_fields(data.type, data.fields)
    item_id = new_id()
    content = {"title": data.title, "fields": data.fields, "notes": data.notes, "tags": data.tags}
    ring = await ring_of(session, data.vault_id)
    values = {
        "id": item_id,
        "vault_id": data.vault_id,
        "type": data.type,
        "body": seal_body(ring, items, item_id, content),
        "tag_digests": tag_digests(ring, data.tags),
        "written_by": principal.user_id,
        "most": current().settings.items_per_vault,
    }
    created_at = (await session.execute(CREATE, values)).scalar()
    if created_at is None:
        await require(session, principal, data.vault_id, "write")
        raise LimitReached(LIMIT_OF_ITEMS)
    times = {"created_at": created_at, "updated_at": created_at, "trashed_at": None}
    return _shown({"id": item_id, "vault_id": data.vault_id, "type": data.type, "revision": 1, **times}, content)


async def read_item(session: AsyncSession, principal: Principal, item_id: UUID) -> ItemRead:
    """An item that is not in the trash. Raises `ItemNotFound`."""
    row = await visible_item(session, principal, item_id)
    ring = await ring_of(session, row["vault_id"], row["body"])
    return opened(ring, row)


async def visible_item(session: AsyncSession, principal: Principal, item_id: UUID) -> dict[str, Any]:
    """The row of an item that the principal may read, with their `role`. Raises `ItemNotFound`."""
    rows = await session.execute(READ, {"item_id": item_id, "user_id": principal.user_id})
    row = rows.mappings().one_or_none()
    if row is None:
        raise ItemNotFound
    return dict(row)


async def list_items(
    session: AsyncSession,
    principal: Principal,
    *,
    limit: int,
    before: UUID | None = None,
    vault_id: UUID | None = None,
    type_name: str | None = None,
    tag: str | None = None,
    trashed: bool = False,
) -> tuple[list[ItemRead], UUID | None]:
    """One page of items, newest first, of one vault or of all; and the id that the next page continues after.

    Raises `VaultNotFound`, `TagNeedsVault`.
    """
    values: dict[str, Any] = {"user_id": principal.user_id, "before": before or FIRST_PAGE, "most": limit + 1}
    if vault_id:
        values["in_vault"] = vault_id
    if type_name:
        values["of_type"] = type_name
    if tag:
        values["tagged"] = await _digests(session, vault_id, tag)
    statement = page_of(frozenset(values), trashed=trashed)
    rows = (await session.execute(statement, values)).mappings().all()
    if vault_id and not rows:
        await require(session, principal, vault_id, "read")
    found = rows[:limit]
    rings = await rings_of(session, found)
    shown = [opened(rings[row["vault_id"]], row) for row in found]
    return shown, found[-1]["id"] if len(rows) > limit else None


@cache
def page_of(filters: frozenset[str], *, trashed: bool) -> Select[Any]:
    """One page with these filters: the newest of each vault by its index, then the newest of those."""
    in_trash = items.c.trashed_at.is_not(None) if trashed else items.c.trashed_at.is_(None)
    conditions: list[ColumnElement[bool]] = [in_trash, items.c.id < bindparam("before")]
    if "of_type" in filters:
        conditions.append(items.c.type == bindparam("of_type"))
    if "tagged" in filters:
        conditions.append(items.c.tag_digests.overlap(bindparam("tagged", type_=items.c.tag_digests.type)))
    newest = select(*COLUMNS).where(items.c.vault_id == members.c.vault_id, *conditions)
    page = newest.order_by(items.c.id.desc()).limit(bindparam("most")).lateral("page")
    mine = [members.c.user_id == USER, vaults.c.trashed_at.is_(None)]
    if "in_vault" in filters:
        mine.append(members.c.vault_id == bindparam("in_vault"))
    visible = members.join(vaults, vaults.c.id == members.c.vault_id).join(page, true())
    return select(page).select_from(visible).where(*mine).order_by(page.c.id.desc()).limit(bindparam("most"))


async def update_item(
    session: AsyncSession, principal: Principal, item_id: UUID, data: ItemUpdate, *, if_match: str | None
) -> ItemRead:
    """Change an item and keep what it was.

    Raises `ItemNotFound`, `RoleTooLow`, `RevisionRequired`, `StaleRevision`, `InvalidFields`.
    """
    row = await writable_item(session, principal, item_id, if_match)
    ring = await ring_of(session, row["vault_id"], row["body"])
    before = open_body(ring, items, item_id, row["body"])
    check_fields(row["type"], {name: value for name, value in data.fields.items() if value is not None})
    merged = {**before["fields"], **data.fields}
    content = {
        "title": before["title"] if data.title is None else data.title,
        "fields": {name: value for name, value in merged.items() if value is not None},
        "notes": before["notes"] if data.notes is None else data.notes,
        "tags": before["tags"] if data.tags is None else data.tags,
    }
    if len(content["fields"]) > MOST_FIELDS:
        raise InvalidFields(f"A record has at most {MOST_FIELDS} fields")
    return await replace_content(session, principal, ring, row, before, content)


async def writable_item(
    session: AsyncSession, principal: Principal, item_id: UUID, if_match: str | None
) -> dict[str, Any]:
    """The row of an item that the principal may change from the revision they have seen.

    Raises `ItemNotFound`, `RoleTooLow`, `RevisionRequired`, `StaleRevision`.
    """
    row = await visible_item(session, principal, item_id)
    if not allows(row["role"], "write"):
        raise RoleTooLow
    check_revision(if_match, row["revision"], required=True)
    return row


async def replace_content(
    session: AsyncSession,
    principal: Principal,
    ring: KeyRing,
    row: dict[str, Any],
    before: dict[str, Any],
    content: dict[str, Any],
) -> ItemRead:
    """Give an item a new body and keep the old one, sealed again for its own row. Raises `StaleRevision`."""
    item_id, revision = row["id"], row["revision"]
    changed = (
        update(items)
        .where(items.c.id == item_id, items.c.revision == revision, items.c.trashed_at.is_(None))
        .values(
            body=seal_body(ring, items, item_id, content),
            tag_digests=tag_digests(ring, content["tags"]),
            revision=revision + 1,
            written_by=principal.user_id,
            updated_at=func.now(),
        )
        .returning(items.c.updated_at)
    )
    updated_at = await session.scalar(changed)
    if updated_at is None:
        raise StaleRevision
    version_id = new_id()
    kept = {
        "id": version_id,
        "vault_id": row["vault_id"],
        "item_id": item_id,
        "revision": revision,
        "body": seal_body(ring, item_versions, version_id, before),
        "written_by": row["written_by"],
        "written_at": row["updated_at"],
    }
    await session.execute(insert(item_versions).values(kept))
    return _shown({**row, "revision": revision + 1, "updated_at": updated_at}, content)


def opened(ring: KeyRing, row: Any) -> ItemRead:
    """A row of `COLUMNS` as it is shown. Raises `ContentDamaged`."""
    return _shown(row, open_body(ring, items, row["id"], row["body"]))


def _shown(row: Any, content: dict[str, Any]) -> ItemRead:
    return ItemRead(
        id=row["id"],
        vault_id=row["vault_id"],
        type=row["type"],
        title=content["title"],
        fields=content["fields"],
        notes=content["notes"],
        tags=content["tags"],
        missing=missing_fields(row["type"], content["fields"]),
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        trashed_at=row["trashed_at"],
    )


async def _digests(session: AsyncSession, vault_id: UUID | None, tag: str) -> list[bytes]:
    if vault_id is None:
        raise TagNeedsVault
    return tag_digest(await ring_of(session, vault_id), tag)
