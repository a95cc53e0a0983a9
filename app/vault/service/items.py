"""Items: typed records, one sealed body each."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import bindparam, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.keys import KeyRing
from app.db.runtime import current
from app.db.statements import Statement
from app.vault.cells import open_body, ring_of, rings_of, seal_body, tag_digests
from app.vault.errors import InvalidFields, ItemNotFound, LimitReached, RoleTooLow, StaleRevision
from app.vault.etags import check_revision
from app.vault.models import favourites, item_versions, items, members
from app.vault.policy import USER, allows, open_to_members, require, writable_vault
from app.vault.schemas.items import MOST_FIELDS, ItemCreate, ItemRead, ItemUpdate
from app.vault.service.listing import Filters, Listing, find
from app.vault.service.room import NEAR, one_at_a_time, require_below
from app.vault.service.types import kind_for, kinds_of, type_id_of
from app.vault.types import RecordType
from app.vault.types.fields import check_fields, missing_fields

IS_FAVOURITE: Final = (
    exists()
    .where(favourites.c.item_id == items.c.id, favourites.c.user_id == members.c.user_id)
    .correlate(items, members)
)
COLUMNS: Final = (
    items.c.id,
    items.c.vault_id,
    items.c.type,
    items.c.body,
    items.c.revision,
    items.c.created_at,
    items.c.updated_at,
    items.c.trashed_at,
    IS_FAVOURITE.label("favourite"),
)
SHOWN: Final = TypeAdapter(list[ItemRead], config=ConfigDict(defer_build=True))
LISTING: Final = Listing(items, select(*COLUMNS))
READ: Final = Statement(
    select(*COLUMNS, items.c.written_by, members.c.role)
    .select_from(open_to_members(items))
    .where(items.c.id == bindparam("item_id"), members.c.user_id == USER, items.c.trashed_at.is_(None))
)
HELD: Final = select(func.count()).select_from(items).where(items.c.vault_id == bindparam("vault_id"))
NEW: Final = (
    items.c.id,
    items.c.vault_id,
    items.c.type,
    items.c.type_id,
    items.c.body,
    items.c.tag_digests,
    items.c.written_by,
)
CREATE: Final = Statement(
    insert(items)
    .from_select(
        [column.name for column in NEW],
        writable_vault(bindparam("vault_id"), bindparam("written_by"))
        .with_only_columns(*(bindparam(column.name, type_=column.type) for column in NEW))
        .where(HELD.scalar_subquery() < bindparam("most")),
    )
    .returning(items.c.created_at)
)


async def create_item(session: AsyncSession, principal: Principal, data: ItemCreate) -> ItemRead:
    """Put an item into a vault.

    Raises `VaultNotFound`, `RoleTooLow`, `TypeNotFound`, `LimitReached`, `InvalidFields`.
    """
    kind = await kind_for(session, principal, data.vault_id, data.type)
    check_fields(kind, data.fields)
    item_id = new_id()
    content = {"title": data.title, "fields": data.fields, "notes": data.notes, "tags": data.tags}
    ring = await ring_of(session, data.vault_id)
    values = {
        "id": item_id,
        "vault_id": data.vault_id,
        "type": data.type,
        "type_id": type_id_of(data.type),
        "body": seal_body(ring, items, item_id, content),
        "tag_digests": tag_digests(ring, data.tags),
        "written_by": principal.user_id,
    }
    created_at = await _insert(session, principal, values)
    times = {"created_at": created_at, "updated_at": created_at, "trashed_at": None}
    return shown(kind, {**values, **times, "revision": 1, "favourite": False}, content)


async def _insert(session: AsyncSession, principal: Principal, values: dict[str, Any]) -> datetime:
    """Add the row and return its time: with one statement, and near the limit alone and counted again.

    Raises `VaultNotFound`, `RoleTooLow`, `LimitReached`.
    """
    most = current().settings.items_per_vault
    created_at: datetime | None = await CREATE.scalar(session, **values, most=most - NEAR)
    if created_at is None:
        await require(session, principal, values["vault_id"], "write")
        await one_at_a_time(session, values["vault_id"])
        created_at = await CREATE.scalar(session, **values, most=most)
    if created_at is None:
        raise LimitReached("The vault holds as many items as it may; purge some")
    await audit.record(session, principal, values["vault_id"], "vault.item_created", values["id"])
    return created_at


async def require_item_room(session: AsyncSession, vault_id: UUID, count: int) -> None:
    """See that a vault has room for so many more items. Raises `LimitReached`."""
    held = select(func.count()).select_from(items).where(items.c.vault_id == vault_id)
    most = current().settings.items_per_vault - count + 1
    await require_below(session, held, most, vault_id, "The vault has no room for so many more items")


async def read_item(session: AsyncSession, principal: Principal, item_id: UUID) -> ItemRead:
    """An item that is not in the trash. Raises `ItemNotFound`."""
    row = await visible_item(session, principal, item_id)
    return await opened_item(session, row)


async def opened_item(session: AsyncSession, row: Any) -> ItemRead:
    """A row of an item as it is shown. Raises `ContentDamaged`."""
    ring = await ring_of(session, row["vault_id"], row["body"])
    kinds = await kinds_of(session, (row["type"],))
    return opened(kinds[row["type"]], ring, row)


async def visible_item(session: AsyncSession, principal: Principal, item_id: UUID) -> Any:
    """The row of an item that the principal may read, with their `role`. Raises `ItemNotFound`."""
    row = await READ.first(session, item_id=item_id, user_id=principal.user_id)
    if row is None:
        raise ItemNotFound
    return row


async def list_items(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[ItemRead], UUID | None]:
    """One page of items, newest first; and the item that the next page continues after.

    Raises `VaultNotFound`.
    """
    found = await find(session, principal, LISTING, filters)
    kinds = await kinds_of(session, {row["type"] for row in found.rows})
    contents = [open_body(found.rings[row["vault_id"]], items, row["id"], row["body"]) for row in found.rows]
    facts = [_facts(kinds[row["type"]], row, content) for row, content in zip(found.rows, contents, strict=True)]
    return SHOWN.validate_python(facts), found.last


async def items_by_id(session: AsyncSession, principal: Principal, item_ids: Collection[UUID]) -> list[ItemRead]:
    """Those of these items that the principal may read and that are not in the trash."""
    if not item_ids:
        return []
    mine = members.c.user_id == principal.user_id, items.c.id.in_(item_ids), items.c.trashed_at.is_(None)
    statement = select(*COLUMNS).select_from(open_to_members(items)).where(*mine)
    rows = (await session.execute(statement)).mappings().all()
    rings = await rings_of(session, rows)
    kinds = await kinds_of(session, {row["type"] for row in rows})
    return [opened(kinds[row["type"]], rings[row["vault_id"]], row) for row in rows]


async def update_item(
    session: AsyncSession, principal: Principal, item_id: UUID, data: ItemUpdate, *, if_match: str | None
) -> ItemRead:
    """Change an item and keep what it was.

    Raises `ItemNotFound`, `RoleTooLow`, `StaleRevision`, `InvalidFields`.
    """
    row = await writable_item(session, principal, item_id, if_match)
    ring = await ring_of(session, row["vault_id"], row["body"])
    before = open_body(ring, items, item_id, row["body"])
    kinds = await kinds_of(session, (row["type"],))
    check_fields(kinds[row["type"]], {name: value for name, value in data.fields.items() if value is not None})
    merged = {**before["fields"], **data.fields}
    content = {
        "title": before["title"] if data.title is None else data.title,
        "fields": {name: value for name, value in merged.items() if value is not None},
        "notes": before["notes"] if data.notes is None else data.notes,
        "tags": before["tags"] if data.tags is None else data.tags,
    }
    if len(content["fields"]) > MOST_FIELDS:
        raise InvalidFields(f"A record has at most {MOST_FIELDS} fields")
    item = await replace_content(session, principal, ring, row, before, content)
    await audit.record(session, principal, item.vault_id, "vault.item_updated", item_id, revision=item.revision)
    return item


async def writable_item(session: AsyncSession, principal: Principal, item_id: UUID, if_match: str | None) -> Any:
    """The row of an item that the principal may change from the revision they have seen.

    Raises `ItemNotFound`, `RoleTooLow`, `StaleRevision`.
    """
    row = await visible_item(session, principal, item_id)
    if not allows(row["role"], "write"):
        raise RoleTooLow
    check_revision(if_match, row["revision"])
    return row


async def replace_content(
    session: AsyncSession, principal: Principal, ring: KeyRing, row: Any, before: dict[str, Any], content: Any
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
    await session.execute(insert(item_versions).values(superseded(ring, row, before)))
    kinds = await kinds_of(session, (row["type"],))
    return shown(kinds[row["type"]], {**row, "revision": revision + 1, "updated_at": updated_at}, content)


def superseded(ring: KeyRing, row: Any, before: dict[str, Any]) -> dict[str, Any]:
    """The version to keep of an item that is about to change, from its row and its content."""
    version_id = new_id()
    return {
        "id": version_id,
        "vault_id": row["vault_id"],
        "item_id": row["id"],
        "revision": row["revision"],
        "body": seal_body(ring, item_versions, version_id, before),
        "written_by": row["written_by"],
        "written_at": row["updated_at"],
    }


def opened(kind: RecordType, ring: KeyRing, row: Any) -> ItemRead:
    """A row of an item as it is shown. Raises `ContentDamaged`."""
    return shown(kind, row, open_body(ring, items, row["id"], row["body"]))


def shown(kind: RecordType, row: Any, content: dict[str, Any]) -> ItemRead:
    """An item as it is shown, from its row and its content."""
    return ItemRead(**_facts(kind, row, content))


def _facts(kind: RecordType, row: Any, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "vault_id": row["vault_id"],
        "type": row["type"],
        "title": content["title"],
        "fields": content["fields"],
        "notes": content["notes"],
        "tags": content["tags"],
        "missing": missing_fields(kind, content["fields"]),
        "secret_fields": kind.secret_fields,
        "credential": kind.credential,
        "favourite": row["favourite"],
        "revision": row["revision"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "trashed_at": row["trashed_at"],
    }
