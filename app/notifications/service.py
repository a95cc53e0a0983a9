"""E-mails: queued in the transaction that causes them, sent at least once, forgotten as soon as they are sent."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.core.logging import get_log
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope
from app.notifications.gateway import MailDelayed, MailRefused, deliver
from app.notifications.letters import Letter, compose, is_template
from app.notifications.models import Mail

FIRST_PAUSE = timedelta(minutes=1)
MOST_ATTEMPTS = 12  # with a pause that doubles each time: for almost three days
MISSED_AFTER = timedelta(seconds=90)

log = get_log(__name__)


async def queue_mail(session: AsyncSession, *, owner_id: UUID, to: str, template: str, **context: Any) -> None:
    """Send an e-mail after the commit; `owner_id` is the user or vault under whose data key it waits, sealed.

    `context` fills the gaps of the template: with texts, or with lists or objects of texts.

    Any principal may queue one whose owner's keys they may use. Raises `ValueError` for an unknown template. Emits
    `notifications.mail_queued`.
    """
    if not is_template(template):
        raise ValueError(f"there is no template {template}")
    mail_id = new_id()
    ring = await current().keys.ring(session, owner_id)
    body = orjson.dumps(asdict(Letter(to, template, context)))
    cell = ring.seal("notifications_mails", mail_id, "body", body)
    await session.execute(insert(Mail).values(id=mail_id, owner_id=owner_id, body=cell))
    await emit(session, "notifications.mail_queued", mail_id=mail_id)


@dataclass(frozen=True, slots=True)
class _Taken:
    id: UUID
    letter: Letter
    attempts: int
    written_at: datetime


async def send_mail(mail_id: UUID) -> None:
    """Send a mail that is due, unless somebody else has taken it; its row goes when it is sent or given up."""
    async with session_scope() as session:
        taken = await _take(session, mail_id)
    if taken is None:
        return
    settings = current().settings
    try:
        message = compose(
            taken.letter,
            mail_id=taken.id,
            written_at=taken.written_at,
            sender=settings.mail_from,
            public_url=settings.public_url.rstrip("/"),
        )
        await deliver(message, settings)
    except MailDelayed as error:
        log.warning("mail delayed", mail_id=str(mail_id), attempt=taken.attempts, error=type(error.__cause__).__name__)
        if taken.attempts < MOST_ATTEMPTS:
            return
    except (MailRefused, ValueError) as error:
        log.warning("mail given up", mail_id=str(mail_id), error=type(error).__name__)
    async with session_scope() as session:
        await session.execute(delete(Mail).where(Mail.id == mail_id))


async def _take(session: AsyncSession, mail_id: UUID) -> _Taken | None:
    """Count an attempt; the mail is due again after a pause, should this one not come to an end."""
    pause = FIRST_PAUSE * func.power(2, Mail.attempts)
    taken = (
        update(Mail)
        .where(Mail.id == mail_id, Mail.due_at <= func.now())
        .values(attempts=Mail.attempts + 1, due_at=func.now() + pause)
        .returning(Mail.owner_id, Mail.body, Mail.attempts, Mail.created_at)
    )
    row = (await session.execute(taken)).one_or_none()
    if row is None:
        return None
    ring = await current().keys.ring(session, row.owner_id, row.body)
    letter = Letter(**orjson.loads(ring.open("notifications_mails", mail_id, "body", row.body)))
    return _Taken(mail_id, letter, row.attempts, row.created_at)


async def queue_due(session: AsyncSession, limit: int = 200) -> int:
    """Emit `notifications.mail_queued` again for mails that are to be tried again; returns how many."""
    due = select(Mail.id).where(Mail.due_at < func.now(), Mail.created_at < func.now() - MISSED_AFTER)
    ids = list(await session.scalars(due.order_by(Mail.due_at).limit(limit)))
    for mail_id in ids:
        await emit(session, "notifications.mail_queued", mail_id=mail_id)
    return len(ids)


async def has_waiting(session: AsyncSession, owner_id: UUID) -> bool:
    """Whether a mail that waits under this owner's key has not been sent yet, nor given up. For the system."""
    return bool(await session.scalar(select(exists().where(Mail.owner_id == owner_id))))
