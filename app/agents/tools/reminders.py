"""Reminders: those that are open are listed; a new one is made when the person allows it."""

from datetime import date
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field

from app.agents.tools.registry import Tool, ToolContext, ToolResult, register
from app.core.schemas import LongText, RequestModel, ShortText, Whole
from app.reminders import service as reminders
from app.reminders.schemas import DEFAULT_LEADS, Leads, ReminderCreate, ReminderRead, RRule
from app.vault import service as vaults
from app.vault.errors import ItemNotFound, VaultNotFound

MOST_LISTED = 50


class ListReminders(RequestModel):
    """Which reminders."""

    limit: Whole = Field(default=20, ge=1, le=MOST_LISTED)


class ProposeReminder(RequestModel):
    """A new reminder for those who keep the vault."""

    vault_id: UUID
    title: ShortText
    due_on: date
    notes: LongText = ""
    item_id: UUID | None = Field(default=None, description="The record that it is about.")
    rrule: RRule | None = Field(default=None, description="How it repeats (RFC 5545), e.g. FREQ=YEARLY.")
    leads: Leads = Field(default=DEFAULT_LEADS, description="How many days before people are told.")


async def list_reminders(context: ToolContext, data: ListReminders) -> ToolResult:
    """What is due next, in scope; a person's own reminders are in no vault and in scope if every vault is."""
    async with context.session() as session:
        found: list[ReminderRead] = []
        for vault_id in context.vault_ids if context.vault_ids is not None else (None,):
            filters = reminders.Filters(limit=data.limit, vault_id=vault_id)
            page, _last = await reminders.list_reminders(session, context.principal, filters)
            found += page
    found.sort(key=lambda each: (each.due_on, each.id))
    shown = [_shown(each) for each in found[: data.limit]]
    return ToolResult(orjson.dumps({"reminders": shown}).decode(), {"reminders": shown})


def _shown(reminder: ReminderRead) -> dict[str, Any]:
    return reminder.model_dump(mode="json", include={"id", "vault_id", "item_id", "title", "state", "due_on", "rrule"})


async def propose_reminder(context: ToolContext, data: ProposeReminder) -> ToolResult:
    """Set a reminder. Raises `VaultNotFound`, `ItemNotFound`, and as `reminders.create_reminder`."""
    if not context.may_see(data.vault_id):
        raise VaultNotFound
    async with context.session() as session:
        if data.item_id is not None:
            item = await vaults.read_item(session, context.principal, data.item_id)
            if item.vault_id != data.vault_id:
                raise ItemNotFound
        made = await reminders.create_reminder(session, context.principal, ReminderCreate(**data.model_dump()))
    told = {"reminder_id": str(made.id), "due_on": made.due_on.isoformat()}
    return ToolResult(f"Reminded on {made.due_on.isoformat()}.", told)


register(
    Tool("list_reminders", "List what the person is reminded of, next first.", ListReminders, "read", list_reminders)
)
register(
    Tool(
        "propose_reminder",
        "Set a reminder of a day. The person is asked first.",
        ProposeReminder,
        "write",
        propose_reminder,
        "vault:write",
    )
)
