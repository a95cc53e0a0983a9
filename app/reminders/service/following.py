"""Reminders that follow the date fields of records, and what becomes of others when records and documents go."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id, utc_now
from app.db.turns import take_turns
from app.notifications.inbox import forget_subject
from app.reminders.cells import seal_words, source_digest, words_of
from app.reminders.models import Reminder
from app.reminders.roles import LEADS, DueDate, due_dates
from app.reminders.schedule import FIRST, LAST, Schedule
from app.reminders.service.reminders import arm
from app.vault.service import ItemNow, item_now


async def follow_item(session: AsyncSession, item_id: UUID) -> None:
    """Bring the reminders of a record to what it says now; the transaction is the system's.

    What people changed of them (lead times, people, notes, what they put off) stays. Told of the same change twice, or
    of several in another order, it ends the same: the record is read after all others that do this have ended.
    """
    await take_turns(session, f"reminders of {item_id}")
    item = await item_now(session, item_id)
    statement = select(Reminder).where(Reminder.item_id == item_id, Reminder.source == "field")
    rows = (await session.scalars(statement.with_for_update())).all()
    if item is None:
        await _forget_item(session, item_id, rows)
        return
    wanted = {source_digest("item", item.id, each.field): each for each in _dates(item)}
    for row in rows:
        found = wanted.pop(row.source_digest or b"", None)
        if found is None:
            await _end(session, row)
        else:
            await _move(session, row, item, found)
    for digest, due in wanted.items():
        await _add(session, item, digest, due)
    await session.flush()
    elsewhere = Reminder.item_id == item_id, Reminder.vault_id != item.vault_id
    await session.execute(update(Reminder).where(*elsewhere).values(item_id=None))


def _dates(item: ItemNow) -> list[DueDate]:
    if item.trashed:
        return []
    return [each for each in due_dates(item.kind, item.fields) if FIRST <= each.day <= LAST]


async def _add(session: AsyncSession, item: ItemNow, digest: bytes, due: DueDate) -> None:
    row = Reminder(
        id=new_id(),
        vault_id=item.vault_id,
        kind=due.role,
        source="field",
        state="active",
        item_id=item.id,
        source_digest=digest,
        leads=list(LEADS[due.role]),
        created_by=item.written_by,
        revision=1,
    )
    await seal_words(session, row, {"title": item.title, "field": due.field, "label": due.label})
    arm(row, Schedule(due.day), utc_now())
    session.add(row)


async def _move(session: AsyncSession, row: Reminder, item: ItemNow, due: DueDate) -> None:
    """A new day makes it active again, unless it is not wanted; so does a field that has come back."""
    words = await words_of(session, row)
    changed = {"title": item.title, "label": due.label}
    moved = row.starts_on != due.day
    if row.vault_id != item.vault_id:
        await _change_vault(session, row, item)
    elif not moved and row.state != "ended" and all(words[name] == value for name, value in changed.items()):
        return
    await seal_words(session, row, changed)
    if moved:
        arm(row, Schedule(due.day), utc_now())
        row.done_on = row.done_at = None
    if row.state == "ended" or (moved and row.state == "done"):
        row.state, row.next_at = ("done", None) if row.done_on else ("active", utc_now())
    row.kind = due.role
    row.revision, row.updated_at = row.revision + 1, utc_now()


async def _change_vault(session: AsyncSession, row: Reminder, item: ItemNow) -> None:
    """Follow a record into another vault, whose members and keys are others."""
    words = await words_of(session, row)
    await forget_subject(session, row.id)
    row.vault_id, row.assigned_to, row.body = item.vault_id, None, b""
    await seal_words(session, row, words)


async def _end(session: AsyncSession, row: Reminder) -> None:
    """Nobody sees it any more; it comes back as it was, should its field or its record do so."""
    if row.state in ("active", "done"):
        await forget_subject(session, row.id)
        row.state, row.next_at = "ended", None


async def _forget_item(session: AsyncSession, item_id: UUID, rows: Sequence[Reminder]) -> None:
    """A record that is gone takes along what followed it; other reminders only lose sight of it."""
    for row in rows:
        await forget_subject(session, row.id)
    await session.execute(delete(Reminder).where(Reminder.item_id == item_id, Reminder.source == "field"))
    await session.execute(update(Reminder).where(Reminder.item_id == item_id).values(item_id=None))


async def forget_document(session: AsyncSession, document_id: UUID) -> None:
    """A document that is gone takes along what was proposed from it; what people confirmed stays."""
    of_document = Reminder.document_id == document_id
    undecided = Reminder.state.in_(["proposed", "dismissed"])
    await session.execute(delete(Reminder).where(of_document, undecided))
    await session.execute(update(Reminder).where(of_document).values(document_id=None))
