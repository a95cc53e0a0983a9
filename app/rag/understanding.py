"""What a document is, for whoever files it: its type, its fields, its first words. No model, no network."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.runtime import current
from app.rag.fields.shapes import Field, decode
from app.rag.models import FIELDS, PAGE, Artifact, ShardRow
from app.rag.old_shard import open_shard
from app.rag.serving import CONTENTS, IS_FIELDS, IS_PAGE
from app.rag.shelving import open_shelves
from app.rag.types.classifier import FIRST_VECTORS, TypeGuess, guess_type
from app.rag.types.known import MODEL_ID, Vectors, mean_vector
from app.vault import service as vaults

FIRST_PAGES = 3


@dataclass(frozen=True, slots=True)
class Understanding:
    """A document version that has been read; `text` is that of its first pages."""

    document_id: UUID
    version_id: UUID
    vault_id: UUID
    title: str
    text: str
    fields: tuple[Field, ...]
    guess: TypeGuess


async def understand(session: AsyncSession, document_id: UUID, among: Collection[str]) -> Understanding | None:
    """What is known of the version that is searched, for whoever may see its rows: a job acts for its vault.

    `among` are the types that may be guessed. None if the document has not been read. Raises `DocumentNotFound`.
    """
    shard = await session.scalar(select(ShardRow).where(ShardRow.document_id == document_id))
    if shard is None:
        return None
    title = (await vaults.open_version(session, shard.id)).title
    rows = await _rows(session, shard.id)
    ring = await current().keys.ring(session, shard.vault_id, shard.body, *(row.body for row in rows))
    cells = [(row, ring.open("rag_artifacts", row.id, "body", row.body)) for row in rows]
    text = "\n".join(cell.decode() for row, cell in cells if row.stage == PAGE)
    fields = [field for row, cell in cells if row.stage == FIELDS for field in decode(row.ordinal, cell)]
    index = open_shard(ring, shard.id, shard.body)
    guess = await asyncio.to_thread(_guess, title, text, fields, index, shard.model_id, among)
    return Understanding(document_id, shard.id, shard.vault_id, title, text, tuple(fields), guess)


async def vault_of(session: AsyncSession, document_id: UUID) -> UUID | None:
    """The vault of a document that has been read."""
    found: UUID | None = await session.scalar(select(ShardRow.vault_id).where(ShardRow.document_id == document_id))
    return found


async def _rows(session: AsyncSession, version_id: UUID) -> Sequence[Any]:
    """The first pages, and the fields of every page, in order."""
    first = IS_PAGE & (Artifact.ordinal <= FIRST_PAGES)
    statement = (
        select(Artifact.id, Artifact.stage, Artifact.ordinal, Artifact.body)
        .join(ShardRow, (ShardRow.id == Artifact.version_id) & (first | IS_FIELDS))
        .where(Artifact.version_id == version_id, Artifact.ordinal != CONTENTS)
    )
    return (await session.execute(statement.order_by(Artifact.ordinal))).all()


def _guess(
    title: str, text: str, fields: Sequence[Field], index: bytes, model_id: str | None, among: Collection[str]
) -> TypeGuess:
    early = [field for field in fields if field.page <= FIRST_PAGES]
    return guess_type(title, text, early, _vector(index) if model_id == MODEL_ID else None, among)


def _vector(index: bytes) -> Vectors | None:
    (shelf,) = open_shelves([index])
    return mean_vector(shelf.first_vectors(0, FIRST_VECTORS)) if len(shelf) and shelf.rows else None
