"""Memory: facts that a person's agents are told, seen and changed by that person."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.cells import opened, opened_all, sealed
from app.agents.errors import MemoryNotFound, TooMany
from app.agents.models import Memory
from app.agents.schemas import MemoryRead
from app.auth.principal import Principal
from app.core.clock import new_id, utc_now
from app.db.runtime import current

TABLE: Final = "agent_memories"


async def create(session: AsyncSession, principal: Principal, text: str, *, run_id: UUID | None = None) -> MemoryRead:
    """Keep a fact; `run_id` is where it comes from. Raises `TooMany`."""
    count = select(func.count()).select_from(Memory).where(Memory.user_id == principal.user_id)
    if (await session.scalar(count) or 0) >= current().settings.memories_per_user:
        raise TooMany
    row_id = new_id()
    body = await sealed(session, principal.user_id, TABLE, row_id, {"text": text})
    row = Memory(id=row_id, user_id=principal.user_id, run_id=run_id, body=body)
    session.add(row)
    await session.flush()
    return _read(row, text)


async def list_all(session: AsyncSession, principal: Principal) -> list[MemoryRead]:
    """Every fact, oldest first."""
    rows = await session.scalars(select(Memory).where(Memory.user_id == principal.user_id).order_by(Memory.id))
    found: Sequence[Memory] = rows.all()
    contents = await opened_all(session, TABLE, found)
    return [_read(row, content["text"]) for row, content in zip(found, contents, strict=True)]


async def update(session: AsyncSession, principal: Principal, memory_id: UUID, text: str) -> MemoryRead:
    """Change a fact. Raises `MemoryNotFound`."""
    row = await _mine(session, principal, memory_id)
    row.body = await sealed(session, row.user_id, TABLE, row.id, {"text": text})
    row.updated_at = utc_now()
    await session.flush()
    return _read(row, (await opened(session, TABLE, row))["text"])


async def remove(session: AsyncSession, principal: Principal, memory_id: UUID) -> None:
    """Forget a fact. Raises `MemoryNotFound`."""
    row = await _mine(session, principal, memory_id)
    await session.execute(delete(Memory).where(Memory.id == row.id))


async def _mine(session: AsyncSession, principal: Principal, memory_id: UUID) -> Memory:
    row = await session.scalar(select(Memory).where(Memory.id == memory_id, Memory.user_id == principal.user_id))
    if row is None:
        raise MemoryNotFound
    return row


def _read(row: Memory, text: str) -> MemoryRead:
    return MemoryRead(id=row.id, text=text, run_id=row.run_id, created_at=row.created_at, updated_at=row.updated_at)
