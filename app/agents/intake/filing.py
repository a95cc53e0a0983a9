"""What accepting a proposal does: the record, its link to the document, the reminders."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.intake.errors import TypeNeeded
from app.agents.intake.models import Intake
from app.agents.intake.schemas import IntakeAccept, Proposal, ProposedReminder
from app.auth.principal import Principal
from app.reminders import service as reminders
from app.vault import service as vaults
from app.vault.errors import ItemNotFound
from app.vault.schemas.items import ItemCreate, ItemUpdate
from app.vault.schemas.links import DocumentRef, ItemRef, LinkCreate

RELATION: Final = "proves"


async def file(
    session: AsyncSession, principal: Principal, row: Intake, proposal: Proposal, data: IntakeAccept
) -> UUID:
    """Change the record that the document was filed as, if it is still there; else make one, and link it."""
    fields = _fields(proposal, data)
    if row.item_id:
        try:
            return await _change(session, principal, row.item_id, fields, data)
        except ItemNotFound:
            pass  # it was deleted meanwhile
    made = {
        "vault_id": row.vault_id,
        "type": _type(proposal, data),
        "title": data.title or proposal.title,
        "fields": fields,
        "notes": data.notes,
        "tags": data.tags,
    }
    item = await vaults.create_item(session, principal, ItemCreate.model_validate(made))
    ends = {"source": DocumentRef(document_id=row.document_id), "target": ItemRef(item_id=item.id)}
    await vaults.create_link(session, principal, LinkCreate(**ends, relation=RELATION))
    return item.id


async def _change(
    session: AsyncSession, principal: Principal, item_id: UUID, fields: Mapping[str, Any], data: IntakeAccept
) -> UUID:
    said = {"title": data.title, "notes": data.notes, "tags": data.tags}
    changes = {"fields": fields} | {name: value for name, value in said.items() if value}
    item = await vaults.update_item(session, principal, item_id, ItemUpdate.model_validate(changes), if_match=None)
    return item.id


def _fields(proposal: Proposal, data: IntakeAccept) -> dict[str, Any]:
    if data.fields is not None:
        return dict(data.fields)
    if data.type not in (None, proposal.type):
        return {}  # what was proposed is for another type
    return {field.name: field.value for field in proposal.fields}


def _type(proposal: Proposal, data: IntakeAccept) -> str:
    type_name = data.type or proposal.type
    if type_name is None:
        raise TypeNeeded
    return type_name


async def remind(
    session: AsyncSession, principal: Principal, row: Intake, proposal: Proposal, data: IntakeAccept
) -> None:
    """Set the reminders of dates that stand in no field of the record; those in fields are reminded of anyway."""
    held = set(map(str, _fields(proposal, data).values()))
    for reminder in proposal.reminders:
        if reminder.due_on.isoformat() not in held:
            proposed = await reminders.propose(session, _reminder(principal, row, proposal, reminder), principal)
            if proposed:
                await reminders.confirm(session, principal, proposed)


def _reminder(principal: Principal, row: Intake, proposal: Proposal, reminder: ProposedReminder) -> reminders.Proposal:
    place = reminder.place
    return reminders.Proposal(
        vault_id=row.vault_id,
        document_id=row.document_id,
        title=f"{proposal.title}: {reminder.label}" if reminder.label else proposal.title,
        due_on=reminder.due_on,
        kind=reminder.kind,
        passage=reminders.Passage(row.version_id, place.page, place.start, place.end),
        proposed_by=principal.user_id,
    )
