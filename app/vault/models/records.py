"""Tables around records: types that people made, favourites, links, and shares with people outside."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Body, CreatedAt, Id, KeyId

OfVault = Annotated[UUID, mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))]
OfUser = Annotated[UUID, mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))]
AnItem = Annotated[UUID | None, mapped_column(ForeignKey("vault_items.id", ondelete="CASCADE"))]
ADocument = Annotated[UUID | None, mapped_column(ForeignKey("vault_documents.id", ondelete="CASCADE"))]
AVersion = Annotated[UUID | None, mapped_column(ForeignKey("vault_document_versions.id", ondelete="CASCADE"))]

ENDS = ("source_item_id", "source_document_id", "target_item_id", "target_document_id")


class VaultType(Base):
    """A record type that people made for a vault; `body` holds its definition."""

    __tablename__ = "vault_types"
    __table_args__ = (UniqueConstraint("vault_id", "id"),)

    id: Mapped[Id]
    vault_id: Mapped[OfVault]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    written_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class VaultFavourite(Base):
    """A record that a person wants at hand; nobody else sees it."""

    __tablename__ = "vault_favourites"
    __table_args__ = (Index(None, "item_id"),)

    user_id: Mapped[OfUser] = mapped_column(primary_key=True)
    item_id: Mapped[UUID] = mapped_column(ForeignKey("vault_items.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[CreatedAt]


class VaultLink(Base):
    """A relation between two records or documents, of one vault or of two; `body` holds its label.

    It belongs to the vault of one of its ends, whose members may take it away, and goes with either end.
    """

    __tablename__ = "vault_links"
    __table_args__ = (
        CheckConstraint("num_nonnulls(source_item_id, source_document_id) = 1", name="source"),
        CheckConstraint("num_nonnulls(target_item_id, target_document_id) = 1", name="target"),
        Index("uq_vault_links_ends", *ENDS, "relation", unique=True, postgresql_nulls_not_distinct=True),
        Index(None, "source_document_id"),
        Index(None, "target_item_id"),
        Index(None, "target_document_id"),
        Index(None, "vault_id"),
    )

    id: Mapped[Id]
    vault_id: Mapped[OfVault]
    source_item_id: Mapped[AnItem]
    source_document_id: Mapped[ADocument]
    target_item_id: Mapped[AnItem]
    target_document_id: Mapped[ADocument]
    relation: Mapped[str]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    written_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]


class VaultShare(Base):
    """A link for people outside to one record or one file; `body` holds its name and the hash of its password.

    It opens as long as the person who made it may share what it is about.
    """

    __tablename__ = "vault_shares"
    __table_args__ = (
        CheckConstraint("num_nonnulls(item_id, version_id) = 1", name="subject"),
        CheckConstraint("views >= 0 AND views <= coalesce(max_views, views)", name="views"),
        UniqueConstraint("token_digest"),
        Index("ix_vault_shares_page", "user_id", "id"),
        Index(None, "vault_id"),
        Index(None, "item_id"),
        Index(None, "version_id"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    vault_id: Mapped[OfVault]
    user_id: Mapped[OfUser]
    item_id: Mapped[AnItem]
    version_id: Mapped[AVersion]
    token_digest: Mapped[bytes]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    max_views: Mapped[int | None]
    views: Mapped[int] = mapped_column(server_default=text("0"))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    viewed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class VaultShareView(Base):
    """One time that a share was opened, or a wrong password was given; `body` holds the kind of device.

    The ticket lets the file that was shown be downloaded for a while.
    """

    __tablename__ = "vault_share_views"
    __table_args__ = (
        CheckConstraint("outcome IN ('opened', 'refused')", name="outcome"),
        UniqueConstraint("ticket_digest"),
        Index("ix_vault_share_views_page", "share_id", "id"),
        Index(None, "vault_id"),
    )

    id: Mapped[Id]
    share_id: Mapped[UUID] = mapped_column(ForeignKey("vault_shares.id", ondelete="CASCADE"))
    vault_id: Mapped[UUID]
    outcome: Mapped[str]
    ticket_digest: Mapped[bytes | None]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]
