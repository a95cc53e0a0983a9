"""Tables of vaults, members, items and documents.

A row shows ids, kinds, states, times and sizes; what people wrote stands sealed in `body`, one JSON object. `key_id` is
read out of the sealed cell by the database and refers to the data key, so that no key can be destroyed that is in use,
and nothing can be written under one that was destroyed.
"""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NAMES_BLOB, SEALED_BY, Base, Body, CreatedAt, Id, KeyId

IN_TRASH = text("trashed_at IS NOT NULL")

Digests = Annotated[list[bytes], mapped_column(ARRAY(LargeBinary), server_default=text("'{}'"))]


class Vault(Base):
    """A vault; `body` holds its name."""

    __tablename__ = "vaults"
    __table_args__ = (
        CheckConstraint("kind IN ('personal', 'family')", name="kind"),
        CheckConstraint("tier = 'assisted'", name="tier"),
        Index("ix_vaults_trash", "trashed_at", postgresql_where=IN_TRASH),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    tier: Mapped[str]
    body: Mapped[bytes] = mapped_column(info={SEALED_BY: "id"})
    key_id: Mapped[KeyId]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    trashed_at: Mapped[datetime | None]
    purging_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class VaultMember(Base):
    """A person's role in a vault; `body` holds name and e-mail, for the other members to see."""

    __tablename__ = "vault_members"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'editor', 'viewer')", name="role"),
        UniqueConstraint("vault_id", "user_id"),
        Index("uq_vault_members_owner", "vault_id", unique=True, postgresql_where=text("role = 'owner'")),
        Index("ix_vault_members_user_id", "user_id", postgresql_include=["vault_id", "role"]),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id"))
    role: Mapped[str]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class VaultInvitation(Base):
    """An open invitation; `body` holds the e-mail address and who invited, the token is stored as its digest."""

    __tablename__ = "vault_invitations"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'editor', 'viewer')", name="role"),
        UniqueConstraint("token_digest"),
        UniqueConstraint("vault_id", "email_digest"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    role: Mapped[str]
    token_digest: Mapped[bytes]
    email_digest: Mapped[bytes]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    invited_by: Mapped[UUID]
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class VaultItem(Base):
    """A record; `body` holds title, fields, notes and tags, `tag_digests` lets a tag be looked for within the vault."""

    __tablename__ = "vault_items"
    __table_args__ = (
        Index("ix_vault_items_page", "vault_id", "id"),
        Index("ix_vault_items_trash", "trashed_at", postgresql_where=IN_TRASH),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    type: Mapped[str]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    tag_digests: Mapped[Digests]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    written_by: Mapped[UUID]
    trashed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class VaultItemVersion(Base):
    """What an item was before it was changed: the body of one superseded revision, sealed again for this row."""

    __tablename__ = "vault_item_versions"
    __table_args__ = (UniqueConstraint("item_id", "revision"), Index(None, "vault_id"))

    id: Mapped[Id]
    vault_id: Mapped[UUID]
    item_id: Mapped[UUID] = mapped_column(ForeignKey("vault_items.id", ondelete="CASCADE"))
    revision: Mapped[int]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    written_by: Mapped[UUID]
    written_at: Mapped[datetime]


class VaultDocument(Base):
    """A document; `body` holds title and tags, the file is that of its current version."""

    __tablename__ = "vault_documents"
    __table_args__ = (
        Index("ix_vault_documents_page", "vault_id", "id"),
        Index("ix_vault_documents_trash", "trashed_at", postgresql_where=IN_TRASH),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    current_version_id: Mapped[UUID]  # no foreign key: the version refers to its document, and both come at once
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    tag_digests: Mapped[Digests]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    written_by: Mapped[UUID]
    trashed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class VaultDocumentVersion(Base):
    """One file of a document; `body` holds the file's key, name and SHA-256, `content_digest` finds equal files."""

    __tablename__ = "vault_document_versions"
    __table_args__ = (
        CheckConstraint("size > 0", name="size"),
        UniqueConstraint("document_id", "number"),
        UniqueConstraint("blob_name"),
        Index("ix_vault_document_versions_digest", "vault_id", "content_digest"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID]
    document_id: Mapped[UUID] = mapped_column(ForeignKey("vault_documents.id", ondelete="CASCADE"))
    number: Mapped[int]
    job_id: Mapped[UUID]
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    chunk_bytes: Mapped[int]
    blob_name: Mapped[str] = mapped_column(info={NAMES_BLOB: True})
    content_digest: Mapped[bytes]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    written_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]


vaults = cast(Table, Vault.__table__)
members = cast(Table, VaultMember.__table__)
invitations = cast(Table, VaultInvitation.__table__)
items = cast(Table, VaultItem.__table__)
item_versions = cast(Table, VaultItemVersion.__table__)
documents = cast(Table, VaultDocument.__table__)
document_versions = cast(Table, VaultDocumentVersion.__table__)
