"""Shapes of commands to the provider."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import Page, ResponseModel


class OperationPending(ResponseModel):
    """The provider has not answered yet: whether it was done will be seen at `GET /v1/payments/operations/{id}`."""

    operation_id: UUID
    state: Literal["sent", "unknown"]


class OperationRead(ResponseModel):
    """How far something is that the provider was asked for."""

    id: UUID
    kind: str = Field(examples=["checkout.create"])
    state: Literal["created", "sent", "succeeded", "failed", "unknown"]
    error_code: str | None = Field(description="Why it failed, such as `declined:insufficient_funds`.")
    created_at: datetime
    settled_at: datetime | None


class UnsettledOperation(OperationRead):
    """The same for operators."""

    family_id: UUID
    subject: str
    tries: int
    lease_until: datetime


class UnsettledPage(Page):
    """Commands whose outcome is not known, oldest first."""

    items: list[UnsettledOperation]
