"""The sweep that tells people what is due: once for each occurrence, lead time and person, whatever happens meanwhile.

Every reminder is looked at in a transaction of its own, in which what is noted as sent and what is queued to be sent
are written together. Nothing here asks what anybody pays.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id, on_wall
from app.core.crypto import new_token, token_digest
from app.core.errors import AppError
from app.core.logging import get_log
from app.db.keys import KeysDestroyed
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope
from app.notifications.hours import Preferences
from app.notifications.inbox import Notice, notify
from app.notifications.preferences import preferences_of_all
from app.reminders.cells import words_of
from app.reminders.models import Reminder, Sent, Snooze
from app.reminders.planning import Key, Plan, PutOff, Telling, decide
from app.reminders.schedule import schedule_of
from app.reminders.wording import clock_text, discreet, headline, sentence, today_in
from app.vault.policy import roles_for, visible_vaults
from app.vault.service import roles_in

AT_ONCE: Final = 500
LOOK_AGAIN: Final = timedelta(days=1)  # where nobody is to be told at present, such as of a vault in the trash
FAULT_PAUSE: Final = timedelta(hours=6)
KEEP_SENT: Final = timedelta(days=60)  # after nothing can be caught up with any more
# Of one reminder: a damaged cell, a zone that is not known any more. It must not keep the others back.
FAULTS: Final = (AppError, KeysDestroyed, ArithmeticError, LookupError, ValueError)

log = get_log(__name__)


async def send_due(now: datetime) -> int:
    """Tell everybody what is due; returns how many were told of something."""
    async with session_scope() as session:
        due = select(Reminder.id).where(Reminder.state == "active", Reminder.next_at <= now)
        ids = (await session.scalars(due.order_by(Reminder.next_at).limit(AT_ONCE))).all()
    told = 0
    for reminder_id in ids:
        try:
            async with session_scope() as session:
                told += await _send(session, reminder_id, now)
        except FAULTS as error:
            log.error("reminder not sent", reminder_id=str(reminder_id), error=type(error).__name__)
            async with session_scope() as session:
                later = update(Reminder).where(Reminder.id == reminder_id, Reminder.next_at <= now)
                await session.execute(later.values(next_at=now + FAULT_PAUSE))
    return told


async def _send(session: AsyncSession, reminder_id: UUID, now: datetime) -> int:
    """One reminder; nothing if another worker is at it, or was."""
    mine = Reminder.id == reminder_id, Reminder.state == "active", Reminder.next_at <= now
    row = await session.scalar(select(Reminder).where(*mine).with_for_update(skip_locked=True))
    if row is None:
        return 0
    people = await _people(session, row)
    known, put_off = await _known(session, row), await _put_off(session, row)
    plan = Plan(schedule_of(row), row.occurs_on, tuple(row.leads), row.armed_at)
    useful = timedelta(days=current().settings.reminder_catch_up_days)
    told = 0
    for user_id, person in people.items():
        decision = decide(plan, person, put_off.get(user_id), known[user_id], now, useful)
        for passed in decision.passed:
            await _note(session, row, user_id, passed, None)
        if decision.told:
            told += await _tell(session, row, user_id, person, decision.told, now, late=decision.late)
    next_times = [plan.next_at(now, person, put_off.get(user_id)) for user_id, person in people.items()]
    row.next_at = min((each for each in next_times if each), default=None) if people else now + LOOK_AGAIN
    return told


async def _people(session: AsyncSession, row: Reminder) -> dict[UUID, Preferences]:
    """Who is told of a reminder, and how they want it.

    Members who have left are not; if nobody of those it is assigned to is there any more, it is for all who can act.
    """
    if row.vault_id is None:
        return await preferences_of_all(session, [row.user_id] if row.user_id else [])
    roles = await roles_in(session, row.vault_id)
    assigned = [user_id for user_id in row.assigned_to or [] if user_id in roles]
    able = [user_id for user_id, role in roles.items() if role in roles_for("write")]
    return await preferences_of_all(session, assigned or able)


async def _known(session: AsyncSession, row: Reminder) -> Mapping[UUID, set[Key]]:
    """What people were told, or need not be told any more."""
    since = Sent.reminder_id == row.id, Sent.occurs_on >= row.occurs_on
    known: dict[UUID, set[Key]] = defaultdict(set)
    for sent in await session.execute(select(Sent.user_id, Sent.occurs_at, Sent.lead).where(*since)):
        known[sent.user_id].add((sent.occurs_at, sent.lead))
    return known


async def _put_off(session: AsyncSession, row: Reminder) -> dict[UUID, PutOff]:
    rows = await session.scalars(select(Snooze).where(Snooze.reminder_id == row.id))
    return {each.user_id: PutOff(each.occurs_on, each.until, each.count) for each in rows}


async def _note(
    session: AsyncSession, row: Reminder, user_id: UUID, telling: Telling, token: str | None
) -> UUID | None:
    """Write down that a person is told, or with no token need not be; None if that stands there already."""
    values: dict[str, Any] = {
        "id": new_id(),
        "reminder_id": row.id,
        "user_id": user_id,
        "occurs_on": telling.occurs_on,
        "occurs_at": telling.occurs_at,
        "lead": telling.lead,
        "sent": token is not None,
        "token_digest": token_digest(token) if token else None,
    }
    once = insert(Sent).values(values).on_conflict_do_nothing(constraint="uq_reminder_sent_once")
    sent_id: UUID | None = await session.scalar(once.returning(Sent.id))
    return sent_id


async def _tell(
    session: AsyncSession,
    row: Reminder,
    user_id: UUID,
    person: Preferences,
    telling: Telling,
    now: datetime,
    *,
    late: bool,
) -> bool:
    """Note it and queue it. Emits `reminders.due` for other ways to tell."""
    token = new_token()
    sent_id = await _note(session, row, user_id, telling, token)
    if sent_id is None:
        return False
    words, day = await words_of(session, row), telling.occurs_on
    today, clock = today_in(row.zone or person.zone, now), clock_text(row.minute_of_day)
    notice = Notice(
        kind="reminder",
        cause=f"reminder:{sent_id}",
        title=headline(words["title"], row.kind, day, today),
        text=sentence(row.kind, day, today, clock, words["label"]),
        discreet=discreet(day, today),
        vault_id=row.vault_id,
        subject_id=row.id,
        token=token,
        useful_until=on_wall(day, 0, row.zone or person.zone),
        late=late,
    )
    await notify(session, user_id, notice, person, now)
    await emit(session, "reminders.due", reminder_id=row.id, user_id=user_id, occurs_on=day.isoformat())
    return True


async def look_again(session: AsyncSession, *, user_id: UUID | None = None, vault_id: UUID | None = None) -> None:
    """Have the sweep look at the reminders of a person or a vault: who is told, or when, has changed."""
    affected = []
    if user_id:
        theirs = select(visible_vaults(user_id).subquery().c.vault_id)
        affected += [Reminder.user_id == user_id, Reminder.vault_id.in_(theirs)]
    if vault_id:
        affected.append(Reminder.vault_id == vault_id)
    active = Reminder.state == "active", or_(*affected)
    await session.execute(update(Reminder).where(*active).values(next_at=func.now()))


async def purge_sent(session: AsyncSession, now: datetime) -> int:
    """Delete notes that are too old for anything to be told again without them; returns how many."""
    useful = timedelta(days=current().settings.reminder_catch_up_days)
    old = delete(Sent).where(Sent.created_at < now - useful - KEEP_SENT).returning(Sent.id)
    return len((await session.scalars(old)).all())
