"""Reminders that the assistant proposes, from dates that it read; a person confirms or dismisses them."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id, utc_now
from app.db.runtime import current
from app.reminders.cells import EMPTY, TABLE, source_digest
from app.reminders.models import Reminder
from app.reminders.roles import LEADS, Role
from app.reminders.schedule import make_schedule
from app.vault import service as vaults
from app.vault.cells import seal_body

LONGEST_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Passage:
    """Where a date was read: characters [start, end) of a page of a version of a document."""

    version_id: UUID
    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A reminder of a date in a document; `kind` says what happens on that day."""

    vault_id: UUID
    document_id: UUID
    title: str
    due_on: date
    kind: Role
    passage: Passage
    proposed_by: UUID


async def propose(session: AsyncSession, proposal: Proposal, principal: Principal | None = None) -> UUID | None:
    """Propose a reminder, once for each document, kind and day; None if it was before, or the vault has no room.

    The transaction acts for the vault, or for the principal, whose right to write there is seen to. Raises
    `VaultNotFound`, `RoleTooLow`, `InvalidSchedule`.
    """
    if principal:
        await vaults.require(session, principal, proposal.vault_id, "write")
    schedule = make_schedule(proposal.due_on, None, None, None)
    held = select(func.count()).select_from(Reminder).where(Reminder.owner_id == proposal.vault_id)
    if (await session.scalar(held) or 0) >= current().settings.reminders_per_vault:
        return None
    row_id, now = new_id(), utc_now()
    ring = await current().keys.ring(session, proposal.vault_id)
    passage = {
        name: str(value) if isinstance(value, UUID) else value for name, value in asdict(proposal.passage).items()
    }
    words = EMPTY | {"title": proposal.title[:LONGEST_TITLE], "citation": passage}
    new = insert(Reminder).values(
        id=row_id,
        vault_id=proposal.vault_id,
        body=seal_body(ring, TABLE, row_id, words),
        kind=proposal.kind,
        source="assistant",
        state="proposed",
        document_id=proposal.document_id,
        source_digest=source_digest("document", proposal.document_id, proposal.kind, proposal.due_on),
        starts_on=proposal.due_on,
        leads=list(LEADS[proposal.kind]),
        occurs_on=proposal.due_on,
        occurs_at=schedule.moment(proposal.due_on),
        armed_at=now,
        created_by=proposal.proposed_by,
    )
    made = new.on_conflict_do_nothing(index_elements=["owner_id", "source_digest"]).returning(Reminder.id)
    found: UUID | None = await session.scalar(made)
    return found
