"""What happens in a run, as sealed rows that can be watched now and replayed later."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.cells import opened_all, sealed
from app.agents.models import Event, Run
from app.core.clock import new_id

TABLE: Final = "agent_events"
KINDS: Final = ("started", "step", "tool_call", "tool_result", "approval", "decision", "text", "waiting", "done")
_wakers: Final[dict[UUID, set[asyncio.Event]]] = {}


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that happened; `ordinal` counts from 1 and is the id to go on after."""

    ordinal: int
    kind: str
    data: Any


async def append(session: AsyncSession, run_id: UUID, user_id: UUID, kind: str, data: Any) -> None:
    """Add an event, in the transaction of what it tells."""
    counted = update(Run).where(Run.id == run_id).values(events=Run.events + 1).returning(Run.events)
    ordinal = await session.scalar(counted.execution_options(synchronize_session=False))
    row_id = new_id()
    body = await sealed(session, user_id, TABLE, row_id, data)
    session.add(Event(id=row_id, user_id=user_id, run_id=run_id, ordinal=ordinal, kind=kind, body=body))
    await session.flush()


async def after(session: AsyncSession, run_id: UUID, ordinal: int, limit: int = 200) -> list[RunEvent]:
    """The next events after one that was seen; 0 is before the first."""
    statement = select(Event).where(Event.run_id == run_id, Event.ordinal > ordinal).order_by(Event.ordinal)
    rows: Sequence[Event] = (await session.scalars(statement.limit(limit))).all()
    contents = await opened_all(session, TABLE, rows)
    return [RunEvent(row.ordinal, row.kind, data) for row, data in zip(rows, contents, strict=True)]


def wake(run_id: UUID) -> None:
    """Tell those who watch in this process that something was committed; others look for themselves."""
    for waker in _wakers.get(run_id, ()):
        waker.set()


async def wait(run_id: UUID, seconds: float) -> None:
    """Wait until something happens in this process, or until it is time to look anyway."""
    waker = asyncio.Event()
    _wakers.setdefault(run_id, set()).add(waker)
    try:
        async with asyncio.timeout(seconds):
            await waker.wait()
    except TimeoutError:
        pass
    finally:
        _wakers[run_id].discard(waker)
        if not _wakers[run_id]:
            del _wakers[run_id]
