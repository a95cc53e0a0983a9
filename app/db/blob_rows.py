"""Which blobs rows name, in whatever package: those are kept, all others are swept.

Tables say themselves which of their columns name blobs: `NAMES_BLOB` in the `info` of a column.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import NAMES_BLOB, Base


def blob_columns() -> Iterator[Column[Any]]:
    """Every column that names blobs, in every package."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if NAMES_BLOB in column.info:
                yield column


async def named_blobs(session: AsyncSession, names: Sequence[str]) -> set[str]:
    """Those of these blobs that a row names which the session sees."""
    named = set[str]()
    for column in blob_columns():
        named.update(await session.scalars(select(column).where(column.in_(names))))
    return named


async def blobs_of(session: AsyncSession, **owner: UUID | Sequence[UUID]) -> list[str]:
    """The blobs of a `vault_id`, a `document_id` or some `version_id`s, in every table that has such a column."""
    [(name, value)] = owner.items()
    names = set[str]()
    for column in blob_columns():
        if name in column.table.c:
            of_owner = column.table.c[name]
            mine = of_owner == value if isinstance(value, UUID) else of_owner.in_(value)
            names.update(await session.scalars(select(column).where(mine, column.is_not(None))))
    return sorted(names)
