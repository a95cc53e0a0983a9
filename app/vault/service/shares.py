"""Shares as those see them who made them, and who manage the vault: made, listed, revoked, logged."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import FromClause, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.crypto import new_token, token_digest
from app.core.security import hash_password
from app.db.acting import acting_for
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import Actor
from app.vault.cells import open_body, ring_of, rings_of_vaults, seal_body
from app.vault.errors import LimitReached, RoleTooLow, ShareNotFound, VersionNotFound
from app.vault.models import document_versions, documents, items, members, share_views, shares
from app.vault.policy import allows, open_to_members, require, roles_for
from app.vault.schemas.links import ItemRef
from app.vault.schemas.shares import (
    ShareCreate,
    ShareCreated,
    ShareRead,
    ShareSubject,
    ShareViewRead,
    VersionRef,
)
from app.vault.service.documents import visible_document
from app.vault.service.items import visible_item
from app.vault.service.listing import FIRST_PAGE, Filters
from app.vault.service.room import require_below

VIEW_PATH: Final = "/v1/vault/shared"

TRASHED: Final = func.coalesce(items.c.trashed_at, documents.c.trashed_at).is_not(None)
USED_UP: Final = func.coalesce(shares.c.views >= shares.c.max_views, False)
EXPIRED: Final = shares.c.expires_at <= func.now()
REVOKED: Final = shares.c.revoked_at.is_not(None)
OVER: Final = or_(REVOKED, EXPIRED, USED_UP)


def with_subject(joined: FromClause) -> FromClause:
    """Shares joined to the record or the file that they are about, and to its document."""
    return (
        joined.outerjoin(items, items.c.id == shares.c.item_id)
        .outerjoin(document_versions, document_versions.c.id == shares.c.version_id)
        .outerjoin(documents, documents.c.id == document_versions.c.document_id)
    )


async def create_share(session: AsyncSession, principal: Principal, data: ShareCreate) -> ShareCreated:
    """Make a link to a record or a file for people outside.

    Raises `ItemNotFound`, `DocumentNotFound`, `VersionNotFound`, `RoleTooLow`, `LimitReached`. Emits
    `vault.share_created`.
    """
    settings = current().settings
    if data.hours > settings.share_max_days * 24:
        raise LimitReached(f"A share lives {settings.share_max_days} days at most")
    hashed = await hash_password(data.password) if data.password else None
    vault_id, subject = await _subject(session, principal, data.subject)
    await _require_room(session, principal)
    ring = await ring_of(session, vault_id)
    share_id, token = new_id(), new_token()
    content = {"name": data.name, "password": hashed, "secrets": data.secrets}
    values = {
        "id": share_id,
        "vault_id": vault_id,
        "user_id": principal.user_id,
        **subject,
        "token_digest": token_digest(token),
        "body": seal_body(ring, shares, share_id, content),
        "max_views": data.max_views,
        "expires_at": func.now() + timedelta(hours=data.hours),
    }
    await session.execute(insert(shares).values(values))
    await emit(session, "vault.share_created", share_id=share_id, vault_id=vault_id, user_id=principal.user_id)
    logged = {name: str(each) for name, each in subject.items()}
    await audit.record(session, principal, vault_id, "vault.share_created", share_id, **logged)
    made = await read_share(session, principal, share_id)
    url = f"{settings.public_url.rstrip('/')}{VIEW_PATH}#{token}"
    return ShareCreated(**dict(made), token=token, url=url)


async def _subject(
    session: AsyncSession, principal: Principal, subject: ItemRef | VersionRef
) -> tuple[UUID, dict[str, UUID]]:
    """The vault of what is to be shared, and the column that names it."""
    if isinstance(subject, ItemRef):
        row = await visible_item(session, principal, subject.item_id)
        named = {"item_id": subject.item_id}
    else:
        row = await visible_document(session, principal, subject.document_id)
        named = {"version_id": await _version_id(session, row, subject.version)}
    if not allows(row["role"], "share"):
        raise RoleTooLow
    return row["vault_id"], named


async def _version_id(session: AsyncSession, document: Any, number: int | None) -> UUID:
    if number is None:
        present: UUID = document["version_id"]
        return present
    of_document = document_versions.c.document_id == document["id"], document_versions.c.number == number
    version_id: UUID | None = await session.scalar(select(document_versions.c.id).where(*of_document))
    if version_id is None:
        raise VersionNotFound
    return version_id


async def _require_room(session: AsyncSession, principal: Principal) -> None:
    mine = select(func.count()).select_from(shares).where(shares.c.user_id == principal.user_id, ~OVER)
    refusal = "You have as many open shares as you may; revoke some"
    await require_below(session, mine, current().settings.shares_per_user, principal.user_id, refusal)


async def list_shares(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[ShareRead], UUID | None]:
    """One page of the principal's shares, and of everybody's in the vaults that they manage, newest first.

    Raises `VaultNotFound`.
    """
    if filters.vault_id:
        await require(session, principal, filters.vault_id, "read")
    statement = _visible(principal).where(shares.c.id < (filters.before or FIRST_PAGE))
    if filters.vault_id:
        statement = statement.where(shares.c.vault_id == filters.vault_id)
    page = statement.order_by(shares.c.id.desc()).limit(filters.limit + 1)
    rows = (await session.execute(page)).mappings().all()
    found = rows[: filters.limit]
    rings = await rings_of_vaults(session, {row["vault_id"] for row in found})
    shown = [_read(rings[row["vault_id"]], row) for row in found]
    return shown, found[-1]["id"] if len(rows) > filters.limit else None


async def read_share(session: AsyncSession, principal: Principal, share_id: UUID) -> ShareRead:
    """A share of the principal, or about something in a vault that they manage. Raises `ShareNotFound`."""
    row = await _row(session, principal, share_id)
    return _read(await ring_of(session, row["vault_id"], row["body"], row["subject"]), row)


async def revoke_share(session: AsyncSession, principal: Principal, share_id: UUID) -> None:
    """End a share at once; it stays listed for a while. Raises `ShareNotFound`. Emits `vault.share_revoked`."""
    row = await _row(session, principal, share_id)
    ended = update(shares).where(shares.c.id == share_id, shares.c.revoked_at.is_(None))
    async with acting_for(session, Actor.vault(row["vault_id"])):
        revoked = await session.scalar(ended.values(revoked_at=func.now()).returning(shares.c.id))
    if revoked:
        await emit(session, "vault.share_revoked", share_id=share_id, vault_id=row["vault_id"])
        await audit.record(session, principal, row["vault_id"], "vault.share_revoked", share_id)


async def list_share_views(
    session: AsyncSession, principal: Principal, share_id: UUID, filters: Filters
) -> tuple[list[ShareViewRead], UUID | None]:
    """One page of what happened to a share, newest first. Raises `ShareNotFound`."""
    share = await _row(session, principal, share_id)
    of_share = share_views.c.share_id == share_id, share_views.c.id < (filters.before or FIRST_PAGE)
    statement = select(share_views).where(*of_share).order_by(share_views.c.id.desc()).limit(filters.limit + 1)
    rows = (await session.execute(statement)).mappings().all()
    found = rows[: filters.limit]
    ring = await ring_of(session, share["vault_id"], *(row["body"] for row in found))
    shown = [
        ShareViewRead(
            id=row["id"],
            outcome=row["outcome"],
            viewed_at=row["created_at"],
            **open_body(ring, share_views, row["id"], row["body"]),
        )
        for row in found
    ]
    return shown, found[-1]["id"] if len(rows) > filters.limit else None


async def forget_shares(session: AsyncSession, vault_id: UUID, user_id: UUID) -> None:
    """Drop those of somebody who has left a vault; they have not opened since. For the system."""
    await session.execute(delete(shares).where(shares.c.vault_id == vault_id, shares.c.user_id == user_id))


async def sweep_shares(session: AsyncSession, now: datetime) -> int:
    """Delete what is over for as long as the trash keeps things; returns how many. For the system."""
    before = now - timedelta(days=current().settings.trash_days)
    old = or_(shares.c.expires_at < before, shares.c.revoked_at < before, and_(USED_UP, shares.c.viewed_at < before))
    return len((await session.scalars(delete(shares).where(old).returning(shares.c.id))).all())


async def _row(session: AsyncSession, principal: Principal, share_id: UUID) -> Any:
    row = (await session.execute(_visible(principal).where(shares.c.id == share_id))).mappings().one_or_none()
    if row is None:
        raise ShareNotFound
    return row


def _visible(principal: Principal) -> Any:
    """The shares that the principal may see, with what they are about and their state."""
    own = shares.c.user_id == principal.user_id
    state = case(
        (REVOKED, "revoked"),
        (EXPIRED, "expired"),
        (USED_UP, "used_up"),
        (or_(TRASHED, and_(own, members.c.role.not_in(roles_for("share")))), "suspended"),
        else_="open",
    )
    columns = (
        *shares.c,
        func.coalesce(items.c.body, documents.c.body).label("subject"),
        documents.c.id.label("document_id"),
        document_versions.c.number,
        state.label("state"),
    )
    seen = or_(own, members.c.role.in_(roles_for("manage")))
    joined = with_subject(open_to_members(shares))
    return select(*columns).select_from(joined).where(members.c.user_id == principal.user_id, seen)


def _read(ring: KeyRing, row: Any) -> ShareRead:
    content = open_body(ring, shares, row["id"], row["body"])
    table, subject_id = (items, row["item_id"]) if row["item_id"] else (documents, row["document_id"])
    subject = ShareSubject(
        kind="item" if row["item_id"] else "document",
        id=subject_id,
        version=row["number"],
        title=open_body(ring, table, subject_id, row["subject"])["title"],
    )
    return ShareRead(
        id=row["id"],
        vault_id=row["vault_id"],
        user_id=row["user_id"],
        subject=subject,
        name=content["name"],
        state=row["state"],
        has_password=content["password"] is not None,
        secrets=content["secrets"],
        max_views=row["max_views"],
        views=row["views"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        viewed_at=row["viewed_at"],
        created_at=row["created_at"],
    )
