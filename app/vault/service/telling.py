"""Whose programs are told of events: the people that an event names, the members of its vault, who pays."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import OutboxEvent
from app.notifications.webhooks.events import EVENTS
from app.notifications.webhooks.messages import Told, wanted, write_messages
from app.payments.services.families import payers
from app.vault.models import documents, members

PRIVATE: Final = ("reminders.", "agents.")  # about one person, though a vault is named beside


async def tell_programs(session: AsyncSession, events: Sequence[OutboxEvent]) -> None:
    """Write the messages of these events, in the transaction that takes them out of the outbox: each once."""
    public = [event for event in events if event.event in EVENTS]
    if not public or not await wanted(session, [event.event for event in public]):
        return
    vaults_of = await _vaults_of_documents(session, public)
    members_of = await _members(session, {*_ids(public, "vault_id"), *vaults_of.values()})
    payers_of = await payers(session, _ids(public, "family_id"))
    told = [Told(e.id, e.event, e.payload, _people(e, vaults_of, members_of, payers_of)) for e in public]
    await write_messages(session, [each for each in told if each.user_ids])


def _people(
    event: OutboxEvent,
    vaults_of: dict[UUID, UUID],
    members_of: dict[UUID, set[UUID]],
    payers_of: dict[UUID, UUID],
) -> frozenset[UUID]:
    named = {UUID(event.payload["user_id"])} if event.payload.get("user_id") else set()
    if named and event.event.startswith(PRIVATE):
        return frozenset(named)
    vault_id = event.payload.get("vault_id")
    vault = UUID(vault_id) if vault_id else vaults_of.get(UUID(event.payload.get("document_id") or NOBODY))
    family_id = event.payload.get("family_id")
    payer = payers_of.get(UUID(family_id)) if family_id else None
    return frozenset({*named, *(members_of.get(vault, ()) if vault else ()), *([payer] if payer else [])})


NOBODY: Final = str(UUID(int=0))


def _ids(events: Sequence[OutboxEvent], name: str) -> set[UUID]:
    return {UUID(event.payload[name]) for event in events if event.payload.get(name)}


async def _vaults_of_documents(session: AsyncSession, events: Sequence[OutboxEvent]) -> dict[UUID, UUID]:
    lacking = [event for event in events if not event.payload.get("vault_id")]
    statement = select(documents.c.id, documents.c.vault_id).where(documents.c.id.in_(_ids(lacking, "document_id")))
    return {row.id: row.vault_id for row in await session.execute(statement)}


async def _members(session: AsyncSession, vault_ids: set[UUID]) -> dict[UUID, set[UUID]]:
    statement = select(members.c.vault_id, members.c.user_id).where(members.c.vault_id.in_(vault_ids))
    found = defaultdict[UUID, set[UUID]](set)
    for row in await session.execute(statement):
        found[row.vault_id].add(row.user_id)
    return dict(found)
