"""Old versions of documents: one deleted, or all that a rule does not keep. The current version always stays."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth.principal import Principal
from app.db.blob_rows import blobs_of
from app.jobs.service import create_job
from app.vault.errors import VersionNotFound
from app.vault.file_errors import CurrentVersionStays
from app.vault.models import document_versions, documents
from app.vault.schemas.documents import PruneRule
from app.vault.service.documents import DELETE_BLOBS, writable_document

VERSIONS_AT_ONCE: Final = 200
OLD: Final = (
    select(document_versions.c.id, document_versions.c.document_id, document_versions.c.vault_id)
    .join(documents, documents.c.id == document_versions.c.document_id)
    .where(document_versions.c.id != documents.c.current_version_id)
)


async def delete_version(session: AsyncSession, principal: Principal, document_id: UUID, number: int) -> None:
    """Delete an old version with its file.

    Raises `DocumentNotFound`, `VersionNotFound`, `RoleTooLow`, `CurrentVersionStays`.
    """
    row = await writable_document(session, principal, document_id, None)
    if number == row["number"]:
        raise CurrentVersionStays
    this = document_versions.c.document_id == document_id, document_versions.c.number == number
    if not await _delete(session, (await session.execute(OLD.where(*this))).mappings().all(), principal):
        raise VersionNotFound


async def prune_versions(session: AsyncSession, principal: Principal, document_id: UUID, rule: PruneRule) -> list[int]:
    """Delete the old versions that a rule does not keep; returns their numbers.

    Raises `DocumentNotFound`, `RoleTooLow`.
    """
    await writable_document(session, principal, document_id, None)
    of_document = document_versions.c.document_id == document_id
    kept = select(document_versions.c.id).where(of_document).order_by(document_versions.c.number.desc())
    old = OLD.where(of_document, document_versions.c.id.not_in(kept.limit(rule.keep)))
    if rule.older_than_days:
        old = old.where(document_versions.c.created_at < func.now() - timedelta(days=rule.older_than_days))
    rows = (await session.execute(old)).mappings().all()
    return await _delete(session, rows, principal)


async def prune_all(session: AsyncSession, keep: int, now: datetime) -> int:
    """Delete versions that are not among the newest of their document; returns how many. For the system.

    A version of the last day stays: it may be the one that answers until the current one is read.
    """
    rank = func.row_number().over(
        partition_by=document_versions.c.document_id, order_by=document_versions.c.number.desc()
    )
    ranked = select(document_versions.c.id, rank.label("rank")).subquery()
    old = OLD.join(ranked, ranked.c.id == document_versions.c.id).where(ranked.c.rank > keep)
    old = old.where(document_versions.c.created_at < now - timedelta(days=1)).limit(VERSIONS_AT_ONCE)
    rows = (await session.execute(old)).mappings().all()
    return len(await _delete(session, rows, None))


async def _delete(session: AsyncSession, rows: Sequence[Any], principal: Principal | None) -> list[int]:
    """Delete versions; their files follow after the commit. Returns their numbers."""
    numbers: list[int] = []
    user_id = principal.user_id if principal else None
    documents_by_id = {row["id"]: row["document_id"] for row in rows}
    for vault_id in {row["vault_id"] for row in rows}:
        ids = [row["id"] for row in rows if row["vault_id"] == vault_id]
        names = await blobs_of(session, version_id=ids)
        columns = document_versions.c.id, document_versions.c.number, document_versions.c.blob_name
        gone = delete(document_versions).where(document_versions.c.id.in_(ids)).returning(*columns)
        for version_id, number, blob_name in (await session.execute(gone)).all():
            numbers.append(number)
            names.append(blob_name)
            subject = documents_by_id[version_id]
            await audit.record(session, principal, vault_id, "vault.document_version_deleted", subject, number=number)
        await create_job(session, DELETE_BLOBS, vault_id=vault_id, user_id=user_id, names=",".join(names))
    return sorted(numbers)
