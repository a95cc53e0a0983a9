"""Moving things between vaults: every row that goes with them is sealed again for the new vault, in one transaction.

Tables say themselves what they seal for a vault (`SEALED_BY`) and what their rows go with (foreign keys), so this
knows those of other packages, too: the versions of an item, its links and shares, what was read of a
document.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Column, Table, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.acting import acting_for
from app.db.base import SEALED_BY
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.reseal import sealed_columns
from app.db.session import SYSTEM
from app.jobs.service import cancel_jobs, create_job
from app.vault.cells import open_body, ring_of
from app.vault.errors import StaleRevision, TypeNotFound
from app.vault.models import document_versions, documents, items, types
from app.vault.policy import require
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.items import ItemRead
from app.vault.service.documents import read_document, writable_document
from app.vault.service.items import opened_item, read_item, require_item_room, writable_item
from app.vault.service.paying import count_moved
from app.vault.service.reseal import DIGESTS
from app.vault.service.types import add_type, name_of, require_type_room
from app.vault.service.versions import READ_JOB, require_room

OWNER: Final = "vault_id"
ROWS_AT_ONCE: Final = 100
IDS_AT_ONCE: Final = 5_000


async def move_item(
    session: AsyncSession, principal: Principal, item_id: UUID, vault_id: UUID, *, if_match: str | None
) -> ItemRead:
    """Move an item into another vault, with its history, its links and its shares.

    Raises `ItemNotFound`, `VaultNotFound`, `RoleTooLow`, `StaleRevision`, `LimitReached`. Emits `vault.item_moved`.
    """
    row = await writable_item(session, principal, item_id, if_match)
    await require(session, principal, vault_id, "write")
    if row["vault_id"] == vault_id:
        return await opened_item(session, row)
    await move_items(session, principal, [await _held(session, items, row)], vault_id)
    return await read_item(session, principal, item_id)


async def _held(session: AsyncSession, table: Table, row: Any) -> Any:
    """A row, locked as it was seen. Raises `StaleRevision`."""
    same = table.c.id == row["id"], table.c.vault_id == row["vault_id"], table.c.revision == row["revision"]
    held = (await session.execute(select(table).where(*same).with_for_update())).mappings().one_or_none()
    if held is None:
        raise StaleRevision
    return held


async def move_items(session: AsyncSession, principal: Principal, rows: Sequence[Any], vault_id: UUID) -> None:
    """Move items (`id`, `vault_id`, `type_id`), whose rows are locked, into a vault that the principal may write to.

    Raises `LimitReached`. Emits `vault.item_moved` for each.
    """
    await require_item_room(session, vault_id, len(rows))
    for origin in sorted({row["vault_id"] for row in rows} - {vault_id}):
        moved = [row for row in rows if row["vault_id"] == origin]
        for type_id in sorted({row["type_id"] for row in moved if row["type_id"]}):
            of_type = [row["id"] for row in moved if row["type_id"] == type_id]
            adopted = await _adopted(session, principal, type_id, vault_id)
            await _move(session, items, of_type, origin, vault_id, type=name_of(adopted), type_id=adopted)
        await _move(session, items, [row["id"] for row in moved if not row["type_id"]], origin, vault_id)
        for row in moved:
            await emit(session, "vault.item_moved", item_id=row["id"], vault_id=vault_id, from_vault_id=origin)
    origins = {row["id"]: row["vault_id"] for row in rows if row["vault_id"] != vault_id}
    await _record(session, principal, "vault.item_moved", origins, vault_id)


async def _record(
    session: AsyncSession, principal: Principal, action: str, origins: Mapping[UUID, UUID], vault_id: UUID
) -> None:
    """Log moves where things were (by id) and where they are, one vault after the other in one order."""
    entries = [(origin, thing_id, {"to_vault_id": str(vault_id)}) for thing_id, origin in origins.items()]
    entries += [(vault_id, thing_id, {"from_vault_id": str(origin)}) for thing_id, origin in origins.items()]
    for where, thing_id, ids in sorted(entries, key=lambda each: each[:2]):
        await audit.record(session, principal, where, action, thing_id, **ids)


async def _adopted(session: AsyncSession, principal: Principal, type_id: UUID, vault_id: UUID) -> UUID:
    """The type of the new vault with the same definition; it is made if there is none. Raises `LimitReached`."""
    definitions = select(types).where((types.c.id == type_id) | (types.c.vault_id == vault_id)).order_by(types.c.id)
    rows = (await session.execute(definitions)).mappings().all()
    opened: dict[UUID, Any] = {
        row["id"]: open_body(await ring_of(session, row["vault_id"], row["body"]), types, row["id"], row["body"])
        for row in rows
    }
    if type_id not in opened:
        raise TypeNotFound
    wanted = opened.pop(type_id)
    for known, definition in opened.items():
        if definition == wanted:
            return known
    await require_type_room(session, vault_id)
    made = await add_type(session, principal, vault_id, wanted)
    assert made.id  # noqa: S101  it has just been made
    return made.id


async def move_document(
    session: AsyncSession, principal: Principal, document_id: UUID, vault_id: UUID, *, if_match: str | None
) -> DocumentRead:
    """Move a document into another vault, with its versions, what was read of them, its links and its shares.

    It counts for the plan of the family of the new vault's owner. Raises `DocumentNotFound`, `VaultNotFound`,
    `RoleTooLow`, `StaleRevision`, `LimitReached`, `PlanLimitReached`. Emits `vault.document_moved`.
    """
    row = await writable_document(session, principal, document_id, if_match)
    origin = row["vault_id"]
    await require(session, principal, vault_id, "write")
    if origin == vault_id:
        return await read_document(session, principal, document_id)
    await require_room(session, principal, vault_id)
    await _held(session, documents, row)
    of_document = select(document_versions).where(document_versions.c.document_id == document_id)
    versions = (await session.execute(of_document.order_by(document_versions.c.id))).mappings().all()
    async with acting_for(session, SYSTEM):
        for version in versions:  # who reads it for the old vault loses the job, and so writes nothing any more
            await cancel_jobs(session, version["id"], "moved", "The document was moved to another vault.")
    await _move(session, documents, [document_id], origin, vault_id)
    await count_moved(session, origin, vault_id, document_id, {each["id"]: each["size"] for each in versions})
    await _read_again(session, principal, vault_id, document_id, row["version_id"])
    await emit(session, "vault.document_moved", document_id=document_id, vault_id=vault_id, from_vault_id=origin)
    await _record(session, principal, "vault.document_moved", {document_id: origin}, vault_id)
    return await read_document(session, principal, document_id)


async def _read_again(
    session: AsyncSession, principal: Principal, vault_id: UUID, document_id: UUID, version_id: UUID
) -> None:
    """Queue the reading for the new vault: pages that are kept are not read again, but the index names its vault."""
    ids = {"subject_id": version_id, "vault_id": vault_id, "user_id": principal.user_id, "document_id": document_id}
    job_id = await create_job(session, READ_JOB, **ids)
    current_version = document_versions.c.id == version_id
    await session.execute(update(document_versions).where(current_version).values(job_id=job_id))


async def _move(
    session: AsyncSession, table: Table, ids: Sequence[UUID], origin: UUID, vault_id: UUID, **changes: Any
) -> None:
    """Move rows of items or documents, and all that goes with them; `changes` of the rows themselves."""
    if not ids:
        return
    own = {**changes, "revision": table.c.revision + 1}
    async with acting_for(session, SYSTEM):  # some of what goes with them, only its owner or the vault may write
        new = await ring_of(session, vault_id)
        for each, row_ids in await _with_them(session, table, ids, origin):
            values = {OWNER: vault_id, **(own if each is table else {})}
            for begin in range(0, len(row_ids), ROWS_AT_ONCE):
                await _reseal(session, each, row_ids[begin : begin + ROWS_AT_ONCE], origin, new, values)


async def _with_them(
    session: AsyncSession, table: Table, ids: Sequence[UUID], origin: UUID
) -> list[tuple[Table, list[UUID]]]:
    """These rows, and those of their vault that refer to them or to what refers to them."""
    found: dict[Table, set[UUID]] = {table: set(ids)}
    waiting: list[tuple[Table, list[UUID]]] = [(table, list(ids))]
    for parent, parent_ids in waiting:
        for child, column in _references(parent):
            new = set[UUID]()
            for begin in range(0, len(parent_ids), IDS_AT_ONCE):
                these = column.in_(parent_ids[begin : begin + IDS_AT_ONCE])
                new.update(await session.scalars(select(child.c.id).where(these, child.c[OWNER] == origin)))
            new -= found.get(child, set())
            if new:
                found.setdefault(child, set()).update(new)
                waiting.append((child, list(new)))
    return [(each, sorted(row_ids)) for each, row_ids in found.items()]


def _references(parent: Table) -> Iterator[tuple[Table, Column[Any]]]:
    """The columns by which rows of vaults, in whatever package, go with rows of this table."""
    for table in parent.metadata.sorted_tables:
        if {"id", OWNER} <= set(table.c.keys()):
            for key in table.foreign_keys:
                if key.column is parent.c.id:
                    yield table, key.parent


async def _reseal(
    session: AsyncSession, table: Table, ids: list[UUID], origin: UUID, new: KeyRing, values: dict[str, Any]
) -> None:
    """Seal rows again for the vault that the new keys are of, with the digests that depend on its key."""
    columns = [column for sealed, column in sealed_columns() if sealed is table and column.info[SEALED_BY] == OWNER]
    mine = select(table.c.id, *columns).where(table.c.id.in_(ids), table.c[OWNER] == origin)
    rows = (await session.execute(mine.with_for_update())).mappings().all()
    if not rows:
        return
    old = await ring_of(session, origin, *(row[column.name] for row in rows for column in columns))
    changes = [{"row_id": row["id"]} | _sealed_again(table, columns, row, old, new) for row in rows]
    bound: dict[str, Any] = {name: bindparam(name) for name in changes[0] if name != "row_id"}
    await session.execute(update(table).where(table.c.id == bindparam("row_id")).values(bound | values), changes)


def _sealed_again(table: Table, columns: Sequence[Column[Any]], row: Any, old: KeyRing, new: KeyRing) -> dict[str, Any]:
    sealed: dict[str, Any] = {}
    for column in columns:
        content = old.open(table.name, row["id"], column.name, row[column.name])
        sealed[column.name] = new.seal(table.name, row["id"], column.name, content)
        if table in DIGESTS:
            sealed |= DIGESTS[table](new, orjson.loads(content))
    return sealed
