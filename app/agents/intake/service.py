"""Proposals: made when a document has been read, shown to members of its vault, accepted or dismissed by a writer."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.intake import filing
from app.agents.intake.errors import IntakeDecided, IntakeNotFound
from app.agents.intake.models import ACCEPTED, DISMISSED, OPEN, Intake
from app.agents.intake.schemas import IntakeAccept, IntakeRead, Proposal, State
from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current
from app.vault import service as vaults

TABLE: Final = "agent_intakes"
BODY: Final = "body"


async def keep(
    session: AsyncSession, proposal: Proposal, document_id: UUID, version_id: UUID, vault_id: UUID, item_id: UUID | None
) -> bool:
    """Keep a proposal for a version, in the place of an open one for an earlier version; whether it is new.

    Emits `agents.intake_proposed` with `intake_id`, `document_id` and `vault_id`.
    """
    older = Intake.document_id == document_id, Intake.state == OPEN, Intake.version_id != version_id
    await session.execute(delete(Intake).where(*older))
    row_id = new_id()
    ring = await current().keys.ring(session, vault_id)
    cell = ring.seal(TABLE, row_id, BODY, orjson.dumps(proposal.model_dump(mode="json")))
    ids = {"id": row_id, "vault_id": vault_id, "document_id": document_id, "version_id": version_id, "item_id": item_id}
    statement = insert(Intake).values(**ids, body=cell).on_conflict_do_nothing().returning(Intake.id)
    if await session.scalar(statement) is None:
        return False
    await emit(session, "agents.intake_proposed", intake_id=row_id, document_id=document_id, vault_id=vault_id)
    return True


async def filed_as(session: AsyncSession, document_id: UUID) -> tuple[UUID | None, Proposal | None]:
    """The record that a document was filed as, if it is still there, and what was proposed then."""
    accepted = Intake.document_id == document_id, Intake.state == ACCEPTED, Intake.item_id.is_not(None)
    row = await session.scalar(select(Intake).where(*accepted).order_by(Intake.id.desc()).limit(1))
    return (row.item_id, _opened(row, await _ring(session, row))) if row else (None, None)


async def list_page(
    session: AsyncSession,
    principal: Principal,
    *,
    limit: int,
    before: UUID | None = None,
    vault_id: UUID | None = None,
    state: State | None = None,
) -> list[IntakeRead]:
    """Proposals for documents that the principal may read, newest first. Raises `VaultNotFound`."""
    if vault_id:
        await vaults.require_vaults(session, principal, [vault_id])
    statement = _visible(principal).order_by(Intake.id.desc()).limit(limit)
    if before:
        statement = statement.where(Intake.id < before)
    if vault_id:
        statement = statement.where(Intake.vault_id == vault_id)
    if state:
        statement = statement.where(Intake.state == state)
    rows = (await session.scalars(statement)).all()
    return [_read(row, await _ring(session, row)) for row in rows]


async def read(session: AsyncSession, principal: Principal, intake_id: UUID) -> IntakeRead:
    """A proposal. Raises `IntakeNotFound`."""
    row = await _find(session, principal, intake_id)
    return _read(row, await _ring(session, row))


async def dismiss(session: AsyncSession, principal: Principal, intake_id: UUID) -> IntakeRead:
    """Dismiss a proposal. Raises `IntakeNotFound`, `RoleTooLow`, `IntakeDecided`."""
    row = await _open(session, principal, intake_id)
    return await _decide(session, principal, row, DISMISSED, row.item_id)


async def accept(session: AsyncSession, principal: Principal, intake_id: UUID, data: IntakeAccept) -> IntakeRead:
    """Make the record, or change the one that was made of an earlier version; link it; set the reminders.

    Raises `IntakeNotFound`, `RoleTooLow`, `IntakeDecided`, `TypeNeeded`, `TypeNotFound`, `InvalidFields`,
    `LimitReached`, `StaleRevision`.
    """
    row = await _open(session, principal, intake_id)
    proposal = _opened(row, await _ring(session, row))
    item_id = await filing.file(session, principal, row, proposal, data)
    if data.reminders:
        await filing.remind(session, principal, row, proposal, data)
    return await _decide(session, principal, row, ACCEPTED, item_id)


async def _open(session: AsyncSession, principal: Principal, intake_id: UUID) -> Intake:
    """An undecided proposal, for somebody who may write to its vault; nobody else can decide it meanwhile."""
    found = await _find(session, principal, intake_id)
    await vaults.require(session, principal, found.vault_id, "write")
    locked = select(Intake).where(Intake.id == intake_id).with_for_update().execution_options(populate_existing=True)
    row = await session.scalar(locked)
    if row is None:
        raise IntakeNotFound
    if row.state != OPEN:
        raise IntakeDecided
    return row


async def _decide(
    session: AsyncSession, principal: Principal, row: Intake, state: State, item_id: UUID | None
) -> IntakeRead:
    row.state, row.item_id, row.decided_by = state, item_id, principal.user_id
    row.decided_at = await session.scalar(select(func.now()))
    await session.flush()
    ids = {"intake_id": str(row.id)}
    await audit.record(session, principal, row.vault_id, f"agents.intake_{state}", row.document_id, **ids)
    return _read(row, await _ring(session, row))


async def _find(session: AsyncSession, principal: Principal, intake_id: UUID) -> Intake:
    row = await session.scalar(_visible(principal).where(Intake.id == intake_id))
    if row is None:
        raise IntakeNotFound
    return row


def _visible(principal: Principal) -> Select[Intake]:
    documents = vaults.visible_document_versions(principal).subquery()
    return select(Intake).join(documents, documents.c.document_id == Intake.document_id)


async def _ring(session: AsyncSession, row: Intake) -> KeyRing:
    return await current().keys.ring(session, row.vault_id, row.body)


def _opened(row: Intake, ring: KeyRing) -> Proposal:
    return Proposal.model_validate_json(ring.open(TABLE, row.id, BODY, row.body))


def _read(row: Intake, ring: KeyRing) -> IntakeRead:
    ids = ("id", "vault_id", "document_id", "version_id", "state", "item_id", "created_at", "decided_at")
    return IntakeRead.model_validate({**_opened(row, ring).model_dump(), **{name: getattr(row, name) for name in ids}})


async def records_of(session: AsyncSession, principal: Principal) -> Sequence[tuple[UUID, UUID]]:
    """Documents that the principal may read, and the records that they were filed as."""
    filed = _visible(principal).where(Intake.state == ACCEPTED, Intake.item_id.is_not(None))
    rows = (await session.execute(filed.with_only_columns(Intake.document_id, Intake.item_id))).all()
    return [(row.document_id, row.item_id) for row in rows]
