"""Everything of a vault that a member may read, page by page: records with their history, documents, the trash."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.vault.cells import open_body, ring_of
from app.vault.models import document_versions, documents, item_versions, items, links, members, types
from app.vault.policy import open_to_members, require
from app.vault.service.content import VersionContent, contents_of
from app.vault.service.items import IS_FAVOURITE
from app.vault.service.types import name_of

ROWS_AT_ONCE: Final = 200
FIRST: Final = UUID(int=0)

Scope = Callable[[], AbstractAsyncContextManager[AsyncSession]]


async def items_of(scope: Scope, principal: Principal, vault_id: UUID) -> AsyncIterator[dict[str, Any]]:
    """Every record, the oldest first, those in the trash too; each page in a transaction of its own."""
    last = FIRST
    while True:
        async with scope() as session:
            rows = (await session.execute(_page(items, principal, vault_id, last))).mappings().all()
            page = await _opened_items(session, vault_id, rows)
        for item in page:
            yield item
        if len(rows) < ROWS_AT_ONCE:
            return
        last = rows[-1]["id"]


def _page(table: Table, principal: Principal, vault_id: UUID, last: UUID) -> Select[Any]:
    mine = table.c.vault_id == vault_id, members.c.user_id == principal.user_id, table.c.id > last
    columns = (table, IS_FAVOURITE.label("favourite")) if table is items else (table,)
    return select(*columns).select_from(open_to_members(table)).where(*mine).order_by(table.c.id).limit(ROWS_AT_ONCE)


async def _opened_items(session: AsyncSession, vault_id: UUID, rows: Any) -> list[dict[str, Any]]:
    of_page = select(item_versions).where(item_versions.c.item_id.in_([row["id"] for row in rows]))
    versions = (await session.execute(of_page.order_by(item_versions.c.revision))).mappings().all()
    ring = await ring_of(session, vault_id, *(row["body"] for row in (*rows, *versions)))
    history = defaultdict[UUID, list[dict[str, Any]]](list)
    for version in versions:
        content = open_body(ring, item_versions, version["id"], version["body"])
        times = {"revision": version["revision"], "written_at": version["written_at"]}
        history[version["item_id"]].append({**times, **content})
    return [
        {
            **_common(row),
            "type": row["type"],
            **open_body(ring, items, row["id"], row["body"]),
            "history": history[row["id"]],
            "favourite": row["favourite"],
        }
        for row in rows
    ]


def _common(row: Any) -> dict[str, Any]:
    times = {name: row[name] for name in ("revision", "created_at", "updated_at", "trashed_at")}
    return {"id": str(row["id"]), **times}


async def documents_of(
    scope: Scope, principal: Principal, vault_id: UUID
) -> AsyncIterator[tuple[dict[str, Any], list[VersionContent]]]:
    """Every document, the oldest first, with its versions, the current one last."""
    last = FIRST
    while True:
        async with scope() as session:
            rows = (await session.execute(_page(documents, principal, vault_id, last))).mappings().all()
            page = [await _opened_document(session, vault_id, row) for row in rows]
        for document in page:
            yield document
        if len(rows) < ROWS_AT_ONCE:
            return
        last = rows[-1]["id"]


async def _opened_document(
    session: AsyncSession, vault_id: UUID, row: Any
) -> tuple[dict[str, Any], list[VersionContent]]:
    ring = await ring_of(session, vault_id, row["body"])
    about = {**_common(row), **open_body(ring, documents, row["id"], row["body"])}
    return about, await contents_of(session, row["id"])


async def types_of(session: AsyncSession, principal: Principal, vault_id: UUID) -> list[dict[str, Any]]:
    """The record types that people made for a vault."""
    await require(session, principal, vault_id, "read")
    rows = (
        (await session.execute(select(types).where(types.c.vault_id == vault_id).order_by(types.c.id))).mappings().all()
    )
    ring = await ring_of(session, vault_id, *(row["body"] for row in rows))
    return [{"name": name_of(row["id"]), **open_body(ring, types, row["id"], row["body"])} for row in rows]


async def links_of(session: AsyncSession, principal: Principal, vault_id: UUID) -> list[dict[str, Any]]:
    """How things of a vault are related to each other; links that lead to another vault are left out."""
    await require(session, principal, vault_id, "read")
    rows = (
        (await session.execute(select(links).where(links.c.vault_id == vault_id).order_by(links.c.id))).mappings().all()
    )
    ring = await ring_of(session, vault_id, *(row["body"] for row in rows))
    inside = {
        row_id
        for table in (items, documents)
        for row_id in await session.scalars(select(table.c.id).where(table.c.vault_id == vault_id))
    }
    found = []
    for row in rows:
        source = row["source_item_id"] or row["source_document_id"]
        target = row["target_item_id"] or row["target_document_id"]
        if source in inside and target in inside:
            label = open_body(ring, links, row["id"], row["body"])["label"]
            found.append({"source": str(source), "target": str(target), "relation": row["relation"], "label": label})
    return found


async def count_all(session: AsyncSession, principal: Principal, vault_id: UUID) -> int:
    """How many records and versions of files there are to take."""
    counts = [
        select(func.count())
        .select_from(open_to_members(table))
        .where(table.c.vault_id == vault_id, members.c.user_id == principal.user_id)
        for table in (items, document_versions)
    ]
    return sum([await session.scalar(count) or 0 for count in counts])
