"""Shares as people outside open them: a token, perhaps a password, and what is shared while all is as it must be.

Everything runs in transactions of its own: a view, or a wrong password, counts whatever the answer becomes.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.devices import Device
from app.auth.parts import throttle
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.core.security import check_password
from app.core.throttle import Limit
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import session_scope
from app.vault.cells import open_body, ring_of, seal_body
from app.vault.errors import ShareNotFound, SharePasswordNeeded, TooManyTries
from app.vault.models import items, members, share_views, shares
from app.vault.policy import open_to_members, roles_for
from app.vault.schemas.shares import SharedField, SharedFile, SharedItem, SharedRead
from app.vault.service.content import VersionContent, open_version
from app.vault.service.entries import searchable
from app.vault.service.shares import EXPIRED, REVOKED, TRASHED, USED_UP, with_subject
from app.vault.service.types import kinds_of
from app.vault.types import RecordField

HOUR: Final = 3_600
EVERYWHERE_FACTOR: Final = 5
TICKET_LIVES: Final = timedelta(minutes=15)

MAY_SHARE: Final = and_(members.c.user_id == shares.c.user_id, members.c.role.in_(roles_for("share")))


async def open_share(token: str, password: str, device: Device) -> SharedRead:
    """What a share is about; counts as a view. An unknown token, and whatever ends a share, has the same answer.

    Raises `ShareNotFound`, `SharePasswordNeeded`, `TooManyTries`. Emits `vault.share_opened`.
    """
    _refuse(await throttle().full(_limit("share-token", 1), device.place.hex()))
    digest = token_digest(token)
    async with session_scope() as session:
        row = await _live(session, _open().where(shares.c.token_digest == digest))
        content = await _content(session, row) if row else None
    if row is None or content is None:
        await throttle().hit(_limit("share-token", 1), device.place.hex())
        raise ShareNotFound
    if content["password"]:
        await _require_password(row, content["password"], password, device)
    async with session_scope() as session:
        return await _view(session, row["id"], device)


async def open_shared_file(ticket: str) -> VersionContent:
    """The file of a share that was opened with this ticket, while it lives. Raises `ShareNotFound`."""
    async with session_scope() as session:
        recent = share_views.c.created_at > func.now() - TICKET_LIVES
        opened = select(share_views.c.share_id).where(share_views.c.ticket_digest == token_digest(ticket), recent)
        row = await _live(session, _kept().where(shares.c.id == opened.scalar_subquery()))
        if row is None or row["version_id"] is None:
            raise ShareNotFound
        return await open_version(session, row["version_id"])


def _kept() -> Select[Any]:
    """Shares that are not over, or only used up; what they are about is there, who made them may share it."""
    joined = with_subject(open_to_members(shares))
    return select(shares).select_from(joined).where(MAY_SHARE, ~TRASHED, ~REVOKED, ~EXPIRED)


def _open() -> Select[Any]:
    return _kept().where(~USED_UP)


async def _live(session: AsyncSession, statement: Select[Any]) -> Any:
    return (await session.execute(statement)).mappings().one_or_none()


async def _content(session: AsyncSession, row: Any) -> Any:
    return open_body(await ring_of(session, row["vault_id"], row["body"]), shares, row["id"], row["body"])


async def _require_password(row: Any, hashed: str, password: str, device: Device) -> None:
    """Strict for one place, loose for all of them. Raises `SharePasswordNeeded`, `TooManyTries`."""
    here, anywhere = (row["id"].bytes + device.place).hex(), row["id"].hex
    _refuse(await throttle().full(_limit("share-place", 1), here))
    _refuse(await throttle().full(_limit("share", EVERYWHERE_FACTOR), anywhere))
    if password:
        if (await check_password(password, hashed)).matches:
            return
        await throttle().hit(_limit("share-place", 1), here)
        await throttle().hit(_limit("share", EVERYWHERE_FACTOR), anywhere)
        async with session_scope() as session:
            await _log(session, row["vault_id"], row["id"], "refused", device)
            await audit.record(session, None, row["vault_id"], "vault.share_refused", row["id"])
    raise SharePasswordNeeded


def _limit(name: str, factor: int) -> Limit:
    return Limit(name, current().settings.share_tries * factor, HOUR)


def _refuse(wait: int) -> None:
    if wait:
        raise TooManyTries(f"Try again in {wait} seconds", headers={"Retry-After": str(wait)})


async def _view(session: AsyncSession, share_id: UUID, device: Device) -> SharedRead:
    """Count a view, if there is still one left, and show what is shared. Raises `ShareNotFound`."""
    counted = update(shares).where(shares.c.id == share_id, ~USED_UP, ~REVOKED, ~EXPIRED)
    viewed = {"views": shares.c.views + 1, "viewed_at": func.now()}
    if await session.scalar(counted.values(viewed).returning(shares.c.id)) is None:
        raise ShareNotFound
    row = await _live(session, _kept().where(shares.c.id == share_id))
    if row is None:
        raise ShareNotFound
    ticket = new_token() if row["version_id"] else None
    viewed_at = await _log(session, row["vault_id"], share_id, "opened", device, ticket)
    await emit(session, "vault.share_opened", share_id=share_id, vault_id=row["vault_id"], user_id=row["user_id"])
    await audit.record(session, None, row["vault_id"], "vault.share_opened", share_id)
    maker = await auth.find_profile(session, row["user_id"])
    return SharedRead(
        shared_by=maker.name if maker else "",
        expires_at=row["expires_at"],
        views_left=row["max_views"] - row["views"] if row["max_views"] else None,
        item=None if ticket else await _item(session, row),
        file=await _file(session, row["version_id"], ticket, viewed_at + TICKET_LIVES) if ticket else None,
    )


async def _log(
    session: AsyncSession, vault_id: UUID, share_id: UUID, outcome: str, device: Device, ticket: str | None = None
) -> Any:
    ring: KeyRing = await ring_of(session, vault_id)
    view_id = new_id()
    values = {
        "id": view_id,
        "share_id": share_id,
        "vault_id": vault_id,
        "outcome": outcome,
        "ticket_digest": token_digest(ticket) if ticket else None,
        "body": seal_body(ring, share_views, view_id, {"device": device.name}),
    }
    return await session.scalar(insert(share_views).values(values).returning(share_views.c.created_at))


async def _item(session: AsyncSession, row: Any) -> SharedItem:
    item = (await session.execute(select(items).where(items.c.id == row["item_id"]))).mappings().one()
    ring = await ring_of(session, row["vault_id"], row["body"], item["body"])
    content = open_body(ring, items, item["id"], item["body"])
    kind = (await kinds_of(session, (item["type"],)))[item["type"]]
    fields = content["fields"]
    if not open_body(ring, shares, row["id"], row["body"])["secrets"]:
        fields = searchable(kind, fields)
    defined = [field for field in kind.fields if field.name in fields]
    known = {field.name for field in defined}
    custom = [RecordField(name=name, label=name, type="text") for name in fields if name not in known]
    return SharedItem(
        type=item["type"],
        label=kind.label,
        title=content["title"],
        fields=[
            SharedField(name=field.name, label=field.label, type=field.type, value=fields[field.name])
            for field in (*defined, *custom)
        ],
        notes=content["notes"],
    )


async def _file(session: AsyncSession, version_id: UUID, ticket: str, expires_at: Any) -> SharedFile:
    content = await open_version(session, version_id)
    return SharedFile(
        title=content.title,
        name=content.name,
        size=content.size,
        media_type=content.media_type,
        sha256=content.sha256,
        ticket=ticket,
        ticket_expires_at=expires_at,
    )
