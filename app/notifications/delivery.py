"""From the inbox to letters and push messages: what a person is told at about the same time goes out together."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth import service as auth
from app.db.keys import KeyRing
from app.db.runtime import current
from app.db.session import session_scope
from app.notifications.hours import Preferences
from app.notifications.inbox import open_words, wiped_body
from app.notifications.models import Message
from app.notifications.preferences import preferences_of
from app.notifications.push.sending import queue_push
from app.notifications.service import queue_mail

PEOPLE_AT_ONCE: Final = 500
MOST_IN_LETTER: Final = 50
MOST_PUSHES: Final = 3  # more at once become one that says how many


async def deliver_due(now: datetime) -> int:
    """Write the letters and push messages that are due; returns how many people got something."""
    async with session_scope() as session:
        due = select(Message.user_id).where(_due(now)).distinct().limit(PEOPLE_AT_ONCE)
        people = (await session.scalars(due)).all()
    return sum([await _deliver(user_id, now) for user_id in people])


def _due(now: datetime) -> Any:
    return or_(Message.mail_at <= now, Message.push_at <= now)


async def _deliver(user_id: UUID, now: datetime) -> bool:
    """One person's, in one transaction: whoever comes second finds nothing that is due any more."""
    async with session_scope() as session:
        statement = select(Message).where(Message.user_id == user_id, _due(now)).order_by(Message.id)
        rows = (await session.scalars(statement.with_for_update())).all()
        if not rows:
            return False
        ring = await current().keys.ring(session, user_id, *(row.body for row in rows))
        preferences = await preferences_of(session, user_id)
        letters = [(row, open_words(ring, row)) for row in rows if row.mail_at and row.mail_at <= now]
        pushes = [(row, open_words(ring, row)) for row in rows if row.push_at and row.push_at <= now]
        if letters:
            await _write(session, user_id, preferences, letters)
        if pushes:
            await _push(session, user_id, preferences, pushes)
        _settle(ring, rows, now)
    return True


def _settle(ring: KeyRing, rows: Sequence[Message], now: datetime) -> None:
    """What went out is not due any more; who wants no inbox leaves no words behind."""
    for row in rows:
        row.mail_at = row.mail_at if row.mail_at and row.mail_at > now else None
        row.push_at = row.push_at if row.push_at and row.push_at > now else None
        if not (row.in_inbox or row.mail_at or row.push_at):
            row.body = wiped_body(ring, row.id)


async def _write(
    session: AsyncSession, user_id: UUID, preferences: Preferences, told: list[tuple[Message, dict[str, Any]]]
) -> None:
    """A letter about one thing, or about several; none to somebody who is leaving."""
    person = await auth.find_profile(session, user_id)
    if person is None or await auth.deletion_time(session, user_id):
        return
    entries = [_said(words, preferences) | {"token": words["token"]} for _, words in told[:MOST_IN_LETTER]]
    template, gaps = (
        "digest",
        {"count": str(len(told)), "entries": entries, "more": str(len(told) - len(entries) or "")},
    )
    if len(told) == 1:
        template, gaps = "reminder" if entries[0]["token"] else "notice", entries[0]
    await queue_mail(session, owner_id=user_id, to=person.email, template=template, name=person.name, **gaps)


def _said(words: dict[str, Any], preferences: Preferences) -> dict[str, Any]:
    """The words, or the discreet ones for who wants no titles in letters."""
    if preferences.titles == "private":
        return {"title": words["discreet"], "text": "Sign in to see what it is about.", "lines": []}
    return {name: words[name] for name in ("title", "text", "lines")}


async def _push(
    session: AsyncSession, user_id: UUID, preferences: Preferences, told: list[tuple[Message, dict[str, Any]]]
) -> None:
    if await auth.deletion_time(session, user_id):
        return
    if len(told) > MOST_PUSHES:
        title = f"{len(told)} things need your attention"
        await queue_push(session, user_id, {"kind": "digest", "title": title, "text": "", "tag": "digest"})
        return
    for row, words in told:
        said = {**_said(words, preferences), "kind": row.kind, "id": str(row.id), "tag": row.cause}
        subject = {"subject_id": str(row.subject_id)} if row.subject_id else {}
        await queue_push(session, user_id, said | subject)
