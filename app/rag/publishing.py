"""Putting a new index in the place of the old one."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import new_id
from app.db.outbox import emit
from app.db.runtime import current
from app.db.turns import take_turns
from app.jobs.service import JobRun
from app.rag.document import Source
from app.rag.models import Artifact, ShardRow
from app.rag.pipelines import PIPELINE
from app.rag.serving import HAS_FIELDS, SERVES
from app.vault import service as vaults
from app.vault.service import VersionContent

RENEWAL = "renewal"
"""In the payload of a job that is only about an index made by an earlier pipeline or another embedder."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index, not sealed yet, and what is told about it."""

    source: Source
    shard: bytes
    model_id: str | None
    pages: int
    chunks: int


class Outdated(Exception):
    """The document has a newer version, or another title, than the index was made for."""


async def what_is_wanted(
    session: AsyncSession, run: JobRun, content: VersionContent, model_id: str | None
) -> Literal["index", "fields", "nothing"]:
    """What to make of this version, if it is the one that counts; a renewal makes only what was not made already."""
    if await vaults.current_version_id(session, content.document_id) != content.version_id:
        return "nothing"
    if RENEWAL not in run.payload:
        return "index"
    made = ShardRow.pipeline == PIPELINE, ShardRow.model_id.is_not_distinct_from(model_id)
    has_fields = await session.scalar(select(HAS_FIELDS).where(ShardRow.id == content.version_id, *made))
    return "index" if has_fields is None else "nothing" if has_fields else "fields"


async def publish(session: AsyncSession, index: Index) -> None:
    """Publish an index and drop what only earlier versions, pipelines or tries needed; one at a time for a document.

    Raises `Outdated`; the transaction must not be committed then. Emits `rag.document_indexed` with `document_id`.
    """
    source = index.source
    await take_turns(session, str(source.document_id))
    ring = await current().keys.ring(session, source.vault_id)
    values = {
        "id": source.version_id,
        "vault_id": source.vault_id,
        "revision": new_id(),
        "pipeline": PIPELINE,
        "model_id": index.model_id,
        "pages": index.pages,
        "chunks": index.chunks,
        "body": ring.seal("rag_shards", source.version_id, "body", index.shard),
    }
    statement = insert(ShardRow).values(document_id=source.document_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["document_id"], set_=values))
    await _check(session, source)
    versions = vaults.version_ids(source.document_id)
    await session.execute(delete(Artifact).where(Artifact.version_id.in_(versions), ~SERVES))
    await emit(session, "rag.document_indexed", document_id=source.document_id)


async def _check(session: AsyncSession, source: Source) -> None:
    present = await vaults.open_version(session, source.version_id)
    version_id: UUID | None = await vaults.current_version_id(session, source.document_id)
    if version_id != source.version_id or present.title != source.title:
        raise Outdated
