"""What packages that follow changes may ask: the transaction acts for the system or the vault, not for a person."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.vault.cells import open_body, ring_of
from app.vault.models import invitations, items, members, vaults
from app.vault.service.types import kinds_of
from app.vault.types import RecordType


@dataclass(frozen=True, slots=True)
class ItemNow:
    """A record as it stands."""

    id: UUID
    vault_id: UUID
    kind: RecordType
    title: str
    fields: dict[str, Any]
    trashed: bool
    written_by: UUID


async def item_now(session: AsyncSession, item_id: UUID) -> ItemNow | None:
    """A record, in the trash or not; None if it is gone. Raises `ContentDamaged`."""
    columns = items.c.vault_id, items.c.type, items.c.body, items.c.trashed_at, items.c.written_by
    row = (await session.execute(select(*columns).where(items.c.id == item_id))).one_or_none()
    if row is None:
        return None
    content = open_body(await ring_of(session, row.vault_id, row.body), items, item_id, row.body)
    trashed, written_by = row.trashed_at is not None, row.written_by
    kind = (await kinds_of(session, (row.type,)))[row.type]
    return ItemNow(item_id, row.vault_id, kind, content["title"], content["fields"], trashed, written_by)


async def roles_in(session: AsyncSession, vault_id: UUID) -> dict[UUID, str]:
    """The role of each member of a vault; of one in the trash there is none."""
    joined = members.join(vaults, vaults.c.id == members.c.vault_id)
    statement = select(members.c.user_id, members.c.role).select_from(joined)
    rows = await session.execute(statement.where(members.c.vault_id == vault_id, vaults.c.trashed_at.is_(None)))
    return {row.user_id: row.role for row in rows}


@dataclass(frozen=True, slots=True)
class WaitingInvitation:
    """An invitation that nobody has answered; `email_digest` is that of the address that it was sent to."""

    id: UUID
    vault_id: UUID
    invited_by: UUID
    email: str
    email_digest: bytes


async def waiting_invitations(session: AsyncSession, age: timedelta, limit: int) -> list[WaitingInvitation]:
    """Open invitations that were sent at least so long ago, of vaults that are not in the trash, the oldest first."""
    old = invitations.c.created_at < func.now() - age
    statement = (
        select(invitations)
        .join(vaults, vaults.c.id == invitations.c.vault_id)
        .where(old, invitations.c.expires_at > func.now(), vaults.c.trashed_at.is_(None))
    )
    found = []
    for row in (await session.execute(statement.order_by(invitations.c.created_at).limit(limit))).mappings():
        ring = await ring_of(session, row["vault_id"], row["body"])
        email = open_body(ring, invitations, row["id"], row["body"])["email"]
        ids = row["id"], row["vault_id"], row["invited_by"]
        found.append(WaitingInvitation(*ids, email, row["email_digest"]))
    return found
