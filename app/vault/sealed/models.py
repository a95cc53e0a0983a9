"""Tables of sealed vaults: ciphertext, signatures and what routes them; nothing here opens anything.

Only a candidate's name and address stand in a `body` of ours, as those of members do.
"""

from datetime import date, datetime
from typing import cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NAMES_BLOB, Base, Body, CreatedAt, Id, KeyId


class SealedAccount(Base):
    """A person's keys: the signed state with the public ones, and the private ones wrapped by what only they know.

    The verifiers are Argon2id of the keys that sign in; `pins` is what the person's clients have seen, sealed.
    """

    __tablename__ = "vault_sealed_accounts"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), primary_key=True)
    counter: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[bytes]
    wraps: Mapped[bytes]
    pins: Mapped[bytes]
    verifier: Mapped[str]
    recovery_verifier: Mapped[str]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class SealedHead(Base):
    """Where a sealed vault stands: its newest list, its epoch, and how much it holds.

    `clock` changes with every write. While a new epoch is `wanted`, somebody has left who knows the present key.
    """

    __tablename__ = "vault_sealed_heads"
    __table_args__ = (CheckConstraint("counter >= epoch AND epoch > 0", name="counter"),)

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    counter: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)
    wanted: Mapped[bool]
    clock: Mapped[bytes]
    items: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)


class SealedList(Base):
    """One signed list of members; they count from 1 and each names the one before."""

    __tablename__ = "vault_sealed_lists"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    counter: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    envelope: Mapped[bytes]
    created_at: Mapped[CreatedAt]


class SealedWrap(Base):
    """The key of the present epoch for one member, who alone is given it."""

    __tablename__ = "vault_sealed_wraps"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    envelope: Mapped[bytes]


class SealedEpoch(Base):
    """An epoch that has ended: its last revisions, and until all have moved, its key under that of the next."""

    __tablename__ = "vault_sealed_epochs"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    closing: Mapped[bytes]
    link: Mapped[bytes | None]


class SealedItem(Base):
    """An item as it stands: its newest revision and its keys, which stand under the key of an epoch.

    One whose newest revision ends it counts as trashed; its revisions stay until the vault is purged.
    """

    __tablename__ = "vault_sealed_items"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int]
    body_digest: Mapped[bytes]
    keys: Mapped[bytes]
    epoch: Mapped[int] = mapped_column(BigInteger)
    written_by: Mapped[UUID]
    trashed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class SealedRevision(Base):
    """One signed revision of an item with its sealed records."""

    __tablename__ = "vault_sealed_revisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["vault_id", "item_id"],
            ["vault_sealed_items.vault_id", "vault_sealed_items.id"],
            name="fk_vault_sealed_revisions_item",
            ondelete="CASCADE",
        ),
    )

    vault_id: Mapped[UUID] = mapped_column(primary_key=True)
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes]
    created_at: Mapped[CreatedAt]


class SealedChunk(Base):
    """One chunk of a file; which file it is of, what it is called and how large it is, sealed items say."""

    __tablename__ = "vault_sealed_chunks"
    __table_args__ = (
        CheckConstraint("size > 0", name="size"),
        UniqueConstraint("vault_id", "file_id", "number"),
        UniqueConstraint("blob_name"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    file_id: Mapped[UUID]
    number: Mapped[int]
    size: Mapped[int]
    digest: Mapped[bytes]
    blob_name: Mapped[str] = mapped_column(info={NAMES_BLOB: True})
    written_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]


class SealedDue(Base):
    """When something in a vault is due, as tokens: those of the coming days, and those of the days that matter.

    Only when a day comes does the server see whether its token is among the others; of days behind the window it
    knows nothing. `next_on` is the day to look at next.
    """

    __tablename__ = "vault_sealed_dues"
    __table_args__ = (Index(None, "next_on", postgresql_where=text("next_on IS NOT NULL")),)

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    first_on: Mapped[date]
    days: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary))
    tokens: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary))
    next_on: Mapped[date | None]
    updated_at: Mapped[CreatedAt]


class SealedCandidate(Base):
    """Somebody who accepted an invitation and waits until a manager's client, having compared keys, lets them in."""

    __tablename__ = "vault_sealed_candidates"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'editor', 'viewer')", name="role"),
        UniqueConstraint("vault_id", "user_id"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    invited_by: Mapped[UUID]
    body: Mapped[Body]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


accounts = cast(Table, SealedAccount.__table__)
heads = cast(Table, SealedHead.__table__)
lists = cast(Table, SealedList.__table__)
wraps = cast(Table, SealedWrap.__table__)
epochs = cast(Table, SealedEpoch.__table__)
sealed_items = cast(Table, SealedItem.__table__)
revisions = cast(Table, SealedRevision.__table__)
chunks = cast(Table, SealedChunk.__table__)
dues = cast(Table, SealedDue.__table__)
candidates = cast(Table, SealedCandidate.__table__)
