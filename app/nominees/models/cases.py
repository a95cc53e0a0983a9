"""Tables of release cases, and of what was read."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NAMES_BLOB, Base, CreatedAt, Id, KeyId
from app.nominees.models.columns import CaseId, NomineeId, PlanId, SealedBody, UserId

TRIGGERS = ("inactive", "asked")
CASE_STATES = ("suspected", "reminding", "confirming", "waiting", "released", "stopped", "closed")
ENDINGS = ("owner", "owner_seen", "declined", "unconfirmed", "over")
READ_KINDS = ("overview", "items", "item", "documents", "document", "content", "server_sheet")


class CaseRow(Base):
    """A release case (see `app.nominees.machine`); whoever changes it holds its row. One at a time for each plan."""

    __tablename__ = "legacy_cases"
    __table_args__ = (
        CheckConstraint(f"trigger IN {TRIGGERS}", name="trigger"),
        CheckConstraint(f"state IN {CASE_STATES}", name="state"),
        CheckConstraint(f"ending IN {ENDINGS}", name="ending"),
        CheckConstraint("(due_at IS NULL) = (state = 'closed')", name="no_dead_end"),
        CheckConstraint("(state IN ('stopped', 'closed')) = (ending IS NOT NULL)", name="end"),
        Index("uq_legacy_cases_open", "plan_id", unique=True, postgresql_where=text("state <> 'closed'")),
        Index("ix_legacy_cases_plan_id", "plan_id"),
        Index("ix_legacy_cases_due_at", "due_at", postgresql_where=text("state <> 'closed'")),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    plan_id: Mapped[PlanId]
    trigger: Mapped[str]
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("nominees.id", ondelete="SET NULL"), index=True)
    rules: Mapped[dict[str, Any]]
    state: Mapped[str]
    opened_at: Mapped[datetime]
    entered_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    reminders: Mapped[int] = mapped_column(server_default=text("0"))
    confirmed: Mapped[bool] = mapped_column(server_default=text("false"))
    attestations: Mapped[int] = mapped_column(server_default=text("0"))
    stages: Mapped[int] = mapped_column(server_default=text("0"))
    released_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    ending: Mapped[str | None]
    created_at: Mapped[CreatedAt]


class CaseEvent(Base):
    """Something that happened in a case, in its order; never changed."""

    __tablename__ = "legacy_case_events"
    __table_args__ = (UniqueConstraint("case_id", "ordinal"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    case_id: Mapped[CaseId]
    ordinal: Mapped[int]
    kind: Mapped[str]
    nominee_id: Mapped[UUID | None]
    at: Mapped[datetime]


class Attestation(Base):
    """One nominee's word that the owner has died; `body` holds what they add."""

    __tablename__ = "legacy_attestations"
    __table_args__ = (UniqueConstraint("case_id", "nominee_id"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    case_id: Mapped[CaseId]
    nominee_id: Mapped[NomineeId]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class Proof(Base):
    """A file that proves something in a case, such as a death certificate; `body` holds its key, name and SHA-256."""

    __tablename__ = "legacy_proofs"
    __table_args__ = (UniqueConstraint("blob_name"), Index(None, "case_id"))

    id: Mapped[Id]
    user_id: Mapped[UserId]
    case_id: Mapped[CaseId]
    nominee_id: Mapped[NomineeId]
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    blob_name: Mapped[str] = mapped_column(info={NAMES_BLOB: True})
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]


class Release(Base):
    """That a case released its plan: there is one such row for a case at most, and none for one that was stopped."""

    __tablename__ = "legacy_releases"
    __table_args__ = (UniqueConstraint("plan_id", "case_id"), UniqueConstraint("case_id"))

    id: Mapped[Id]
    user_id: Mapped[UserId]
    plan_id: Mapped[PlanId]
    case_id: Mapped[CaseId]
    released_at: Mapped[datetime]


class Read(Base):
    """One read by a nominee; `subject_id` is the vault, record or document."""

    __tablename__ = "legacy_reads"
    __table_args__ = (
        CheckConstraint(f"kind IN {READ_KINDS}", name="kind"),
        Index("ix_legacy_reads_page", "user_id", "id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    nominee_id: Mapped[UUID]
    kind: Mapped[str]
    subject_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
