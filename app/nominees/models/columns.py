"""Columns that the tables of legacy share: rows are the owner's (`user_id`), and sealed under their key."""

from typing import Annotated
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import mapped_column

from app.db.base import SEALED_BY

UserId = Annotated[UUID, mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), index=True)]
SealedBody = Annotated[bytes, mapped_column(info={SEALED_BY: "user_id"})]
NomineeId = Annotated[UUID, mapped_column(ForeignKey("nominees.id", ondelete="CASCADE"), index=True)]
PlanId = Annotated[UUID, mapped_column(ForeignKey("legacy_plans.id", ondelete="CASCADE"))]
CaseId = Annotated[UUID, mapped_column(ForeignKey("legacy_cases.id", ondelete="CASCADE"))]
