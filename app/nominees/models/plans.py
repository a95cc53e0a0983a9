"""Tables of plans: what happens when, for whom; and of the keys whose secret is on paper."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id, KeyId, UpdatedAt
from app.nominees.models.columns import PlanId, SealedBody, UserId


class Plan(Base):
    """What happens when, for whom; `body` holds the title. Without `armed_at` it is a draft and nothing happens."""

    __tablename__ = "legacy_plans"
    __table_args__ = (
        Index("ix_legacy_plans_armed", "id", postgresql_where=text("armed_at IS NOT NULL AND inactivity_days > 0")),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    armed_at: Mapped[datetime | None]
    may_be_asked: Mapped[bool]
    inactivity_days: Mapped[int | None]
    reminder_days: Mapped[int]
    confirmer_id: Mapped[UUID | None] = mapped_column(ForeignKey("nominees.id"), index=True)
    confirmation_days: Mapped[int]
    goes_on_if_silent: Mapped[bool]
    attestations_needed: Mapped[int]
    waiting_days: Mapped[int]
    access_days: Mapped[int]
    cooldown_days: Mapped[int]
    gives_server_sheet: Mapped[bool]
    stages: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class GiftRow(Base):
    """What one nominee gets in one stage of a plan: a vault, or of it the records of a type, a record, a document."""

    __tablename__ = "legacy_gifts"
    __table_args__ = (
        CheckConstraint("num_nonnulls(type, item_id, document_id) <= 1", name="part"),
        Index("ix_legacy_gifts_plan_id", "plan_id", "nominee_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    plan_id: Mapped[PlanId]
    nominee_id: Mapped[UUID] = mapped_column(ForeignKey("nominees.id"), index=True)
    stage: Mapped[int]
    vault_id: Mapped[UUID] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"), index=True)
    type: Mapped[str | None]
    item_id: Mapped[UUID | None] = mapped_column(ForeignKey("vault_items.id", ondelete="CASCADE"), index=True)
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("vault_documents.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[CreatedAt]


class MessageRow(Base):
    """What the owner says to one nominee, for the day of the release."""

    __tablename__ = "legacy_messages"
    __table_args__ = (UniqueConstraint("plan_id", "nominee_id"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    plan_id: Mapped[PlanId]
    nominee_id: Mapped[UUID] = mapped_column(ForeignKey("nominees.id"), index=True)
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class LegacyKey(Base):
    """A pair of keys whose secret is on printed sheets; `body` holds the words of the server's part."""

    __tablename__ = "legacy_keys"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    public_key: Mapped[bytes]
    nominees_needed: Mapped[int]
    nominee_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    made_on: Mapped[date]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]
