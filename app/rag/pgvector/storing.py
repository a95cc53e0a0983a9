"""Copying vectors out of sealed indexes to where PostgreSQL compares them, for vaults whose owners chose that."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Text, Uuid, bindparam, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.crypto import SealBroken
from app.core.logging import get_log
from app.db.runtime import current
from app.db.session import session_scope
from app.rag.models import ShardRow, VectorChoice, VectorSet
from app.rag.old_shard import open_shard
from app.rag.pgvector.table import SCHEMA, TABLE
from app.rag.shelving import open_shelves

DOCUMENTS_AT_ONCE: Final = 8
VECTORS_AT_ONCE: Final = 500
_INSERT: Final = text(
    f"""INSERT INTO {TABLE} (revision, number, vault_id, vector)
    SELECT :revision, :first + each.place - 1, :vault_id, {SCHEMA}.as_vector(each.vector)
    FROM unnest(:vectors) WITH ORDINALITY AS each (vector, place)"""  # noqa: S608  names of ours
).bindparams(
    bindparam("revision", type_=Uuid), bindparam("vault_id", type_=Uuid), bindparam("vectors", type_=ARRAY(Text))
)

log = get_log(__name__)


async def keep_up() -> int:
    """Copy what lacks a copy, a few indexes a transaction, or delete all copies if nobody may have any.

    Returns how many batches of indexes were copied, or how many indexes lost their copy.
    """
    async with session_scope() as session:
        if current().settings.vector_index != "pgvector":
            return await drop_all(session)
        if await is_missing(session):
            log.error("vectors have no place in the database: run lifevault migrate")
            return 0
    batches, last = 0, None
    while True:
        async with session_scope() as session:
            last = await store_next(session, last)
        if last is None:
            return batches
        batches += 1


async def store_next(session: AsyncSession, after: UUID | None) -> UUID | None:
    """Copy the vectors of the next few indexes that lack it, in the order of their ids; returns the last, None if done.

    A damaged one is left out: it must not keep the others from being copied.
    """
    lacking = (
        select(ShardRow.id, ShardRow.vault_id, ShardRow.revision, ShardRow.body)
        .join(VectorChoice, VectorChoice.vault_id == ShardRow.vault_id)
        .outerjoin(VectorSet, VectorSet.revision == ShardRow.revision)
        .where(VectorSet.revision.is_(None), ShardRow.model_id.is_not(None), ShardRow.chunks > 0)
        .order_by(ShardRow.id)
        .limit(DOCUMENTS_AT_ONCE)
        .with_for_update(of=ShardRow, skip_locked=True)
    )
    rows = (await session.execute(lacking if after is None else lacking.where(ShardRow.id > after))).all()
    for row in rows:
        ring = await current().keys.ring(session, row.vault_id, row.body)
        try:
            vectors = await asyncio.to_thread(_vectors, open_shard(ring, row.id, row.body))
        except (SealBroken, ValueError) as error:
            log.error("index damaged", version_id=str(row.id), error=type(error).__name__)
        else:
            await _store(session, row, vectors)
    return rows[-1].id if rows else None


def _vectors(shard: bytes) -> list[str]:
    """As the extension reads them: the title's, then one a window."""
    (shelf,) = open_shelves([shard])
    vectors = shelf.first_vectors(0, shelf.rows)
    return [orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode() for vector in vectors]


async def _store(session: AsyncSession, row: Any, vectors: Sequence[str]) -> None:
    one = {"revision": row.revision, "vault_id": row.vault_id}
    await session.execute(insert(VectorSet).values(version_id=row.id, **one))
    for first in range(0, len(vectors), VECTORS_AT_ONCE):
        part = list(vectors[first : first + VECTORS_AT_ONCE])
        await session.execute(_INSERT, {**one, "first": first, "vectors": part})


async def is_missing(session: AsyncSession) -> bool:
    """Whether vectors have no place to stand in this database."""
    return await session.scalar(select(func.to_regclass(TABLE))) is None


async def drop_all(session: AsyncSession) -> int:
    """Delete every copy, as the installation does not want them any more; returns of how many indexes."""
    return len((await session.scalars(delete(VectorSet).returning(VectorSet.revision))).all())
