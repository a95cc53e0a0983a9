"""Proposals to file a document as a record."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Body, CreatedAt, Id, KeyId

OPEN: Final = "open"
ACCEPTED: Final = "accepted"
DISMISSED: Final = "dismissed"
STATES: Final = (OPEN, ACCEPTED, DISMISSED)


class Intake(Base):
    """One proposal for each version of a document; `body` holds what is proposed, sealed for the vault.

    `item_id` is the record that accepting it has made, or the one made of an earlier version, which it would change.
    """

    __tablename__ = "agent_intakes"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        UniqueConstraint("version_id"),
        Index("ix_agent_intakes_page", "vault_id", "id"),
        Index("ix_agent_intakes_open", "document_id", unique=True, postgresql_where=text("state = 'open'")),
        Index(None, "item_id"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    document_id: Mapped[UUID] = mapped_column(ForeignKey("vault_documents.id", ondelete="CASCADE"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("vault_document_versions.id", ondelete="CASCADE"))
    item_id: Mapped[UUID | None]  # no foreign key: the row belongs to the document's vault, whereto the record moves
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
