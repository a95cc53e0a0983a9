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
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NAMES_BLOB, SEALED_BY, Base, Body, CreatedAt, Id, KeyId
from app.vault.models import files as files
from app.vault.models.records import VaultFavourite, VaultLink, VaultShare, VaultShareView, VaultType

IN_TRASH = text("trashed_at IS NOT NULL")

Digests = Annotated[list[bytes], mapped_column(ARRAY(LargeBinary), server_default=text("'{}'"))]


class Vault(Base):
    """A vault; `body` holds its name."""

    __tablename__ = "vaults"
    __table_args__ = (
        CheckConstraint("kind IN ('personal', 'family')", name="kind"),
        CheckConstraint("tier IN ('assisted', 'sealed')", name="tier"),
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


class VaultTransfer(Base):
    """An open offer of the owner to hand the vault over to a member; it goes when one of them leaves."""

    __tablename__ = "vault_transfers"
    __table_args__ = (
        UniqueConstraint("vault_id"),
        Index(None, "to_user"),
        *(
            ForeignKeyConstraint(
                ["vault_id", column],
                ["vault_members.vault_id", "vault_members.user_id"],
                name=f"fk_vault_transfers_{column}",
                ondelete="CASCADE",
            )
            for column in ("from_user", "to_user")
        ),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID]
    from_user: Mapped[UUID]
    to_user: Mapped[UUID]
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class VaultItem(Base):
    """A record; `body` holds title, fields, notes and tags, `tag_digests` lets a tag be looked for within the vault.

    `type_id` is the id in the `type` of a record of a type that people made: a type of the same vault, which can't be
    deleted while it is used.
    """

    __tablename__ = "vault_items"
    __table_args__ = (
        CheckConstraint("coalesce(type = 'custom:' || type_id::text, left(type, 7) <> 'custom:')", name="type"),
        ForeignKeyConstraint(["vault_id", "type_id"], ["vault_types.vault_id", "vault_types.id"]),
        Index("ix_vault_items_type_id", "type_id", postgresql_where=text("type_id IS NOT NULL")),
        Index("ix_vault_items_page", "vault_id", "id"),
        Index("ix_vault_items_trash", "trashed_at", postgresql_where=IN_TRASH),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    type: Mapped[str]
    type_id: Mapped[UUID | None]
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


class VaultChange(Base):
    """The last that happened to one thing in a vault, noted by triggers (see `app.db.changes`).

    What is of one person alone has their `user_id`, and it as `vault_id`, too.
    """

    __tablename__ = "vault_changes"
    __table_args__ = (
        Index("ix_vault_changes_order", "vault_id", "xid", "number"),
        Index("ix_vault_changes_access", "subject_id", "xid", "number", postgresql_where=text("kind = 'access'")),
        Index("ix_vault_changes_own", "user_id", "xid", "number", postgresql_where=text("user_id IS NOT NULL")),
        Index("ix_vault_changes_xid", "xid"),
        Index("ix_vault_changes_gone", "at", postgresql_where=text("change IN ('purged', 'removed')")),
    )

    vault_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None]
    change: Mapped[str]
    revision: Mapped[int | None]
    xid: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]


class VaultChangeState(Base):
    """One row: where and since when cursors of the feed are good, and up to which transaction nothing is known."""

    __tablename__ = "vault_change_state"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(BigInteger)
    place: Mapped[str]
    horizon: Mapped[int] = mapped_column(BigInteger)


vaults = cast(Table, Vault.__table__)
members = cast(Table, VaultMember.__table__)
invitations = cast(Table, VaultInvitation.__table__)
transfers = cast(Table, VaultTransfer.__table__)
items = cast(Table, VaultItem.__table__)
item_versions = cast(Table, VaultItemVersion.__table__)
documents = cast(Table, VaultDocument.__table__)
document_versions = cast(Table, VaultDocumentVersion.__table__)
types = cast(Table, VaultType.__table__)
favourites = cast(Table, VaultFavourite.__table__)
links = cast(Table, VaultLink.__table__)
shares = cast(Table, VaultShare.__table__)
share_views = cast(Table, VaultShareView.__table__)
changes = cast(Table, VaultChange.__table__)
change_state = cast(Table, VaultChangeState.__table__)
