"""Imports: what another program exported, kept sealed until a job has read it, then destroyed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.core.clock import new_id
from app.core.streams import SealedFile
from app.db.keys import KeyRing
from app.jobs.service import create_job
from app.vault.cells import open_body, ring_of, seal_body
from app.vault.errors import VaultNotFound
from app.vault.file_errors import ImportNotFound
from app.vault.importing.opening import Asked
from app.vault.models import members
from app.vault.models.files import OUTCOMES, import_entries, imports
from app.vault.policy import require, visible_vaults
from app.vault.schemas.imports import ImportCreate, ImportEntryRead, ImportRead
from app.vault.service.content import StoredFile
from app.vault.service.documents import DELETE_BLOBS
from app.vault.service.listing import FIRST_PAGE, Filters

IMPORT_JOB: Final = "vault.import"
ROWS_AT_ONCE: Final = 200
FIRST: Final = UUID(int=0)
LONGEST: Final = timedelta(days=1)
"""After this time a file whose job never came to its end is destroyed all the same."""
REPORT_KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Source:
    """The stored file of an import, and what was said of it."""

    file: SealedFile
    blob_name: str
    asked: Asked


async def create_import(
    session: AsyncSession, principal: Principal, data: ImportCreate, file: StoredFile
) -> ImportRead:
    """Queue the reading of a stored file into a vault. Raises `VaultNotFound`, `RoleTooLow`."""
    await require(session, principal, data.vault_id, "write")
    ring, import_id = await ring_of(session, data.vault_id), new_id()
    stored = {"file_id": str(file.version_id), "key": file.key.hex(), "size": file.size}
    asked = data.model_dump(include={"format", "password", "mapping", "record_type"})
    content = {"name": file.name, **stored, "chunk_bytes": file.chunk_bytes, "asked": asked}
    ids = {"vault_id": data.vault_id, "user_id": principal.user_id}
    values = {
        **ids,
        "id": import_id,
        "job_id": await create_job(session, IMPORT_JOB, subject_id=import_id, **ids),
        "blob_name": file.blob_name,
        "body": seal_body(ring, imports, import_id, content),
    }
    made = (await session.execute(insert(imports).values(values).returning(imports))).mappings().one()
    await audit.record(session, principal, data.vault_id, "vault.import_started", import_id)
    return _shown(made, content, {})


async def list_imports(
    session: AsyncSession, principal: Principal, filters: Filters
) -> tuple[list[ImportRead], UUID | None]:
    """One page of one's own imports, newest first; and the one that the next page continues after."""
    page = _visible(principal).where(imports.c.id < (filters.before or FIRST_PAGE)).order_by(imports.c.id.desc())
    rows = (await session.execute(page.limit(filters.limit + 1))).mappings().all()
    shown = [await _opened(session, row) for row in rows[: filters.limit]]
    return shown, shown[-1].id if len(rows) > filters.limit else None


async def read_import(session: AsyncSession, principal: Principal, import_id: UUID) -> ImportRead:
    """An import of one's own. Raises `ImportNotFound`."""
    return await _opened(session, await _mine(session, principal, import_id))


async def list_import_entries(
    session: AsyncSession, principal: Principal, import_id: UUID, filters: Filters, outcome: str | None
) -> tuple[list[ImportEntryRead], UUID | None]:
    """One page of what became of the entries, in the order of the file; and where the next page continues.

    Raises `ImportNotFound`.
    """
    row = await _mine(session, principal, import_id)
    mine = [import_entries.c.import_id == import_id, import_entries.c.id > (filters.before or FIRST)]
    if outcome:
        mine.append(import_entries.c.outcome == outcome)
    page = select(import_entries).where(*mine).order_by(import_entries.c.id).limit(filters.limit + 1)
    rows = (await session.execute(page)).mappings().all()
    ring = await ring_of(session, row["vault_id"], *(each["body"] for each in rows))
    shown = [_entry(ring, each) for each in rows[: filters.limit]]
    return shown, shown[-1].id if len(rows) > filters.limit else None


def _entry(ring: KeyRing, row: Any) -> ImportEntryRead:
    content = open_body(ring, import_entries, row["id"], row["body"])
    names = ("id", "ordinal", "outcome", "reason", "item_id", "document_id")
    return ImportEntryRead(title=content["title"], detail=content["detail"], **{name: row[name] for name in names})


def opened_source(ring: KeyRing, row: Any) -> Source:
    """The file of an import that has not ended, and what was said of it."""
    content = open_body(ring, imports, row["id"], row["body"])
    file = SealedFile(UUID(content["file_id"]), bytes.fromhex(content["key"]), content["size"], content["chunk_bytes"])
    return Source(file, row["blob_name"], Asked(**content["asked"]))


async def end_import(session: AsyncSession, row: Any) -> None:
    """Destroy the file, what opens it and its password; the report stays."""
    ring = await ring_of(session, row["vault_id"], row["body"])
    name = open_body(ring, imports, row["id"], row["body"])["name"]
    body = seal_body(ring, imports, row["id"], {"name": name})
    ended = update(imports).where(imports.c.id == row["id"], imports.c.blob_name.is_not(None))
    ended = ended.values(blob_name=None, body=body, finished_at=func.now()).returning(imports.c.id)
    if await session.scalar(ended) is not None:
        ids = {"subject_id": row["id"], "vault_id": row["vault_id"], "user_id": row["user_id"]}
        await create_job(session, DELETE_BLOBS, **ids, names=row["blob_name"])


async def purge_imports(session: AsyncSession, now: datetime) -> int:
    """Destroy files that no job has come to the end of in a day, and old reports; returns how many. For the system."""
    left = select(imports).where(imports.c.blob_name.is_not(None), imports.c.created_at < now - LONGEST)
    rows = (await session.execute(left.limit(ROWS_AT_ONCE).with_for_update(skip_locked=True))).mappings().all()
    for row in rows:
        await end_import(session, row)
    old = select(imports.c.id).where(imports.c.blob_name.is_(None), imports.c.created_at < now - REPORT_KEPT)
    gone = delete(imports).where(imports.c.id.in_(old.limit(ROWS_AT_ONCE))).returning(imports.c.id)
    return len(rows) + len((await session.scalars(gone)).all())


def _visible(principal: Principal) -> Any:
    readable = visible_vaults(principal.user_id).with_only_columns(members.c.vault_id)
    return select(imports).where(imports.c.user_id == principal.user_id, imports.c.vault_id.in_(readable))


async def _mine(session: AsyncSession, principal: Principal, import_id: UUID) -> Any:
    row = (await session.execute(_visible(principal).where(imports.c.id == import_id))).mappings().one_or_none()
    if row is None:
        raise ImportNotFound
    return row


async def _opened(session: AsyncSession, row: Any) -> ImportRead:
    try:
        ring = await ring_of(session, row["vault_id"], row["body"])
    except VaultNotFound:
        raise ImportNotFound from None
    counted = select(import_entries.c.outcome, func.count()).where(import_entries.c.import_id == row["id"])
    rows = await session.execute(counted.group_by(import_entries.c.outcome))
    counts = {outcome: int(number) for outcome, number in rows}
    return _shown(row, open_body(ring, imports, row["id"], row["body"]), counts)


def _shown(row: Any, content: Any, counts: dict[str, int]) -> ImportRead:
    names = ("id", "vault_id", "format", "job_id", "total", "created_at", "finished_at")
    return ImportRead(
        name=content["name"],
        **{name: counts.get(name, 0) for name in OUTCOMES},
        **{name: row[name] for name in names},
    )
