"""Tables of drills."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id
from app.nominees.models.columns import PlanId, UserId

DRILL_STEPS = ("owner", "trusted", "nominees", "over")
DRILL_ROLES = ("owner", "trusted", "nominee")


class Drill(Base):
    """A walk through a plan with the real people, which releases nothing: it knows no case."""

    __tablename__ = "legacy_drills"
    __table_args__ = (
        CheckConstraint(f"step IN {DRILL_STEPS}", name="step"),
        Index("uq_legacy_drills_open", "plan_id", unique=True, postgresql_where=text("step <> 'over'")),
        Index("ix_legacy_drills_plan_id", "plan_id"),
        Index("ix_legacy_drills_due_at", "due_at", postgresql_where=text("step <> 'over'")),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    plan_id: Mapped[PlanId]
    step: Mapped[str]
    due_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class DrillPerson(Base):
    """Who is asked in a drill, and when they answered."""

    __tablename__ = "legacy_drill_people"
    __table_args__ = (
        CheckConstraint(f"role IN {DRILL_ROLES}", name="role"),
        CheckConstraint("(role = 'owner') = (nominee_id IS NULL)", name="person"),
        Index(None, "drill_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    drill_id: Mapped[UUID] = mapped_column(ForeignKey("legacy_drills.id", ondelete="CASCADE"))
    role: Mapped[str]
    nominee_id: Mapped[UUID | None] = mapped_column(ForeignKey("nominees.id", ondelete="CASCADE"), index=True)
    mailed_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
