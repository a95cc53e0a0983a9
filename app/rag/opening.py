"""From the sealed indexes in the database to shelves in memory: those that the principal may read at this moment.

What is kept from earlier questions only saves opening it again; documents that are not among those now are left out.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    LargeBinary,
    Uuid,
    any_,
    bindparam,
    column,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.crypto import SealBroken
from app.core.logging import get_log
from app.db.keys import KeyRing
from app.db.runtime import current
from app.db.statements import Row, Statement
from app.rag.cache import Key, Shelves, shelf_cache
from app.rag.fields.shapes import Field, decode
from app.rag.memory import Reserve, reserve
from app.rag.models import PAGE, Artifact, ShardRow, VectorSet
from app.rag.old_shard import open_shard
from app.rag.ranking import PageKey
from app.rag.scope import Scope
from app.rag.serving import IS_FIELDS, IS_PAGE
from app.rag.shelf import Shelf
from app.rag.shelving import ShelfBuilder, joined
from app.vault import service as vaults

BATCH_BYTES: Final = 4 * 2**20
"""So much is fetched while what was fetched before is opened."""
MOST_SHELVES: Final = 8
"""A vault's; with more, the smaller ones are joined."""

_ENTRY: Final = np.dtype([("revision", "V16"), ("id", "V16"), ("bytes", ">i4")])
_entry = func.uuid_send(ShardRow.revision).op("||")(func.uuid_send(ShardRow.id))
_entry = _entry.op("||")(func.int4send(func.octet_length(ShardRow.body)))
_ENTRIES: Final = func.string_agg(_entry, aggregate_order_by(literal(b"", LargeBinary), ShardRow.id))
_SEALED: Final = Statement(
    select(ShardRow.id, ShardRow.revision, ShardRow.body).where(
        ShardRow.id == any_(bindparam("ids", type_=ARRAY(Uuid)))
    )
)
_asked = (
    func.unnest(bindparam("versions", type_=ARRAY(Uuid)), bindparam("numbers", type_=ARRAY(Integer)))
    .table_valued(column("version_id", Uuid), column("number", Integer))
    .render_derived()
)
_PAGES: Final = Statement(
    select(Artifact.id, Artifact.version_id, Artifact.vault_id, Artifact.stage, Artifact.ordinal, Artifact.body)
    .join(_asked, (_asked.c.version_id == Artifact.version_id) & (_asked.c.number == Artifact.ordinal))
    .join(ShardRow, (ShardRow.id == Artifact.version_id) & or_(IS_PAGE, IS_FIELDS))
)

log = get_log(__name__)

Entries = NDArray[np.void]


async def open_scope(session: AsyncSession, principal: Principal, vault_ids: Sequence[UUID] | None) -> Scope:
    """The indexes of all documents that the principal may read. Raises `VaultNotFound`."""
    if vault_ids:
        await vaults.require_vaults(session, principal, vault_ids)
    visible = vaults.visible_document_versions(principal, vault_ids).subquery()
    of_vaults = (
        select(ShardRow.vault_id, ShardRow.model_id, _bare().label("bare"), _ENTRIES)
        .join(visible, visible.c.document_id == ShardRow.document_id)
        .outerjoin(VectorSet, VectorSet.revision == ShardRow.revision)
        .group_by(ShardRow.vault_id, ShardRow.model_id, column("bare"))
        .order_by(ShardRow.vault_id, ShardRow.model_id, column("bare"))
    )
    rows = (await session.execute(of_vaults)).all()
    shelves: list[Shelf] = []
    for vault_id, model_id, bare, entries in rows:
        shelves += await _shelves(session, (vault_id, model_id, bare), np.frombuffer(entries, _ENTRY))
    return Scope(shelves)


def _bare() -> ColumnElement[bool]:
    """Whether PostgreSQL compares the vectors of an index, so that they need no memory here."""
    return VectorSet.revision.is_not(None) if current().settings.vector_index == "pgvector" else false()


async def _shelves(session: AsyncSession, key: Key, entries: Entries) -> Shelves:
    """Shelves with exactly these documents of a vault, but for damaged ones."""
    cache = shelf_cache(current().settings.shard_cache_bytes)
    kept, wanted = cache.get(key), frozenset(entries["revision"].tolist())
    shelves = kept
    if not all(shelf.known <= wanted for shelf in kept):
        shelves = await asyncio.to_thread(_narrowed, kept, wanted)
    known = _known(shelves)
    missing = entries[[revision not in known for revision in entries["revision"].tolist()]]
    if len(missing):
        opened = await _opened(session, key, missing)
        shelves = (*shelves, opened) if opened.known else shelves
    if len(shelves) > MOST_SHELVES:
        shelves = await asyncio.to_thread(_fewer, shelves)
    if shelves != kept:
        cache.put(key, shelves)
    return shelves


def _reserve() -> Reserve:
    return reserve(current().settings.shard_reserve_bytes)


def _known(shelves: Iterable[Shelf]) -> frozenset[bytes]:
    return frozenset().union(*(shelf.known for shelf in shelves))


def _narrowed(shelves: Shelves, wanted: frozenset[bytes]) -> Shelves:
    """Without the documents that are not wanted."""
    left = (
        shelf if shelf.known <= wanted else joined([shelf], wanted, _reserve())
        for shelf in shelves
        if shelf.known & wanted
    )
    return tuple(left)


def _fewer(shelves: Shelves) -> Shelves:
    """The largest, and all others as one."""
    largest = max(shelves, key=lambda shelf: shelf.nbytes)
    others = [shelf for shelf in shelves if shelf is not largest]
    return largest, joined(others, _known(others), _reserve())


async def _opened(session: AsyncSession, key: Key, missing: Entries) -> Shelf:
    """One batch is opened while the next one is fetched."""
    builder = ShelfBuilder(key[1], int(missing["bytes"].sum()), _reserve(), bare=key[2])
    opening: asyncio.Task[None] | None = None
    try:
        for ids in _batches(missing):
            rows = await _SEALED.fetch(session, ids=ids)
            ring = await current().keys.ring(session, key[0], *(row["body"] for row in rows))
            if opening:
                await opening
            opening = asyncio.create_task(asyncio.to_thread(_put, builder, rows, ring))
    finally:
        if opening:
            await opening
    return builder.done()


def _batches(entries: Entries) -> Iterator[list[UUID]]:
    ids: list[UUID] = []
    size = 0
    for version_id, nbytes in zip(entries["id"].tolist(), entries["bytes"].tolist(), strict=True):
        ids.append(UUID(bytes=version_id))
        size += nbytes
        if size >= BATCH_BYTES:
            yield ids
            ids, size = [], 0
    if ids:
        yield ids


def _put(builder: ShelfBuilder, rows: Iterable[Row], ring: KeyRing) -> None:
    """Open the rows; a damaged one is left out, for it must not keep the others from answering."""
    for row in rows:
        try:
            builder.add(row["revision"].bytes, open_shard(ring, row["id"], row["body"]))
        except (SealBroken, ValueError) as error:
            log.error("index damaged", version_id=str(row["id"]), error=type(error).__name__)


@dataclass(frozen=True, slots=True)
class PageContents:
    """What pages say, and the fields on those that have any."""

    texts: dict[PageKey, str]
    fields: dict[PageKey, list[Field]]


async def read_pages(session: AsyncSession, wanted: Iterable[PageKey]) -> PageContents:
    """Pages with their fields; those that are gone since they were found are left out, and damaged ones."""
    contents = PageContents({}, {})
    asked = sorted(wanted)
    if not asked:
        return contents
    versions, numbers = zip(*asked, strict=True)
    rows = await _PAGES.fetch(session, versions=list(versions), numbers=list(numbers))
    sealed: dict[UUID, list[Row]] = {}
    for row in rows:
        sealed.setdefault(row["vault_id"], []).append(row)
    for vault_id, those in sealed.items():
        ring = await current().keys.ring(session, vault_id, *(row["body"] for row in those))
        _open(ring, those, contents)
    return contents


def _open(ring: KeyRing, rows: Iterable[Row], contents: PageContents) -> None:
    for row in rows:
        key = row["version_id"], row["ordinal"]
        try:
            cell = ring.open("rag_artifacts", row["id"], "body", row["body"])
        except SealBroken:
            log.error("page damaged", version_id=str(row["version_id"]), page=row["ordinal"], stage=row["stage"])
        else:
            if row["stage"] == PAGE:
                contents.texts[key] = cell.decode()
            else:
                contents.fields[key] = decode(row["ordinal"], cell)
