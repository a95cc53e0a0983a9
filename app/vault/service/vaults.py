"""Vaults: made with a data key of their own, trashed, restored, destroyed with it."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.acting import acting_for
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import Actor
from app.jobs.service import create_job
from app.vault.cells import open_body, ring_of, rings_of, seal_body
from app.vault.errors import (
    BeingPurged,
    NotInTrash,
    StaleRevision,
    VaultHasMembers,
    VaultNotFound,
    VaultSealed,
)
from app.vault.etags import check_revision
from app.vault.models import invitations, members, vaults
from app.vault.policy import SEALED, require
from app.vault.schemas.vaults import VaultCreate, VaultRead, VaultUpdate
from app.vault.sealed.models import candidates
from app.vault.service.listing import FIRST_PAGE, Filters
from app.vault.service.room import require_below

PURGE_JOB: Final = "vault.purge"

COLUMNS: Final = (
    vaults.c.id,
    vaults.c.id.label("vault_id"),
    vaults.c.kind,
    vaults.c.tier,
    vaults.c.body,
    vaults.c.revision,
    vaults.c.created_at,
    vaults.c.updated_at,
    vaults.c.trashed_at,
    vaults.c.purging_at,
    members.c.role,
)


async def create_vault(session: AsyncSession, principal: Principal, data: VaultCreate) -> VaultRead:
    """Make a vault that the server can open. Raises `VaultSealed`, `LimitReached`. Emits `vault.created`."""
    if data.tier == SEALED:
        raise VaultSealed("A sealed vault is made by its owner's client, see /v1/vault/sealed/vaults")
    return await add_vault(session, principal, data)


async def add_vault(
    session: AsyncSession, principal: Principal, data: VaultCreate, vault_id: UUID | None = None
) -> VaultRead:
    """A vault of whatever tier, with its data key and its owner. Raises `LimitReached`. Emits `vault.created`.

    What the server writes of a sealed one, its members' names, stands under the data key, too.
    """
    await require_room_for_vault(session, principal.user_id)
    owner = await auth.profile(session, principal.user_id)
    vault_id, member_id = vault_id or new_id(), new_id()
    async with acting_for(session, Actor.vault(vault_id)):
        ring = await current().keys.create(session, "vault", vault_id)
        name = {"name": "" if data.tier == SEALED else data.name}
        body = seal_body(ring, vaults, vault_id, name)
        made = insert(vaults).values(id=vault_id, kind=data.kind, tier=data.tier, body=body).returning(vaults)
        row = (await session.execute(made)).mappings().one()
        body = seal_body(ring, members, member_id, {"name": owner.name, "email": owner.email})
        ids = {"id": member_id, "vault_id": vault_id, "user_id": principal.user_id}
        await session.execute(insert(members).values(**ids, role="owner", body=body))
    await emit(session, "vault.created", vault_id=vault_id)
    await audit.record(session, principal, vault_id, "vault.created", kind=data.kind)
    return _opened(ring, {**row, "role": "owner"})


async def require_room_for_vault(session: AsyncSession, user_id: UUID) -> None:
    """See that a person may own another vault. Raises `LimitReached`."""
    owned = select(func.count()).select_from(members).where(members.c.user_id == user_id, members.c.role == "owner")
    most = current().settings.vaults_per_user
    await require_below(session, owned, most, user_id, "You own as many vaults as you may; purge some")


async def list_vaults(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[VaultRead], UUID | None]:
    """One page of the principal's vaults, newest first, or of those in the trash that they own."""
    statement = _mine(principal).where(vaults.c.id < (filters.before or FIRST_PAGE))
    if filters.trashed:
        statement = statement.where(vaults.c.trashed_at.is_not(None), members.c.role == "owner")
    else:
        statement = statement.where(vaults.c.trashed_at.is_(None))
    if filters.readable:
        statement = statement.where(vaults.c.tier != SEALED)
    page = statement.order_by(vaults.c.id.desc()).limit(filters.limit + 1)
    rows = (await session.execute(page)).mappings().all()
    found = rows[: filters.limit]
    rings = await rings_of(session, found)
    return [_opened(rings[row["id"]], row) for row in found], found[-1]["id"] if len(rows) > filters.limit else None


async def read_vault(session: AsyncSession, principal: Principal, vault_id: UUID) -> VaultRead:
    """A vault that is not in the trash. Raises `VaultNotFound`."""
    row = await _visible_vault(session, principal, vault_id)
    return _opened(await ring_of(session, vault_id, row["body"]), row)


async def vaults_by_id(session: AsyncSession, principal: Principal, vault_ids: Collection[UUID]) -> list[VaultRead]:
    """Those of these vaults that the principal may read and that are not in the trash."""
    if not vault_ids:
        return []
    statement = _mine(principal).where(vaults.c.id.in_(vault_ids), vaults.c.trashed_at.is_(None))
    rows = (await session.execute(statement)).mappings().all()
    rings = await rings_of(session, rows)
    return [_opened(rings[row["id"]], row) for row in rows]


async def update_vault(
    session: AsyncSession, principal: Principal, vault_id: UUID, data: VaultUpdate, *, if_match: str | None
) -> VaultRead:
    """Rename a vault or change its kind.

    Raises `VaultNotFound`, `RoleTooLow`, `StaleRevision`, `VaultHasMembers`, `VaultSealed` for a name in clear.
    """
    await require(session, principal, vault_id, "manage", any_tier=True)
    row = await _visible_vault(session, principal, vault_id)
    if data.name is not None and row["tier"] == SEALED:
        raise VaultSealed
    check_revision(if_match, row["revision"])
    ring = await ring_of(session, vault_id, row["body"])
    name = data.name or open_body(ring, vaults, vault_id, row["body"])["name"]
    values = {
        "kind": data.kind or row["kind"],
        "body": seal_body(ring, vaults, vault_id, {"name": name}),
        "revision": row["revision"] + 1,
        "updated_at": func.now(),
    }
    same = vaults.c.id == vault_id, vaults.c.revision == row["revision"], vaults.c.trashed_at.is_(None)
    async with acting_for(session, Actor.vault(vault_id)):
        changed = (await session.execute(update(vaults).where(*same).values(values).returning(vaults))).mappings()
        after = changed.one_or_none()
        if after is None:
            raise StaleRevision
        if data.kind == "personal" and await _is_shared(session, vault_id):
            raise VaultHasMembers
    await audit.record(session, principal, vault_id, "vault.updated", kind=after["kind"], revision=after["revision"])
    return _opened(ring, {**after, "role": row["role"]})


async def _is_shared(session: AsyncSession, vault_id: UUID) -> bool:
    people = select(func.count()).select_from(members).where(members.c.vault_id == vault_id)
    invited = select(func.count()).select_from(invitations).where(invitations.c.vault_id == vault_id)
    waiting = select(func.count()).select_from(candidates).where(candidates.c.vault_id == vault_id)
    counts = people.scalar_subquery() + invited.scalar_subquery() + waiting.scalar_subquery()
    held = await session.scalar(select(counts))
    return (held or 0) > 1


async def trash_vault(session: AsyncSession, principal: Principal, vault_id: UUID) -> None:
    """Hide a vault and all that is in it, from everybody.

    Raises `VaultNotFound`, `RoleTooLow`. Emits `vault.trashed`.
    """
    await require(session, principal, vault_id, "own", any_tier=True)
    async with acting_for(session, Actor.vault(vault_id)):
        await session.execute(update(vaults).where(vaults.c.id == vault_id).values(trashed_at=func.now()))
    await emit(session, "vault.trashed", vault_id=vault_id)
    await audit.record(session, principal, vault_id, "vault.trashed")


async def restore_vault(session: AsyncSession, principal: Principal, vault_id: UUID) -> VaultRead:
    """Take a vault out of the trash.

    Raises `VaultNotFound`, `RoleTooLow`, `NotInTrash`, `BeingPurged`. Emits `vault.restored`.
    """
    await _require_in_trash(session, principal, vault_id)
    kept = update(vaults).where(vaults.c.id == vault_id, vaults.c.purging_at.is_(None)).values(trashed_at=None)
    async with acting_for(session, Actor.vault(vault_id)):
        if await session.scalar(kept.returning(vaults.c.id)) is None:
            raise BeingPurged
    await emit(session, "vault.restored", vault_id=vault_id)
    await audit.record(session, principal, vault_id, "vault.restored")
    return await read_vault(session, principal, vault_id)


async def purge_vault(session: AsyncSession, principal: Principal, vault_id: UUID) -> UUID:
    """Start destroying a vault that is in the trash, for good; returns the job.

    Raises `VaultNotFound`, `RoleTooLow`, `NotInTrash`, `BeingPurged`.
    """
    await _require_in_trash(session, principal, vault_id)
    doomed = update(vaults).where(vaults.c.id == vault_id, vaults.c.purging_at.is_(None)).values(purging_at=func.now())
    async with acting_for(session, Actor.vault(vault_id)):
        if await session.scalar(doomed.returning(vaults.c.id)) is None:
            raise BeingPurged
    # The job is the person's, not the vault's: it outlives the vault and can be followed to its end, as does the entry.
    job_id = await create_job(session, PURGE_JOB, subject_id=vault_id, user_id=principal.user_id)
    await audit.record(session, principal, vault_id, "vault.purge_started", job_id=job_id)
    await audit.record_own(session, principal, principal.user_id, "vault.purge_started", vault_id, job_id=job_id)
    return job_id


async def _require_in_trash(session: AsyncSession, principal: Principal, vault_id: UUID) -> None:
    try:
        await require(session, principal, vault_id, "own", trashed=True, any_tier=True)
    except VaultNotFound:
        await require(session, principal, vault_id, "own", any_tier=True)
        raise NotInTrash from None


def _mine(principal: Principal) -> Select[Any]:
    joined = vaults.join(members, members.c.vault_id == vaults.c.id)
    return select(*COLUMNS).select_from(joined).where(members.c.user_id == principal.user_id)


async def _visible_vault(session: AsyncSession, principal: Principal, vault_id: UUID) -> Any:
    statement = _mine(principal).where(vaults.c.id == vault_id, vaults.c.trashed_at.is_(None))
    row = (await session.execute(statement)).mappings().one_or_none()
    if row is None:
        raise VaultNotFound
    return row


def _opened(ring: KeyRing, row: Any) -> VaultRead:
    return VaultRead(
        id=row["id"],
        name=open_body(ring, vaults, row["id"], row["body"])["name"],
        kind=row["kind"],
        tier=row["tier"],
        role=row["role"],
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        trashed_at=row["trashed_at"],
    )
