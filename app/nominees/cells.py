"""Cells of owners: what stands sealed in the tables of legacy."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.keys import KeyRing
from app.db.runtime import current
from app.vault.cells import open_body, seal_body

__all__ = ["open_body", "open_row", "open_rows", "owner_ring", "seal_body"]


async def owner_ring(session: AsyncSession, user_id: UUID, *cells: bytes) -> KeyRing:
    """The keys of an owner, among them those that sealed these cells. Raises `KeysDestroyed`."""
    return await current().keys.ring(session, user_id, *cells)


async def open_row(session: AsyncSession, table: Table, row: Any) -> Any:
    """What stands in the `body` of a row with `id` and `user_id`. Raises `ContentDamaged`."""
    ring = await owner_ring(session, row["user_id"], row["body"])
    return open_body(ring, table, row["id"], row["body"])


async def open_rows(session: AsyncSession, table: Table, rows: Sequence[Any]) -> list[Any]:
    """As `open_row`, for rows of one owner, in their order."""
    if not rows:
        return []
    ring = await owner_ring(session, rows[0]["user_id"], *(row["body"] for row in rows))
    return [open_body(ring, table, row["id"], row["body"]) for row in rows]
