"""Shapes of offers to hand a vault over."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.schemas import RequestModel, ResponseModel


class TransferCreate(RequestModel):
    """Whom the vault is offered to."""

    user_id: UUID = Field(examples=["01a1fbe8-3eef-7d27-809c-9cfaba724faa"], description="A member.")


class TransferRead(ResponseModel):
    """An open offer."""

    id: UUID
    vault_id: UUID
    from_user: UUID
    to_user: UUID
    expires_at: datetime
    created_at: datetime


class TransferList(ResponseModel):
    """The vaults that are offered to you, the oldest offer first."""

    items: list[TransferRead]
