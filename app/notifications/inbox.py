"""What people are told: written once for each cause, in the transaction of the cause; read and forgotten by them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.keys import KeyRing
from app.db.runtime import current
from app.notifications.errors import NotificationNotFound
from app.notifications.hours import Preferences, after_quiet, next_digest
from app.notifications.kinds import Kind
from app.notifications.models import Message
from app.notifications.schemas import NotificationRead

TABLE: Final = "notifications_messages"
GATHERING: Final = timedelta(seconds=30)  # what comes within it goes in one letter
GATHERING_LATE: Final = timedelta(minutes=3)  # the same for what was held up, such as by an outage
PURGED_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is to be told. `cause` is made of ids, states and times, and never tells them twice.

    `discreet` is said in the place of title, text and lines where these must not be read by others. With a `token`
    letters offer links to be done with it, or to put it off. After `useful_until` a digest would come too late.
    """

    kind: Kind
    cause: str
    title: str
    text: str
    discreet: str
    lines: list[str] = field(default_factory=list)
    vault_id: UUID | None = None
    subject_id: UUID | None = None
    token: str = ""
    useful_until: datetime | None = None
    late: bool = False


async def notify(session: AsyncSession, user_id: UUID, notice: Notice, preferences: Preferences, now: datetime) -> bool:
    """Tell a person, on the ways and at the time that they want; whether they had not been told of the cause.

    The transaction is the system's or theirs. Letters and push messages follow after the commit.
    """
    ways = preferences.channels_for(notice.kind)
    if not ways:
        return False
    message_id = new_id()
    ring = await current().keys.ring(session, user_id)
    words = {name: getattr(notice, name) for name in ("title", "text", "discreet", "lines", "token")}
    at = _moment(notice, preferences, now)
    values = {
        "id": message_id,
        "user_id": user_id,
        "kind": notice.kind,
        "cause": notice.cause,
        "vault_id": notice.vault_id,
        "subject_id": notice.subject_id,
        "body": ring.seal(TABLE, message_id, "body", orjson.dumps(words)),
        "in_inbox": "inbox" in ways,
        "mail_at": at if "email" in ways else None,
        "push_at": at if "push" in ways else None,
    }
    new = insert(Message).values(values).on_conflict_do_nothing(index_elements=["user_id", "cause"])
    return await session.scalar(new.returning(Message.id)) is not None


def _moment(notice: Notice, preferences: Preferences, now: datetime) -> datetime:
    """When it is to go out: after a moment in which others may join it, with a digest, or after quiet hours."""
    soon = now + (GATHERING_LATE if notice.late else GATHERING)
    digest = next_digest(preferences, now)
    waits = preferences.digest != "off" and (notice.useful_until is None or digest <= notice.useful_until)
    return after_quiet(preferences, digest if waits else soon)


def open_words(ring: KeyRing, row: Any) -> dict[str, Any]:
    """The words of a message. Raises `SealBroken`."""
    words: dict[str, Any] = orjson.loads(ring.open(TABLE, row.id, "body", row.body))
    return words


async def list_notifications(
    session: AsyncSession, principal: Principal, *, unread: bool, before: UUID | None, limit: int
) -> tuple[list[NotificationRead], UUID | None]:
    """One page of the principal's inbox, newest first; and the one that the next page continues after."""
    statement = select(Message).where(*_mine(principal)).order_by(Message.id.desc()).limit(limit + 1)
    if unread:
        statement = statement.where(Message.read_at.is_(None))
    if before:
        statement = statement.where(Message.id < before)
    rows: Sequence[Message] = (await session.scalars(statement)).all()
    ring = await current().keys.ring(session, principal.user_id, *(row.body for row in rows))
    shown = [_read(ring, row) for row in rows[:limit]]
    return shown, shown[-1].id if len(rows) > limit else None


def _read(ring: KeyRing, row: Message) -> NotificationRead:
    words = open_words(ring, row)
    columns = ("id", "kind", "vault_id", "subject_id", "read_at", "created_at")
    values = {name: getattr(row, name) for name in columns} | {name: words[name] for name in ("title", "text", "lines")}
    return NotificationRead.model_validate(values)


async def count_unread(session: AsyncSession, principal: Principal) -> int:
    """How many the principal has not read."""
    unread = select(func.count()).select_from(Message).where(*_mine(principal), Message.read_at.is_(None))
    return await session.scalar(unread) or 0


async def mark_read(session: AsyncSession, principal: Principal, message_id: UUID) -> NotificationRead:
    """Note that the principal has read one. Raises `NotificationNotFound`."""
    this = *_mine(principal), Message.id == message_id
    seen = update(Message).where(*this).values(read_at=func.coalesce(Message.read_at, func.now()))
    row = await session.scalar(seen.returning(Message))
    if row is None:
        raise NotificationNotFound
    return _read(await current().keys.ring(session, principal.user_id, row.body), row)


async def mark_all_read(session: AsyncSession, principal: Principal) -> int:
    """Note that the principal has read everything; how many were unread before."""
    unread = *_mine(principal), Message.read_at.is_(None)
    seen = update(Message).where(*unread).values(read_at=func.now()).returning(Message.id)
    return len((await session.scalars(seen)).all())


async def delete_notification(session: AsyncSession, principal: Principal, message_id: UUID) -> None:
    """Delete the words of one, and send it no more. Raises `NotificationNotFound`."""
    gone = update(Message).where(*_mine(principal), Message.id == message_id)
    wiped = wiped_body(await current().keys.ring(session, principal.user_id), message_id)
    values = {"in_inbox": False, "mail_at": None, "push_at": None, "body": wiped}
    if await session.scalar(gone.values(values).returning(Message.id)) is None:
        raise NotificationNotFound


def wiped_body(ring: KeyRing, message_id: UUID) -> bytes:
    """What stays of the words of a message when they are gone; its row says that the cause was told of."""
    return ring.seal(TABLE, message_id, "body", b"{}")


def _mine(principal: Principal) -> tuple[Any, ...]:
    return Message.user_id == principal.user_id, Message.in_inbox


async def forget_vault(session: AsyncSession, vault_id: UUID, user_id: UUID | None = None) -> None:
    """Delete what people were told about a vault that is gone, or a person about one that they have left."""
    of_vault = delete(Message).where(Message.vault_id == vault_id)
    await session.execute(of_vault if user_id is None else of_vault.where(Message.user_id == user_id))


async def forget_subject(session: AsyncSession, subject_id: UUID) -> None:
    """Send nothing any more of what people were told about something that is settled; inboxes keep it."""
    await session.execute(update(Message).where(Message.subject_id == subject_id).values(mail_at=None, push_at=None))


async def purge(session: AsyncSession, now: datetime) -> int:
    """Delete what is old; returns how many."""
    before = now - timedelta(days=current().settings.inbox_days)
    old = select(Message.id).where(Message.created_at < before).limit(PURGED_AT_ONCE)
    return len((await session.scalars(delete(Message).where(Message.id.in_(old)).returning(Message.id))).all())
