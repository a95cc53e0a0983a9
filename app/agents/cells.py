"""Cells of persons: JSON objects sealed at their place."""

from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.keys import KeyRing
from app.db.runtime import current

BODY: Final = "body"


async def ring_of(session: AsyncSession, user_id: UUID, *cells: bytes) -> KeyRing:
    """The keys of a person, among them those that sealed these cells. Raises `KeysDestroyed`."""
    return await current().keys.ring(session, user_id, *cells)


async def sealed(session: AsyncSession, user_id: UUID, table: str, row_id: UUID, content: Any) -> bytes:
    """The `body` of a row."""
    return (await ring_of(session, user_id)).seal(table, row_id, BODY, orjson.dumps(content))


async def opened(session: AsyncSession, table: str, row: Any) -> Any:
    """What stands in the `body` of a row with `id` and `user_id`. Raises `SealBroken`."""
    ring = await ring_of(session, row.user_id, row.body)
    return orjson.loads(ring.open(table, row.id, BODY, row.body))


async def opened_all(session: AsyncSession, table: str, rows: Any) -> list[Any]:
    """As `opened`, for rows of one person, in their order."""
    if not rows:
        return []
    ring = await ring_of(session, rows[0].user_id, *(row.body for row in rows))
    return [orjson.loads(ring.open(table, row.id, BODY, row.body)) for row in rows]
