"""Shapes of subscriptions, and of what is done with them."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from app.core.schemas import RequestModel, ResponseModel
from app.payments.schemas.checkout import Interval, PlanCode, Seats, Url
from app.payments.schemas.family import PlanState

Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))]


class PlannedRead(ResponseModel):
    """What a subscription becomes at the end of its period."""

    plan: str
    interval: Interval
    seats: int


class SubscriptionRead(ResponseModel):
    """A subscription as the provider had it last."""

    id: UUID
    plan: str = Field(examples=["plus"])
    state: Literal["pending", "trialing", "active", "grace", "suspended", "ended"]
    interval: Interval
    seats: int = Field(description="Seats bought besides those of the plan.")
    period_start: datetime
    period_end: datetime
    trial_end: datetime | None
    cancel_at_period_end: bool
    is_paused: bool
    grace_until: datetime | None = Field(
        description="Until when everything stays open although the last renewal failed."
    )
    planned: PlannedRead | None
    started_at: datetime
    ended_at: datetime | None


class SubscriptionState(ResponseModel):
    """What the family's plan allows now, and the subscription that runs, or ran last; null if there was none."""

    plan: PlanState
    subscription: SubscriptionRead | None


class SubscriptionPreview(RequestModel):
    """What the subscription would become."""

    plan: PlanCode = Field(examples=["family"])
    interval: Interval = Field(examples=["month"])
    seats: Seats = 0


class SubscriptionChange(SubscriptionPreview):
    """What the subscription is to become; `at` is that of the preview that the person has seen and accepted."""

    at: Moment | None = None


class PreviewLine(ResponseModel):
    """One line of the invoice that would be made now."""

    description: str
    amount_cents: int
    is_proration: bool
    period_start: datetime
    period_end: datetime


class PreviewRead(ResponseModel):
    """What a change costs, in minor units. With this `at` the same is charged, to the cent, until `valid_until`."""

    effect: Literal["now", "period_end"] = Field(description="What becomes less takes effect at the end of the period.")
    effective_at: datetime
    at: datetime | None = Field(description="For `at` of the change; null if nothing is charged now.")
    valid_until: datetime
    currency: str
    lines: list[PreviewLine]
    subtotal_cents: int
    discount_cents: int
    tax_cents: int
    total_cents: int
    due_cents: int = Field(description="What is charged now.")
    renewal_cents: int = Field(description="What each renewal costs then, before discounts and tax.")


class SubscriptionCancel(RequestModel):
    """When it ends."""

    at_period_end: bool = Field(default=True, description="False: now, and nothing is given back.")


class PortalCreate(RequestModel):
    """Where the person comes back to."""

    return_url: Url | None = Field(default=None, examples=[None])


class PortalRead(ResponseModel):
    """The provider's portal; the address is for this person, for a short time."""

    url: str
