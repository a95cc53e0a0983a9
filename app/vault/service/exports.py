"""Exports: what people take with them, written by a job, kept sealed for a day, given to nobody but them.

They are asked for and fetched by a person who has just proved who they are, and only while that person can read every
vault that is in them.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import service as auth
from app.auth.principal import Principal
from app.core.age import NoRecipient, recipient_key
from app.core.blobs import BlobMissing
from app.core.clock import new_id
from app.core.crypto import SealBroken
from app.core.streams import SealedFile, open_range
from app.db.acting import acting_for
from app.db.keys import KeyRing
from app.db.outbox import emit
from app.db.runtime import current
from app.db.session import Actor, session_scope
from app.jobs.service import create_job
from app.vault.errors import ContentDamaged, VaultNotFound
from app.vault.file_errors import ExportNotFound, ExportNotReady, InvalidRecipient
from app.vault.models import members, vaults
from app.vault.models.files import exports
from app.vault.policy import SEALED, require_vaults, visible_vaults
from app.vault.schemas.exports import ExportCreate, ExportRead, Recipient
from app.vault.service.documents import DELETE_BLOBS
from app.vault.service.listing import FIRST_PAGE, Filters
from app.vault.service.room import require_below

EXPORT_JOB: Final = "vault.export"
ROWS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class ExportContent:
    """A file that is ready to be fetched."""

    name: str
    media_type: str
    size: int
    sha256: str
    file: SealedFile
    blob_name: str
    vault_ids: Sequence[UUID]

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The plaintext bytes [start, end). Raises `ContentDamaged`."""

        async def fetch(begin: int, stop: int) -> bytes:
            return await current().blobs.get(self.blob_name, begin, stop)

        try:
            async for chunk in open_range(self.file, fetch, start, self.size if end is None else end):
                yield chunk
        except (SealBroken, BlobMissing):
            raise ContentDamaged from None


async def create_export(session: AsyncSession, principal: Principal, data: ExportCreate) -> ExportRead:
    """Queue the writing of an export.

    Raises `SessionNeeded`, `StepUpRequired`, `VaultNotFound`, `LimitReached`, `InvalidRecipient`. Emits
    `vault.export_requested`.
    """
    await auth.require_recent(session, principal)
    vault_ids = await _vaults_to_take(session, principal, data)
    if isinstance(data.protection, Recipient):
        try:
            recipient_key(data.protection.recipient)
        except NoRecipient:
            raise InvalidRecipient from None
    mine = exports.c.user_id == principal.user_id, exports.c.expires_at > func.now()
    held, settings = select(func.count()).select_from(exports).where(*mine), current().settings
    await require_below(session, held, settings.exports_per_user, principal.user_id, "Delete some of your exports")
    ring, export_id = await current().keys.ring(session, principal.user_id), new_id()
    content = {"protection": data.protection.model_dump() if data.protection else None}
    values = {
        "id": export_id,
        "user_id": principal.user_id,
        "vault_ids": vault_ids,
        "job_id": await create_job(session, EXPORT_JOB, subject_id=export_id, user_id=principal.user_id),
        "format": data.format,
        "body": sealed(ring, export_id, content),
        "expires_at": func.now() + timedelta(seconds=settings.export_seconds),
    }
    made = (await session.execute(insert(exports).values(values).returning(exports))).mappings().one()
    await _record(session, principal, vault_ids, "vault.export_requested", export_id)
    await emit(session, "vault.export_requested", export_id=export_id, user_id=principal.user_id)
    return _shown(made, content)


async def record_export_download(
    session: AsyncSession, principal: Principal, export_id: UUID, content: ExportContent, *, whole: bool
) -> None:
    """Write into the logs of the vaults that somebody takes an export; range by range it is mentioned now and then."""
    action = "vault.export_downloaded"
    await _record(session, principal, content.vault_ids, action, export_id, lately=not whole)


async def _record(
    session: AsyncSession,
    principal: Principal,
    vault_ids: Sequence[UUID],
    action: str,
    export_id: UUID,
    *,
    lately: bool = False,
) -> None:
    for vault_id in sorted(vault_ids):
        async with acting_for(session, Actor.vault(vault_id)):  # a viewer can't look into the log
            write = audit.record_lately if lately else audit.record
            await write(session, principal, vault_id, action, export_id)


async def _vaults_to_take(session: AsyncSession, principal: Principal, data: ExportCreate) -> list[UUID]:
    """Those that are asked for, the oldest first. Raises `VaultNotFound`, `VaultSealed`.

    Sealed ones go along as they are where that is possible.
    """
    any_tier = data.format == "lifevault"
    if data.vault_ids is not None:
        await require_vaults(session, principal, data.vault_ids, any_tier=any_tier)
        return sorted(set(data.vault_ids))
    visible = visible_vaults(principal.user_id).with_only_columns(members.c.vault_id)
    visible = visible if any_tier else visible.where(vaults.c.tier != SEALED)
    return sorted((await session.scalars(visible)).all())


async def list_exports(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[ExportRead], UUID | None]:
    """One page of one's own exports, newest first; and the one that the next page continues after."""
    mine = exports.c.user_id == principal.user_id, exports.c.expires_at > func.now()
    page = select(exports).where(*mine, exports.c.id < (filters.before or FIRST_PAGE)).order_by(exports.c.id.desc())
    rows = (await session.execute(page.limit(filters.limit + 1))).mappings().all()
    ring = await current().keys.ring(session, principal.user_id, *(row["body"] for row in rows))
    shown = [_shown(row, opened(ring, row)) for row in rows[: filters.limit]]
    return shown, shown[-1].id if len(rows) > filters.limit else None


async def read_export(session: AsyncSession, principal: Principal, export_id: UUID) -> ExportRead:
    """An export of one's own. Raises `ExportNotFound`."""
    row = await _mine(session, principal, export_id)
    return _shown(row, opened(await current().keys.ring(session, principal.user_id, row["body"]), row))


async def open_export(session: AsyncSession, principal: Principal, export_id: UUID) -> ExportContent:
    """The file of an export. Raises `SessionNeeded`, `StepUpRequired`, `ExportNotFound`, `ExportNotReady`."""
    await auth.require_recent(session, principal)
    row = await _mine(session, principal, export_id)
    if row["blob_name"] is None:
        raise ExportNotReady
    about = opened(await current().keys.ring(session, principal.user_id, row["body"]), row)
    file = SealedFile(row["id"], bytes.fromhex(about["key"]), about["size"], about["chunk_bytes"])
    described = {name: about[name] for name in ("name", "media_type", "size", "sha256")}
    return ExportContent(**described, file=file, blob_name=row["blob_name"], vault_ids=row["vault_ids"])


async def delete_export(session: AsyncSession, principal: Principal, export_id: UUID) -> None:
    """Destroy an export before its time. Raises `ExportNotFound`."""
    row = await _mine(session, principal, export_id, all_vaults=False)
    await _destroy(session, [row])


async def purge_exports(session: AsyncSession, now: datetime) -> int:
    """Destroy what has expired; returns how many. For the system."""
    due = select(exports).where(exports.c.expires_at < now).limit(ROWS_AT_ONCE).with_for_update(skip_locked=True)
    rows = (await session.execute(due)).mappings().all()
    await _destroy(session, rows)
    return len(rows)


async def forget_exports(vault_id: UUID) -> int:
    """Destroy every export that holds what lay in a vault which is no more; returns how many."""
    async with session_scope() as session:
        holding = select(exports).where(exports.c.vault_ids.contains([vault_id]))
        rows = (await session.execute(holding)).mappings().all()
        await _destroy(session, rows)
    return len(rows)


async def _destroy(session: AsyncSession, rows: Any) -> None:
    """The key goes with the row; the file, which nobody can open then, follows after the commit."""
    await session.execute(delete(exports).where(exports.c.id.in_([row["id"] for row in rows])))
    for row in rows:
        if row["blob_name"]:
            ids = {"subject_id": row["id"], "user_id": row["user_id"]}
            await create_job(session, DELETE_BLOBS, **ids, names=row["blob_name"])


async def _mine(session: AsyncSession, principal: Principal, export_id: UUID, *, all_vaults: bool = True) -> Any:
    """The row of an export whose vaults its person can still read. Raises `ExportNotFound`."""
    mine = exports.c.id == export_id, exports.c.user_id == principal.user_id, exports.c.expires_at > func.now()
    row = (await session.execute(select(exports).where(*mine))).mappings().one_or_none()
    if row is None:
        raise ExportNotFound
    if all_vaults and row["vault_ids"]:
        try:
            await require_vaults(session, principal, row["vault_ids"], any_tier=True)
        except VaultNotFound:
            raise ExportNotFound from None
    return row


def sealed(ring: KeyRing, export_id: UUID, content: dict[str, Any]) -> bytes:
    """The `body` of a row."""
    return ring.seal("vault_exports", export_id, "body", orjson.dumps(content))


def opened(ring: KeyRing, row: Any) -> Any:
    """What stands in the `body` of a row. Raises `ContentDamaged`."""
    try:
        return orjson.loads(ring.open("vault_exports", row["id"], "body", row["body"]))
    except SealBroken:
        raise ContentDamaged from None


def _shown(row: Any, about: dict[str, Any]) -> ExportRead:
    return ExportRead(
        id=row["id"],
        format=row["format"],
        vault_ids=row["vault_ids"],
        job_id=row["job_id"],
        ready=row["blob_name"] is not None,
        name=about.get("name"),
        size=about.get("size"),
        sha256=about.get("sha256"),
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
