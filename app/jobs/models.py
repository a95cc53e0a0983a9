"""Background work as rows: the truth that the queue only points at."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id, UpdatedAt

STATES = ("queued", "running", "succeeded", "failed")


class Job(Base):
    """One piece of work. `attempts` is the fencing token of whoever holds the lease; `payload` holds ids only."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("progress_done >= 0 AND progress_total >= 0", name="progress"),
        Index("ix_jobs_due", "due_at", postgresql_where=text("state IN ('queued', 'running')")),
        Index("ix_jobs_subject", "subject_id"),
        Index("ix_jobs_event", "event_id", "kind", unique=True, postgresql_where=text("event_id IS NOT NULL")),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    user_id: Mapped[UUID | None]
    vault_id: Mapped[UUID | None]
    subject_id: Mapped[UUID | None]
    event_id: Mapped[UUID | None]
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    step: Mapped[str] = mapped_column(default="waiting")
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
