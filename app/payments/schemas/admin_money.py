"""Shapes of what operators do with money."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from app.core.schemas import Clean, NumberOnly, Page, RequestModel, ResponseModel
from app.payments.schemas.checkout import CouponCode, PlanCode

Cents = Annotated[int, Field(ge=1, le=2**31 - 1), NumberOnly]
Evidence = Annotated[str, StringConstraints(max_length=20_000), Clean]
Later = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]


class RefundCreate(RequestModel):
    """Money to give back; all that is left if no amount is given."""

    payment_id: UUID = Field(examples=["01a1fdf3-0769-7cb2-ab84-4c96c6358cbd"])
    amount_cents: Cents | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] = "requested_by_customer"


class RefundRead(ResponseModel):
    """Money given back."""

    id: UUID
    payment_id: UUID
    status: str
    currency: str
    amount_cents: int
    reason: str | None
    created_at: datetime


class CouponCreate(RequestModel):
    """A discount: a percentage, or an amount in a currency."""

    model_config = {
        "json_schema_extra": {
            "examples": [{"code": "WELCOME25", "percent": 25, "months": 3, "max_uses": 100}],
            "oneOf": [
                {"required": ["percent"], "properties": {"percent": {"type": "integer"}}},
                {"required": ["amount_cents"], "properties": {"amount_cents": {"type": "integer"}}},
            ],
        }
    }

    code: CouponCode = Field(examples=["WELCOME25"])
    percent: Annotated[int, Field(ge=1, le=100), NumberOnly] | None = None
    amount_cents: Cents | None = None
    months: Annotated[int, Field(ge=0, le=120), NumberOnly] | None = Field(
        default=None, description="Null: once; 0: for ever."
    )
    max_uses: Annotated[int, Field(ge=1, le=2**31 - 1), NumberOnly] | None = None
    plan_code: PlanCode | None = None
    expires_at: Later | None = None

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if (self.percent is None) == (self.amount_cents is None):
            raise ValueError("either percent or amount_cents")
        return self


class CouponRead(ResponseModel):
    """A coupon, and how often it has been used."""

    id: UUID
    code: str
    percent: int | None
    amount_cents: int | None
    currency: str | None
    months: int | None
    max_uses: int | None
    used: int
    plan_code: str | None
    expires_at: datetime | None
    withdrawn_at: datetime | None
    created_at: datetime


class CouponPage(Page):
    """Coupons, newest first."""

    items: list[CouponRead]


class DisputeRead(ResponseModel):
    """A payment that the card's holder disputes."""

    id: UUID
    family_id: UUID
    payment_id: UUID
    status: str
    reason: str
    currency: str
    amount_cents: int
    evidence_due_at: datetime | None
    closed_at: datetime | None
    created_at: datetime


class DisputePage(Page):
    """Disputes, newest first."""

    items: list[DisputeRead]


class EvidenceCreate(RequestModel):
    """What speaks for us. It goes to the provider, and is not kept here."""

    product_description: Evidence | None = Field(default=None, examples=["Encrypted storage, used until May."])
    access_activity_log: Evidence | None = None
    cancellation_policy_disclosure: Evidence | None = None
    refund_policy_disclosure: Evidence | None = None
    uncategorized_text: Evidence | None = None
    submit: bool = Field(default=False, description="True: send it to the bank; it can't be changed after that.")


class PlanGrant(RequestModel):
    """A plan that somebody else pays for; null takes it back."""

    plan: PlanCode | None = Field(examples=["family"])


class PlanGranted(ResponseModel):
    """What the family was given."""

    family_id: UUID
    plan: str | None
