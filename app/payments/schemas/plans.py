"""Shapes of plans and prices."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import ResponseModel

State = Literal["none", "pending", "trialing", "active", "grace", "suspended", "ended"]
Reason = Literal["free", "granted", "subscribed", "trial", "grace", "paused", "unpaid", "not_paid_yet", "ended"]


class LimitsRead(ResponseModel):
    """What a plan allows; null is no limit. Reading, export, reminders and legacy release have none on any plan."""

    seats: int | None = Field(description="People who share the plan.")
    more_seats: int | None = Field(description="Further seats that can be bought.")
    documents: int | None
    storage_bytes: int | None
    credits_monthly: int | None = Field(description="Credits for the assistant that come each month.")
    agents: int | None
    api_requests_per_minute: int | None


class PriceRead(ResponseModel):
    """A price; `amount_cents` are minor units of the currency."""

    id: UUID
    kind: Literal["plan", "seat", "credits"]
    interval: Literal["month", "year", "once"]
    currency: str = Field(examples=["eur"])
    amount_cents: int
    credits: int | None


class PlanRead(ResponseModel):
    """A plan in its present version."""

    code: str = Field(examples=["plus"])
    name: str = Field(examples=["Plus"])
    version_id: UUID
    trial_days: int
    limits: LimitsRead
    prices: list[PriceRead]


class PlanList(ResponseModel):
    """Everything that can be bought: plans, the smallest first, and packs of credits."""

    plans: list[PlanRead]
    credit_packs: list[PriceRead]
