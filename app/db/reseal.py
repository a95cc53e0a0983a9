"""Cells of an owner sealed again under their current data key, in whatever package they stand.

Tables say themselves what they seal, and for whom: `SEALED_BY` in the `info` of a column.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Column, Table, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import SEALED_BY, Base
from app.db.keys import KeyRing
from app.db.runtime import current

ROWS_AT_ONCE = 50

Digests = Callable[[KeyRing, Any], dict[str, Any]]


def sealed_columns() -> Iterator[tuple[Table, Column[bytes]]]:
    """Every column of cells, in every package."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if SEALED_BY in column.info:
                yield table, column


async def reseal_owner(session: AsyncSession, owner_id: UUID) -> int:
    """Seal everything of an owner who has little, such as a user, in one transaction; returns how many cells."""
    count = 0
    for table, column in sealed_columns():
        last: UUID | None = None
        while ids := await reseal_rows(session, owner_id, table, column, last):
            last, count = ids[-1], count + len(ids)
    return count


async def reseal_rows(
    session: AsyncSession,
    owner_id: UUID,
    table: Table,
    column: Column[bytes],
    last: UUID | None,
    digests: Digests | None = None,
) -> list[UUID]:
    """Seal the next rows after `last` that stand under another key than the current one; returns their ids.

    `digests` makes the columns that depend on the key and on the content, a JSON object.
    """
    ring = await current().keys.ring(session, owner_id)
    retired = [key_id for key_id in ring.by_id if key_id != ring.current.id]
    owner = table.c[column.info[SEALED_BY]]
    stale = select(table.c.id, column).where(owner == owner_id, table.c.key_id.in_(retired))
    if last:
        stale = stale.where(table.c.id > last)
    rows = (await session.execute(stale.order_by(table.c.id).limit(ROWS_AT_ONCE).with_for_update())).all()
    if rows:
        changes = [_resealed(ring, table, column, row_id, cell, digests) for row_id, cell in rows]
        values: dict[str, Any] = {name: bindparam(name) for name in changes[0] if name != "row_id"}
        await session.execute(update(table).where(table.c.id == bindparam("row_id")).values(values), changes)
    return [row_id for row_id, _ in rows]


def _resealed(
    ring: KeyRing, table: Table, column: Column[bytes], row_id: UUID, cell: bytes, digests: Digests | None
) -> dict[str, Any]:
    content = ring.open(table.name, row_id, column.name, cell)
    changed = digests(ring, orjson.loads(content)) if digests else {}
    return {"row_id": row_id, column.name: ring.seal(table.name, row_id, column.name, content), **changed}
