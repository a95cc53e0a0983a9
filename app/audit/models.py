"""Tables of the log: chains with their heads, entries, checkpoints. No column holds anything that a person wrote.

The application may read chains and entries and call the function `audit_append`; nobody changes what is in the log.
"""

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Table
from sqlalchemy.orm import Mapped, mapped_column

from app.audit.kinds import ACTOR_KINDS
from app.db.base import Base, CreatedAt


class AuditChain(Base):
    """The chain of a vault, or of a person's own acts, whose id it has; and the end of the chain as it is now."""

    __tablename__ = "audit_chains"
    __table_args__ = (
        CheckConstraint("num_nonnulls(vault_id, user_id) = 1 AND id = coalesce(vault_id, user_id)", name="owner"),
        Index(None, "vault_id", unique=True),
        Index(None, "user_id", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    vault_id: Mapped[UUID | None] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]


class AuditEntry(Base):
    """One act. `hash` commits to it and to all before it, `tag` is the application's word for `hash`."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint(f"actor_kind IN {ACTOR_KINDS}", name="actor_kind"),
        Index(None, "at", postgresql_using="brin"),
    )

    chain_id: Mapped[UUID] = mapped_column(ForeignKey("audit_chains.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    subject_id: Mapped[UUID | None]
    ids: Mapped[str]
    at: Mapped[datetime]
    key_version: Mapped[int]
    hash: Mapped[bytes]
    tag: Mapped[bytes]


class AuditCheckpoint(Base):
    """How far a chain was found whole, signed, as in the blob store; `verified_at` is when all of it was walked."""

    __tablename__ = "audit_checkpoints"

    chain_id: Mapped[UUID] = mapped_column(ForeignKey("audit_chains.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
    key_version: Mapped[int]
    signature: Mapped[bytes]
    created_at: Mapped[CreatedAt]
    verified_at: Mapped[datetime | None]


chains = cast(Table, AuditChain.__table__)
entries = cast(Table, AuditEntry.__table__)
checkpoints = cast(Table, AuditCheckpoint.__table__)
