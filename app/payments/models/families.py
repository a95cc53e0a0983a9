"""Who shares a subscription: a family with one payer, and the seats that others claim."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import SEALED_BY, Base, CreatedAt, Id, KeyId

FamilyId = Annotated[UUID, mapped_column(ForeignKey("payments_families.id"), index=True)]
SEAT_STATES = ("invited", "claimed", "revoked")


class Family(Base):
    """One account that pays; made with the first question about its plan. The payer sees no content of the others.

    `granted_plan_version_id` is a plan that somebody else pays for (a marketplace) or that an operator gave. Without an
    owner it is the account of somebody who left: its books are kept.
    """

    __tablename__ = "payments_families"

    id: Mapped[Id]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_users.id", ondelete="SET NULL"), unique=True)
    granted_plan_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments_plan_versions.id"))
    created_at: Mapped[CreatedAt]


class Seat(Base):
    """A place in a family; `body` holds the invited person's name and address, sealed for the payer (`owner_id`)."""

    __tablename__ = "payments_seats"
    __table_args__ = (
        CheckConstraint(f"state IN {SEAT_STATES}", name="state"),
        CheckConstraint("(state = 'claimed') <= (user_id IS NOT NULL)", name="claimed"),
        Index("ix_payments_seats_person", "user_id", unique=True, postgresql_where=text("state = 'claimed'")),
        Index("ix_payments_seats_token", "token_digest", unique=True),
    )

    id: Mapped[Id]
    family_id: Mapped[FamilyId]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    state: Mapped[str]
    token_digest: Mapped[bytes | None]
    body: Mapped[bytes] = mapped_column(info={SEALED_BY: "owner_id"})
    key_id: Mapped[KeyId]
    expires_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
