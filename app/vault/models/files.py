"""Tables of what is on its way into vaults or out of them: uploads, imports, exports.

As everywhere, what people wrote stands sealed in `body`; what is kept of a file until it is where it belongs stands in
blobs whose keys are sealed in the rows that name them.
"""

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from app.db.base import NAMES_BLOB, SEALED_BY, Base, Body, CreatedAt, Id, KeyId

FORMATS = ("bitwarden_json", "bitwarden_zip", "onepux", "csv", "lifevault")
EXPORT_FORMATS = ("lifevault", "bitwarden")
OUTCOMES = ("imported", "duplicate", "refused")


class VaultUpload(Base):
    """A file that arrives in parts (tus); `body` holds its name, title and tags, and what the client said of it.

    `received` bytes are stored in parts. Once the file is a version of a document, its parts are gone.
    """

    __tablename__ = "vault_uploads"
    __table_args__ = (
        CheckConstraint("length > 0 AND received BETWEEN 0 AND length", name="received"),
        Index(None, "vault_id"),
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    target_id: Mapped[UUID | None]  # the document that gets a new version; a new document without it
    length: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    document_id: Mapped[UUID | None]
    version_id: Mapped[UUID | None]
    job_id: Mapped[UUID | None]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class VaultUploadPart(Base):
    """Bytes of an upload from `start` on; `body` holds the key of the blob."""

    __tablename__ = "vault_upload_parts"
    __table_args__ = (
        UniqueConstraint("upload_id", "start"),
        UniqueConstraint("blob_name"),
        Index(None, "vault_id"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID]
    upload_id: Mapped[UUID] = mapped_column(ForeignKey("vault_uploads.id", ondelete="CASCADE"))
    start: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger)
    blob_name: Mapped[str] = mapped_column(info={NAMES_BLOB: True})
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class VaultImport(Base):
    """What another program exported, on its way into a vault; `body` holds the key of the file and how to read it.

    The blob is destroyed when the import ends, and with it what opens it.
    """

    __tablename__ = "vault_imports"
    __table_args__ = (
        CheckConstraint(f"format IS NULL OR format IN {FORMATS}", name="format"),
        Index("ix_vault_imports_page", "user_id", "id"),
        Index(None, "vault_id"),
        Index("ix_vault_imports_kept", "created_at", postgresql_where=text("blob_name IS NOT NULL")),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    job_id: Mapped[UUID]
    format: Mapped[str | None]
    total: Mapped[int | None]
    blob_name: Mapped[str | None] = mapped_column(info={NAMES_BLOB: True})
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class VaultImportEntry(Base):
    """What became of one entry of an import; `body` holds its title and what was left out of it, and why."""

    __tablename__ = "vault_import_entries"
    __table_args__ = (
        CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),
        UniqueConstraint("import_id", "ordinal"),
        Index(None, "vault_id"),
        Index("ix_vault_import_entries_page", "import_id", "id"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID]
    import_id: Mapped[UUID] = mapped_column(ForeignKey("vault_imports.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    item_id: Mapped[UUID | None]
    document_id: Mapped[UUID | None]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class VaultExport(Base):
    """What a person takes with them from their vaults; `body` holds the key of the file and its name.

    It is sealed for the person: it may hold what lies in several vaults. While it is made, `body` also holds what the
    file is to be encrypted with.
    """

    __tablename__ = "vault_exports"
    __table_args__ = (
        CheckConstraint(f"format IN {EXPORT_FORMATS}", name="format"),
        UniqueConstraint("blob_name"),
        Index("ix_vault_exports_page", "user_id", "id"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    vault_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    job_id: Mapped[UUID]
    format: Mapped[str]
    size: Mapped[int | None] = mapped_column(BigInteger)
    blob_name: Mapped[str | None] = mapped_column(info={NAMES_BLOB: True})
    body: Mapped[bytes] = mapped_column(info={SEALED_BY: "user_id"})
    key_id: Mapped[KeyId]
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


uploads = cast(Table, VaultUpload.__table__)
upload_parts = cast(Table, VaultUploadPart.__table__)
imports = cast(Table, VaultImport.__table__)
import_entries = cast(Table, VaultImportEntry.__table__)
exports = cast(Table, VaultExport.__table__)
