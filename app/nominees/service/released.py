"""Reading what was released: decided anew for each request, and each read is logged with it."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.core.clock import new_id
from app.db.acting import acting_for
from app.nominees.cells import open_rows
from app.nominees.errors import NothingReleased
from app.nominees.models import cases, legacy_keys, messages, plans, reads
from app.nominees.policy import OPEN_NOW, is_accepted, plans_for, released_gifts
from app.nominees.schemas.cases import ReadKind, ReadRead
from app.nominees.schemas.keys import ServerSheet
from app.nominees.schemas.visits import Released, ReleasedVaultRead, ReleaseRead
from app.nominees.service.cases import case_of
from app.nominees.service.gifts import scope_of
from app.nominees.service.guests import Guest
from app.nominees.service.noting import note_read
from app.vault import service as vaults
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.items import ItemRead
from app.vault.service.listing import FIRST_PAGE


async def _scope(session: AsyncSession, guest: Guest) -> vaults.Scope:
    """What the guest may read at this moment. Raises `NothingReleased`."""
    async with acting_for(session, guest.owner):
        rows = (await session.execute(released_gifts(guest.nominee_id))).mappings().all()
    if not rows:
        raise NothingReleased
    return scope_of(guest.owner_id, rows)


async def _log(
    session: AsyncSession, guest: Guest, kind: ReadKind, subject_id: UUID | None = None, vault_id: UUID | None = None
) -> None:
    ids = {"id": new_id(), "user_id": guest.owner_id, "nominee_id": guest.nominee_id}
    async with acting_for(session, guest.owner):
        await session.execute(insert(reads).values(**ids, kind=kind, subject_id=subject_id))
        await note_read(session, guest.principal, guest.owner_id, kind, subject_id, vault_id)


async def read_released(session: AsyncSession, guest: Guest) -> Released:
    """All that is released to the guest."""
    async with acting_for(session, guest.owner):
        releases = await _releases(session, guest)
        rows = (await session.execute(released_gifts(guest.nominee_id))).mappings().all()
    scope = scope_of(guest.owner_id, rows)
    found = await vaults.list_released_vaults(session, scope)
    if releases:
        await _log(session, guest, "overview")
    return Released(releases=releases, vaults=[ReleasedVaultRead.model_validate(each) for each in found])


async def _releases(session: AsyncSession, guest: Guest) -> list[ReleaseRead]:
    """The plans that are released, with what their owner says to the guest."""
    mine = cases.c.plan_id.in_(plans_for(guest.nominee_id)), OPEN_NOW, is_accepted(guest.nominee_id)
    joined = select(cases, plans.c.gives_server_sheet).join(plans, plans.c.id == cases.c.plan_id)
    rows = (await session.execute(joined.where(*mine).order_by(cases.c.id))).mappings().all()
    said = await _messages(session, guest)
    return [
        ReleaseRead(
            plan_id=row["plan_id"],
            released_at=row["released_at"],
            stages=row["stages"],
            next_stage_at=row["due_at"] if row["stages"] < len(case_of(row).rules.stage_days) else None,
            ends_at=row["ends_at"],
            message=said.get(row["plan_id"], ""),
            gives_server_sheet=row["gives_server_sheet"],
        )
        for row in rows
    ]


async def _messages(session: AsyncSession, guest: Guest) -> dict[UUID, str]:
    statement = select(messages).where(messages.c.nominee_id == guest.nominee_id)
    rows = (await session.execute(statement)).mappings().all()
    texts = await open_rows(session, messages, rows)
    return {row["plan_id"]: text["text"] for row, text in zip(rows, texts, strict=True)}


async def list_items(
    session: AsyncSession, guest: Guest, vault_id: UUID, filters: vaults.Filters
) -> tuple[list[ItemRead], UUID | None]:
    """One page of released records. Raises `NothingReleased`, `VaultNotFound`."""
    found = await vaults.list_released_items(session, await _scope(session, guest), vault_id, filters)
    await _log(session, guest, "items", vault_id, vault_id)
    return found


async def read_item(session: AsyncSession, guest: Guest, vault_id: UUID, item_id: UUID) -> ItemRead:
    """A released record. Raises `NothingReleased`, `VaultNotFound`, `ItemNotFound`."""
    item = await vaults.read_released_item(session, await _scope(session, guest), vault_id, item_id)
    await _log(session, guest, "item", item_id, vault_id)
    return item


async def list_documents(
    session: AsyncSession, guest: Guest, vault_id: UUID, filters: vaults.Filters
) -> tuple[list[DocumentRead], UUID | None]:
    """One page of released documents. Raises `NothingReleased`, `VaultNotFound`."""
    found = await vaults.list_released_documents(session, await _scope(session, guest), vault_id, filters)
    await _log(session, guest, "documents", vault_id, vault_id)
    return found


async def read_document(session: AsyncSession, guest: Guest, vault_id: UUID, document_id: UUID) -> DocumentRead:
    """What is known of a released document. Raises `NothingReleased`, `VaultNotFound`, `DocumentNotFound`."""
    document = await vaults.read_released_document(session, await _scope(session, guest), vault_id, document_id)
    await _log(session, guest, "document", document_id, vault_id)
    return document


async def open_document(
    session: AsyncSession, guest: Guest, vault_id: UUID, document_id: UUID
) -> vaults.VersionContent:
    """The file of a released document. Raises `NothingReleased`, `VaultNotFound`, `DocumentNotFound`."""
    content = await vaults.open_released_document(session, await _scope(session, guest), vault_id, document_id)
    await _log(session, guest, "content", document_id, vault_id)
    return content


async def read_server_sheets(session: AsyncSession, guest: Guest) -> list[ServerSheet]:
    """The server's parts of the legacy keys of which the guest holds a sheet, if a released plan gives them.

    Raises `NothingReleased`.
    """
    given = cases.c.plan_id.in_(plans_for(guest.nominee_id)), OPEN_NOW, is_accepted(guest.nominee_id)
    statement = select(plans.c.id).join(cases, cases.c.plan_id == plans.c.id)
    async with acting_for(session, guest.owner):
        if await session.scalar(statement.where(*given, plans.c.gives_server_sheet)) is None:
            raise NothingReleased
        held = legacy_keys.c.user_id == guest.owner_id, legacy_keys.c.nominee_ids.contains([guest.nominee_id])
        keys = select(legacy_keys).where(*held).order_by(legacy_keys.c.id.desc())
        rows = (await session.execute(keys)).mappings().all()
        contents = await open_rows(session, legacy_keys, rows)
    await _log(session, guest, "server_sheet")
    pairs = zip(rows, contents, strict=True)
    return [ServerSheet(legacy_key_id=row["id"], words=content["server_sheet"]) for row, content in pairs]


async def list_reads(
    session: AsyncSession, principal: Principal, after: UUID | None, limit: int
) -> tuple[list[ReadRead], UUID | None]:
    """One page of what nominees of the principal have read, newest first; and where the next page continues."""
    mine = reads.c.user_id == principal.user_id, reads.c.id < (after or FIRST_PAGE)
    statement = select(reads).where(*mine).order_by(reads.c.id.desc()).limit(limit + 1)
    rows: Any = (await session.execute(statement)).mappings().all()
    shown = [ReadRead.model_validate(dict(row)) for row in rows[:limit]]
    return shown, shown[-1].id if len(rows) > limit else None
