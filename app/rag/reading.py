"""The fields of documents, for whoever compares them with something."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.principal import Principal
from app.db.runtime import current
from app.rag.fields.shapes import Field, decode
from app.rag.models import Artifact, ShardRow
from app.rag.serving import CONTENTS, IS_FIELDS
from app.vault import service as vaults


@dataclass(frozen=True, slots=True)
class DocumentFields:
    """A document with its fields, in its order."""

    document_id: UUID
    version_id: UUID
    title: str
    fields: tuple[Field, ...]


async def fields_of(
    session: AsyncSession, principal: Principal, document_ids: Sequence[UUID]
) -> dict[UUID, DocumentFields]:
    """The fields of these documents, of those that the principal may read and that have been read."""
    if not document_ids:
        return {}
    visible = vaults.visible_document_versions(principal, None).subquery()
    statement = (
        select(ShardRow.document_id, Artifact.version_id, Artifact.vault_id)
        .add_columns(Artifact.id, Artifact.ordinal, Artifact.body)
        .join(ShardRow, (ShardRow.id == Artifact.version_id) & IS_FIELDS)
        .join(visible, visible.c.document_id == ShardRow.document_id)
        .where(ShardRow.document_id.in_(document_ids))
        .order_by(Artifact.version_id, Artifact.ordinal)
    )
    found: dict[tuple[UUID, UUID], list[Field]] = defaultdict(list)
    for row in (await session.execute(statement)).all():
        fields = found[row.document_id, row.version_id]
        if row.ordinal != CONTENTS:
            ring = await current().keys.ring(session, row.vault_id, row.body)
            fields += decode(row.ordinal, ring.open("rag_artifacts", row.id, "body", row.body))
    titles = await vaults.document_titles(session, [document_id for document_id, _ in found])
    return {
        document_id: DocumentFields(document_id, version_id, titles[document_id], tuple(fields))
        for (document_id, version_id), fields in found.items()
        if document_id in titles
    }
