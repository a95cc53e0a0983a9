"""Calendar feeds: one for each person, read by whoever has its token, which is shown once and kept as a digest."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.devices import Device
from app.auth.parts import throttle
from app.auth.principal import Principal
from app.core.clock import utc_now
from app.core.crypto import new_token, token_digest
from app.core.etags import matches
from app.core.throttle import Limit
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.notifications.kinds import Titles
from app.notifications.preferences import preferences_of
from app.reminders.cells import open_words
from app.reminders.errors import FeedNotFound, TooManyFeedRequests
from app.reminders.ics import Entry, write_calendar
from app.reminders.models import Feed, Reminder
from app.reminders.policy import for_person, visible_reminders
from app.reminders.schedule import schedule_of
from app.reminders.schemas import FeedCreated, FeedRead
from app.vault.cells import rings_of_vaults

MOST_ENTRIES: Final = 2_000
READS: Final = Limit("feed", 120, 3_600)
GUESSES: Final = Limit("feed-guess", 60, 3_600)
NAMELESS: Final = "Reminder"
SEEN: Final = timedelta(minutes=10)


async def create_feed(session: AsyncSession, principal: Principal, titles: Titles) -> FeedCreated:
    """Make the principal's feed, or a new address for it: the one before is good no more. Raises `SessionNeeded`."""
    auth.require_session(principal)
    token = new_token()
    values = {"token_digest": token_digest(token), "titles": titles, "last_used_at": None, "created_at": utc_now()}
    upsert = insert(Feed).values(user_id=principal.user_id, **values)
    row = await session.scalar(
        upsert.on_conflict_do_update(index_elements=[Feed.user_id], set_=values).returning(Feed),
        execution_options={"populate_existing": True},
    )
    assert row is not None  # noqa: S101
    await audit.record_own(session, principal, principal.user_id, "reminders.feed_created")
    url = f"{current().settings.public_url.rstrip('/')}/v1/reminders/feed/{token}.ics"
    return FeedCreated(url=url, **FeedRead.model_validate(row).model_dump())


async def read_feed(session: AsyncSession, principal: Principal) -> FeedRead:
    """What the principal's feed shows. Raises `FeedNotFound`."""
    row = await session.scalar(select(Feed).where(Feed.user_id == principal.user_id))
    if row is None:
        raise FeedNotFound
    return FeedRead.model_validate(row)


async def update_feed(session: AsyncSession, principal: Principal, titles: Titles) -> FeedRead:
    """Change what the principal's feed shows. Raises `FeedNotFound`, `SessionNeeded`."""
    auth.require_session(principal)
    changed = update(Feed).where(Feed.user_id == principal.user_id).values(titles=titles).returning(Feed)
    row = await session.scalar(changed, execution_options={"populate_existing": True})
    if row is None:
        raise FeedNotFound
    return FeedRead.model_validate(row)


async def delete_feed(session: AsyncSession, principal: Principal) -> None:
    """Let nobody read the principal's feed any more. Raises `FeedNotFound`."""
    gone = delete(Feed).where(Feed.user_id == principal.user_id).returning(Feed.user_id)
    if await session.scalar(gone) is None:
        raise FeedNotFound
    await audit.record_own(session, principal, principal.user_id, "reminders.feed_deleted")


@dataclass(frozen=True, slots=True)
class Calendar:
    """A feed as it is sent; None for who has this `etag` already."""

    etag: str
    content: bytes | None


async def open_feed(token: str, known: str | None, device: Device) -> Calendar:
    """What a calendar gets for a token; `known` is the If-None-Match that it sends.

    Raises `FeedNotFound`, `TooManyFeedRequests`.
    """
    digest = token_digest(token)
    wait = await throttle().full(GUESSES, device.place.hex()) or await throttle().hit(READS, digest.hex())
    if wait:
        raise TooManyFeedRequests(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})
    async with session_scope() as session:
        feed = await session.scalar(select(Feed).where(Feed.token_digest == digest))
        if feed is None or await auth.deletion_time(session, feed.user_id):
            await throttle().hit(GUESSES, device.place.hex())
            raise FeedNotFound
        await _mark(session, feed, utc_now())
    async with session_scope(Actor.user(feed.user_id)) as session:
        return await _calendar(session, Principal(feed.user_id, frozenset()), feed.titles == "full", known)


async def _mark(session: AsyncSession, feed: Feed, now: datetime) -> None:
    """Note that it is in use, once in a while."""
    stale = or_(Feed.last_used_at.is_(None), Feed.last_used_at < now - SEEN)
    await session.execute(update(Feed).where(Feed.user_id == feed.user_id, stale).values(last_used_at=now))


async def _calendar(session: AsyncSession, principal: Principal, with_titles: bool, known: str | None) -> Calendar:
    preferences = await preferences_of(session, principal.user_id)
    active = for_person(visible_reminders(principal), principal.user_id).where(Reminder.state == "active")
    ordered = active.order_by(Reminder.occurs_at, Reminder.id).limit(MOST_ENTRIES)
    rows = [row[0] for row in (await session.execute(ordered)).all()]
    year = utc_now().year
    etag = _etag(rows, f"{with_titles} {preferences.remind_at} {year}")
    if known is not None and matches(known, etag):
        return Calendar(etag, None)
    rings = await rings_of_vaults(session, {row.owner_id for row in rows})
    names = {row.id: open_words(rings[row.owner_id], row)["title"] if with_titles else NAMELESS for row in rows}
    host = urlsplit(current().settings.public_url).hostname or "lifevault"
    entries = [_entry(row, names[row.id], preferences.remind_at) for row in rows]
    return Calendar(etag, write_calendar(entries, host, year))


def _etag(rows: list[Reminder], setting: str) -> str:
    """The same as long as nothing that is shown has changed; nothing need be opened to know it."""
    digest = hashlib.sha256(setting.encode())
    for row in rows:
        digest.update(f"{row.id} {row.revision}".encode())
    return f'"{digest.hexdigest()[:32]}"'


def _entry(row: Reminder, summary: str, remind_at: int) -> Entry:
    schedule = schedule_of(row)
    return Entry(
        id=row.id,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
        summary=summary,
        schedule=schedule,
        leads=tuple(row.leads),
        remind_at=remind_at,
        skipped=_done_early(row),
    )


def _done_early(row: Reminder) -> tuple[date, ...]:
    """Days that were done before they came: what was past then stays in the calendar."""
    if row.done_at is None:
        return ()
    last = row.occurs_on - timedelta(days=1)
    return tuple(schedule_of(row).between(row.done_at.date(), last))
