"""Shapes of checkouts."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from app.core.schemas import Clean, NumberOnly, RequestModel, ResponseModel

Url = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^https?://[!-~]+$")]
PlanCode = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_-]*$")]
CouponCode = Annotated[
    str, StringConstraints(min_length=3, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$"), Clean
]
Interval = Literal["month", "year"]
Seats = Annotated[int, Field(ge=0, le=1_000, description="Seats besides those of the plan."), NumberOnly]


class ReturnUrls(RequestModel):
    """Where the person comes back to; only addresses of this installation are accepted."""

    success_url: Url | None = Field(
        default=None, examples=[None], description="After the payment. What is paid is told by us, not by it."
    )
    cancel_url: Url | None = Field(default=None, examples=[None], description="After going back without paying.")


class CheckoutCreate(ReturnUrls):
    """What to buy: a plan for an interval, or a price of `GET /v1/payments/plans`. Amounts are ours to say."""

    model_config = {
        "json_schema_extra": {
            "examples": [{"plan": "plus", "interval": "month"}],
            "oneOf": [{"required": ["plan", "interval"]}, {"required": ["price_id"]}],
        }
    }

    plan: PlanCode | None = Field(default=None, examples=["plus"])
    interval: Interval | None = None
    price_id: UUID | None = Field(default=None, description="A plan's price, or that of a pack of credits.")
    seats: Seats = 0
    coupon: CouponCode | None = Field(default=None, examples=["WELCOME25"])

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        is_plan = self.plan is not None and self.interval is not None
        if (self.price_id is None) != is_plan or (self.price_id is not None and (self.plan or self.interval)):
            raise ValueError("either plan and interval, or price_id")
        return self


class CheckoutRead(ResponseModel):
    """A checkout. `url` is the page to pay on, null when it is not open."""

    id: UUID
    purpose: Literal["plan", "credits", "card"]
    state: Literal["open", "complete", "expired"]
    price_id: UUID | None
    url: str | None
    expires_at: datetime | None
