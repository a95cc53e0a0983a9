"""Links: how records and documents are related, within a vault and from one to another.

Whoever sees both ends sees a link; it belongs to the vault of the end that it was made from.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.runtime import current
from app.vault.cells import open_body, ring_of, rings_of, seal_body
from app.vault.errors import AlreadyLinked, LinkedToItself, LinkNotFound, RoleTooLow
from app.vault.models import documents, items, links, members
from app.vault.policy import allows, open_to_members, visible_things
from app.vault.relations import BY_NAME, STORED
from app.vault.schemas.links import ItemRef, LinkCreate, LinkEnd, LinkRead, ThingRef
from app.vault.service.documents import visible_document
from app.vault.service.items import visible_item
from app.vault.service.listing import FIRST_PAGE, Filters
from app.vault.service.room import require_below

TABLES: Final = {"item": items, "document": documents}
COLUMNS: Final = {
    "item": (links.c.source_item_id, links.c.target_item_id),
    "document": (links.c.source_document_id, links.c.target_document_id),
}


async def create_link(session: AsyncSession, principal: Principal, data: LinkCreate) -> LinkRead:
    """Relate two things that the principal may read, the first of them in a vault that they may write to.

    Raises `ItemNotFound`, `DocumentNotFound`, `RoleTooLow`, `LinkedToItself`, `AlreadyLinked`, `LimitReached`.
    """
    source, target = await _end(session, principal, data.source), await _end(session, principal, data.target)
    if not allows(source["role"], "write"):
        raise RoleTooLow
    if source["id"] == target["id"]:
        raise LinkedToItself
    for end in sorted((source, target), key=lambda each: str(each["id"])):
        await _require_room(session, end)
    row = await _insert(session, principal, source, target, data)
    ids = {"relation": row["relation"], "source_id": str(source["id"]), "target_id": str(target["id"])}
    await audit.record(session, principal, row["vault_id"], "vault.link_created", row["id"], **ids)
    (shown,) = await _opened(session, [row], source["id"])
    return shown


async def _end(session: AsyncSession, principal: Principal, thing: ThingRef) -> dict[str, Any]:
    if isinstance(thing, ItemRef):
        return {**await visible_item(session, principal, thing.item_id), "kind": "item"}
    return {**await visible_document(session, principal, thing.document_id), "kind": "document"}


async def _require_room(session: AsyncSession, end: dict[str, Any]) -> None:
    held = select(func.count()).select_from(links).where(_at(end["kind"], end["id"]))
    refusal = "One of these has as many links as it may; remove some"
    await require_below(session, held, current().settings.links_per_item, end["id"], refusal)


async def _insert(
    session: AsyncSession, principal: Principal, source: dict[str, Any], target: dict[str, Any], data: LinkCreate
) -> Any:
    link_id = new_id()
    ring = await ring_of(session, source["vault_id"])
    relation, first, second = BY_NAME[data.relation], source, target
    if relation.name not in STORED or (relation.symmetric and source["id"] > target["id"]):
        relation, first, second = BY_NAME[relation.inverse], target, source
    values = {
        "id": link_id,
        "vault_id": source["vault_id"],
        f"source_{first['kind']}_id": first["id"],
        f"target_{second['kind']}_id": second["id"],
        "relation": relation.name,
        "body": seal_body(ring, links, link_id, {"label": data.label}),
        "written_by": principal.user_id,
    }
    made = upsert(links).values(values).on_conflict_do_nothing().returning(links)
    row = (await session.execute(made)).mappings().one_or_none()
    if row is None:
        raise AlreadyLinked
    return row


async def list_links(
    session: AsyncSession, principal: Principal, thing: ThingRef, filters: Filters
) -> tuple[list[LinkRead], UUID | None]:
    """One page of the links of a thing, each as it is from there, newest first; and where the next page continues.

    Raises `ItemNotFound`, `DocumentNotFound`.
    """
    end = await _end(session, principal, thing)
    here = _at(end["kind"], end["id"]), links.c.id < (filters.before or FIRST_PAGE)
    statement = _seen(principal).where(*here).order_by(links.c.id.desc()).limit(filters.limit + 1)
    rows = (await session.execute(statement)).mappings().all()
    found = rows[: filters.limit]
    last = found[-1]["id"] if len(rows) > filters.limit else None
    return await _opened(session, found, end["id"]), last


async def read_link(session: AsyncSession, principal: Principal, link_id: UUID) -> LinkRead:
    """A link between two things that the principal may read. Raises `LinkNotFound`."""
    row = await _visible(session, principal, link_id)
    (shown,) = await _opened(session, [row], None)
    return shown


async def links_by_id(session: AsyncSession, principal: Principal, link_ids: Collection[UUID]) -> list[LinkRead]:
    """Those of these links whose ends the principal may both read."""
    if not link_ids:
        return []
    rows = (await session.execute(_seen(principal).where(links.c.id.in_(link_ids)))).mappings().all()
    return await _opened(session, rows, None)


async def delete_link(session: AsyncSession, principal: Principal, link_id: UUID) -> None:
    """Take a link away. Raises `LinkNotFound`, `RoleTooLow`."""
    row = await _visible(session, principal, link_id)
    if not allows(row["role"], "write"):
        raise RoleTooLow
    await session.execute(delete(links).where(links.c.id == link_id))
    await audit.record(session, principal, row["vault_id"], "vault.link_deleted", link_id)


async def _visible(session: AsyncSession, principal: Principal, link_id: UUID) -> Any:
    row = (await session.execute(_seen(principal).where(links.c.id == link_id))).mappings().one_or_none()
    if row is None:
        raise LinkNotFound
    return row


def _at(kind: str, thing_id: UUID) -> ColumnElement[bool]:
    """The links that have this thing at one of their ends."""
    source, target = COLUMNS[kind]
    return or_(source == thing_id, target == thing_id)


def _seen(principal: Principal) -> Any:
    """Links whose ends the principal may both read, with their `role` in the vault that it belongs to."""
    ends = [or_(*(_readable(principal, TABLES[kind], COLUMNS[kind][end]) for kind in TABLES)) for end in range(2)]
    joined = open_to_members(links)
    return select(links, members.c.role).select_from(joined).where(members.c.user_id == principal.user_id, *ends)


def _readable(principal: Principal, table: Table, column: ColumnElement[Any]) -> ColumnElement[bool]:
    return exists(visible_things(table, principal.user_id).where(table.c.id == column).correlate(links))


async def _opened(session: AsyncSession, rows: Sequence[Any], seen_from: UUID | None) -> list[LinkRead]:
    """Links as they are shown, from one of their ends, or as they are stored. The ends may be read."""
    ends = await _ends(session, rows)
    rings = await rings_of(session, rows)
    return [
        _shown(row, ends, open_body(rings[row["vault_id"]], links, row["id"], row["body"]), seen_from) for row in rows
    ]


async def _ends(session: AsyncSession, rows: Sequence[Any]) -> dict[UUID, LinkEnd]:
    found: dict[UUID, LinkEnd] = {}
    for kind, table in TABLES.items():
        ids = {row[column.name] for row in rows for column in COLUMNS[kind] if row[column.name]}
        if not ids:
            continue
        columns = [table.c.id, table.c.vault_id, table.c.body, *([table.c.type] if kind == "item" else [])]
        things = (await session.execute(select(*columns).where(table.c.id.in_(ids)))).mappings().all()
        rings = await rings_of(session, things)
        for thing in things:
            title = open_body(rings[thing["vault_id"]], table, thing["id"], thing["body"])["title"]
            found[thing["id"]] = LinkEnd.model_validate(
                {
                    "kind": kind,
                    "id": thing["id"],
                    "vault_id": thing["vault_id"],
                    "type": thing.get("type"),
                    "title": title,
                }
            )
    return found


def _shown(row: Any, ends: dict[UUID, LinkEnd], content: Any, seen_from: UUID | None) -> LinkRead:
    source = ends[row["source_item_id"] or row["source_document_id"]]
    target = ends[row["target_item_id"] or row["target_document_id"]]
    relation = row["relation"]
    if seen_from == target.id:
        source, relation, target = target, BY_NAME[relation].inverse, source
    return LinkRead(
        id=row["id"],
        source=source,
        relation=relation,
        target=target,
        label=content["label"],
        vault_id=row["vault_id"],
        written_by=row["written_by"],
        created_at=row["created_at"],
    )
