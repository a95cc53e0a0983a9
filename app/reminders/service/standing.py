"""Built-in reminders, which each person can switch off by giving their kind no ways (see `app.notifications`)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import on_wall
from app.db.runtime import current
from app.jobs.service import create_job
from app.notifications.hours import Preferences
from app.notifications.inbox import Notice, notify
from app.notifications.preferences import preferences_of
from app.reminders.models import Reminder, Standing
from app.reminders.policy import for_person, visible_reminders
from app.reminders.reading import shown_all
from app.reminders.wording import day_text, headline, today_in
from app.vault import service as vaults
from app.vault.policy import roles_for
from app.vault.service import Filters

REVIEW_JOB: Final = "reminders.review"
PEOPLE_AT_ONCE: Final = 500
AHEAD: Final = timedelta(days=60)
MOST_LINES: Final = 20
MOST_ITEMS: Final = 2_000
ITEMS_AT_ONCE: Final = 100
AGAIN: Final = timedelta(days=180)  # until an old password is mentioned again
KEY_LEADS: Final = (2, 14)
UNANSWERED: Final = timedelta(days=1)


async def enrol(session: AsyncSession, now: datetime) -> int:
    """Begin with everybody who is new; returns how many."""
    person = auth.people().subquery()
    zone = current().settings.default_time_zone
    age = timedelta(days=current().settings.password_age_days)
    first_review = literal(next_review(Preferences(zone=zone), now))
    newcomers = (
        select(person.c.id, first_review, person.c.created_at, person.c.created_at + age)
        .where(~exists().where(Standing.user_id == person.c.id))
        .limit(PEOPLE_AT_ONCE)
    )
    columns = ["user_id", "review_at", "password_since", "password_at"]
    added = insert(Standing).from_select(columns, newcomers).on_conflict_do_nothing().returning(Standing.user_id)
    return len((await session.scalars(added)).all())


def next_review(preferences: Preferences, now: datetime) -> datetime:
    """The first day of the next month, at the person's time for reminders."""
    today = today_in(preferences.zone, now)
    first = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return on_wall(first, preferences.remind_at, preferences.zone)


async def start_reviews(session: AsyncSession, now: datetime) -> int:
    """Queue the monthly review of everybody for whom it is time; returns how many."""
    due = select(Standing).where(Standing.review_at <= now).order_by(Standing.review_at).limit(PEOPLE_AT_ONCE)
    rows = (await session.scalars(due.with_for_update(skip_locked=True))).all()
    for row in rows:
        preferences = await preferences_of(session, row.user_id)
        if preferences.channels_for("review"):
            month = f"{today_in(preferences.zone, now):%Y-%m}"
            await create_job(session, REVIEW_JOB, user_id=row.user_id, month=month)
        row.review_at = next_review(preferences, now)
    return len(rows)


async def review(session: AsyncSession, user_id: UUID, month: str, now: datetime) -> bool:
    """Tell a person what expires and what is incomplete, once in a month; nothing if all is well.

    The transaction is theirs.
    """
    principal = Principal(user_id, frozenset())
    preferences = await preferences_of(session, user_id)
    coming = await _coming(session, principal, preferences, now)
    incomplete = await _incomplete(session, principal)
    proposed = visible_reminders(principal).where(Reminder.state == "proposed").subquery()
    waiting = await session.scalar(select(func.count()).select_from(proposed)) or 0
    if not (coming or incomplete or waiting):
        return False
    counts = {
        "due within 60 days or overdue": len(coming),
        "with something missing": len(incomplete),
        "proposed by the assistant": waiting,
    }
    text = "; ".join(f"{count} {what}" for what, count in counts.items() if count)
    notice = Notice(
        kind="review",
        cause=f"review:{month}",
        title="Your monthly review",
        text=f"This is worth a look: {text}.",
        lines=[*_first(coming), *_first(incomplete)],
        discreet="Your monthly review",
    )
    return await notify(session, user_id, notice, preferences, now)


def _first(lines: list[str]) -> list[str]:
    more = [f"… and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return lines[:MOST_LINES] + more


async def _coming(session: AsyncSession, principal: Principal, preferences: Preferences, now: datetime) -> list[str]:
    active = for_person(visible_reminders(principal), principal.user_id).where(Reminder.state == "active")
    soon = active.where(Reminder.occurs_at < now + AHEAD).order_by(Reminder.occurs_at).limit(MOST_ITEMS)
    rows = [row[0] for row in (await session.execute(soon)).all()]
    shown = await shown_all(session, principal, rows, preferences)
    today = today_in(preferences.zone, now)
    return [headline(each.title, each.kind, each.due_on, today) for each in shown]


async def _incomplete(session: AsyncSession, principal: Principal) -> list[str]:
    """Records that lack what a complete one has, of the newest some thousand."""
    found: list[str] = []
    before: UUID | None = None
    for _ in range(MOST_ITEMS // ITEMS_AT_ONCE):
        items, before = await vaults.list_items(session, principal, Filters(limit=ITEMS_AT_ONCE, before=before))
        found += [f"{item.title} lacks {_listed(item.missing)}" for item in items if item.missing]
        if before is None:
            break
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name.removesuffix("_on").replace("_", " ") for name in names)


async def remind_of_passwords(session: AsyncSession, now: datetime) -> int:
    """Remind people whose password is old; returns of how many it was looked at."""
    age = timedelta(days=current().settings.password_age_days)
    due = select(Standing).where(Standing.password_at <= now).order_by(Standing.password_at).limit(PEOPLE_AT_ONCE)
    rows = (await session.scalars(due.with_for_update(skip_locked=True))).all()
    for row in rows:
        if row.password_since + age > now:  # the setting has changed
            row.password_at = row.password_since + age
            continue
        row.password_at = now + AGAIN
        if await auth.has_password(session, row.user_id):
            notice = Notice(
                kind="password",
                cause=f"password:{now:%Y-%m-%d}",
                title="Your password is old",
                text=f"You have had it since {day_text(row.password_since.date())}. You can change it in your account.",
                discreet="Your password is old",
            )
            await notify(session, row.user_id, notice, await preferences_of(session, row.user_id), now)
    return len(rows)


async def note_password(session: AsyncSession, user_id: UUID, now: datetime) -> None:
    """A person has a new password."""
    age = timedelta(days=current().settings.password_age_days)
    values = {"password_since": now, "password_at": now + age}
    first_review = next_review(await preferences_of(session, user_id), now)
    upsert = insert(Standing).values(user_id=user_id, review_at=first_review, **values)
    await session.execute(upsert.on_conflict_do_update(index_elements=[Standing.user_id], set_=values))


async def remind_of_api_keys(session: AsyncSession, now: datetime) -> int:
    """Remind people of API keys that are about to expire, twice; returns how many reminders are new."""
    told = 0
    for key in await auth.expiring_api_keys(session, now, now + timedelta(days=max(KEY_LEADS))):
        lead = min(days for days in KEY_LEADS if key.expires_at <= now + timedelta(days=days))
        if key.expires_at - key.created_at < 2 * timedelta(days=lead):
            continue
        notice = Notice(
            kind="api_key",
            cause=f"api_key:{key.id}:{lead}",
            title=f"An API key expires on {day_text(key.expires_at.date())}",
            text=f"The key that begins with {key.prefix} will be refused from then on. Make a new one in time.",
            discreet="An API key is about to expire",
            subject_id=key.id,
        )
        told += await notify(session, key.user_id, notice, await preferences_of(session, key.user_id), now)
    return told


async def remind_of_invitations(session: AsyncSession, now: datetime) -> int:
    """Remind who invited, and who was invited and has an account, once; returns how many reminders are new."""
    told = 0
    for invitation in await vaults.waiting_invitations(session, UNANSWERED, PEOPLE_AT_ONCE):
        asked = Notice(
            kind="invitation",
            cause=f"invitation:{invitation.id}",
            title="An invitation to a vault waits for your answer",
            text="It was sent to your e-mail address, with a code to accept it by.",
            discreet="An invitation waits for your answer",
            subject_id=invitation.id,
        )
        asking = Notice(
            kind="invitation",
            cause=f"invitation:{invitation.id}",
            title="An invitation of yours was not answered",
            text=f"{invitation.email} has not accepted it yet. You can send it again before it expires.",
            discreet="An invitation of yours was not answered",
            vault_id=invitation.vault_id,
            subject_id=invitation.id,
        )
        roles = await vaults.roles_in(session, invitation.vault_id)
        invited = await auth.account_of(session, invitation.email_digest)
        pairs = [(invited, asked)] if invited and invited not in roles else []
        if roles.get(invitation.invited_by, "") in roles_for("manage"):
            pairs.append((invitation.invited_by, asking))
        for user_id, notice in pairs:
            told += await notify(session, user_id, notice, await preferences_of(session, user_id), now)
    return told
