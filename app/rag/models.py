"""What reading leaves behind: pages, vectors on their way, and one sealed index shard for each document."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NAMES_BLOB, Base, Body, CreatedAt, Id, KeyId

PAGE, VECTORS, FIELDS = "page", "vectors", "fields"


class Artifact(Base):
    """The result of one step of reading, sealed: a page of text, its fields, or vectors until the shard is made."""

    __tablename__ = "rag_artifacts"
    __table_args__ = (
        UniqueConstraint("version_id", "stage", "ordinal", "pipeline", name="uq_rag_artifacts_step"),
        CheckConstraint("stage IN ('page', 'vectors', 'fields')", name="stage"),
        Index(None, "vault_id"),
    )

    id: Mapped[Id]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("vault_document_versions.id", ondelete="CASCADE"))
    vault_id: Mapped[UUID]
    stage: Mapped[str]
    ordinal: Mapped[int]
    pipeline: Mapped[str]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class ShardRow(Base):
    """The published index of a document; `id` is the document version, so that the seal binds it to that."""

    __tablename__ = "rag_shards"
    __table_args__ = (UniqueConstraint("document_id"), Index(None, "vault_id"))

    id: Mapped[UUID] = mapped_column(ForeignKey("vault_document_versions.id", ondelete="CASCADE"), primary_key=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("vault_documents.id", ondelete="CASCADE"))
    vault_id: Mapped[UUID]
    revision: Mapped[UUID]
    pipeline: Mapped[str]
    model_id: Mapped[str | None]
    pages: Mapped[int]
    chunks: Mapped[int]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class VectorChoice(Base):
    """The owner of a vault wants PostgreSQL to compare its vectors, in clear."""

    __tablename__ = "rag_vector_choices"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[CreatedAt]


class VectorSet(Base):
    """The vectors of the index with this revision stand in PostgreSQL (see `pgvector.table`); they go with this row.

    So does this row with the choice, and by a trigger when the index gets another revision or vault.
    """

    __tablename__ = "rag_vector_sets"
    __table_args__ = (UniqueConstraint("version_id"), Index(None, "vault_id"))

    revision: Mapped[UUID] = mapped_column(primary_key=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("rag_shards.id", ondelete="CASCADE"))
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("rag_vector_choices.vault_id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]


class Preview(Base):
    """A kept picture of a page; `body` holds the key of the blob, and what the picture is."""

    __tablename__ = "rag_previews"
    __table_args__ = (
        UniqueConstraint("version_id", "page", "width", name="uq_rag_previews_picture"),
        UniqueConstraint("blob_name"),
        Index(None, "vault_id"),
        Index(None, "document_id"),
        Index(None, "created_at"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID]
    document_id: Mapped[UUID]
    version_id: Mapped[UUID] = mapped_column(ForeignKey("vault_document_versions.id", ondelete="CASCADE"))
    page: Mapped[int]
    width: Mapped[int]
    blob_name: Mapped[str] = mapped_column(info={NAMES_BLOB: True})
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]
