"""Shapes of families, seats, usage and credits."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.auth.addresses import EmailAddress
from app.core.schemas import Page, RequestModel, ResponseModel
from app.payments.schemas.plans import LimitsRead, Reason, State


class SeatCreate(RequestModel):
    """Whom to offer a seat."""

    email: EmailAddress = Field(examples=["astrid@example.org"])


class SeatAccept(RequestModel):
    """The token of the e-mail."""

    token: str = Field(min_length=1, max_length=200, examples=["Zt0vJ9n2c5rQ"])


class SeatRead(ResponseModel):
    """A seat that is claimed or offered."""

    id: UUID
    state: Literal["invited", "claimed"]
    is_payer: bool
    is_you: bool
    name: str = Field(description="Empty until it is claimed.")
    email: str
    expires_at: datetime | None = Field(description="Until when the offer is valid.")
    claimed_at: datetime | None


class PlanState(ResponseModel):
    """What the family's plan allows now. Nothing here ever closes reading, export or legacy release."""

    code: str = Field(examples=["family"])
    name: str = Field(examples=["Family"])
    version_id: UUID
    state: State = Field(description="Where the subscription stands; none without one.")
    reason: Reason = Field(description="Why this plan counts now.")
    may_write: bool = Field(description="Whether new things can be put in, within the limits.")
    may_use_ai: bool
    until: datetime | None = Field(description="When this may change by itself.")
    limits: LimitsRead


class FamilyRead(ResponseModel):
    """The family whose plan you share; members see their own seat only."""

    id: UUID
    role: Literal["payer", "member"]
    plan: PlanState
    seats_claimed: int
    seats_offered: int
    seats: list[SeatRead]


class MeterRead(ResponseModel):
    """How much of a limit is used; null is no limit."""

    meter: str = Field(examples=["storage_bytes"])
    used: int
    limit: int | None
    percent: int | None = Field(description="Of the limit, rounded down; over 100 after a change to a smaller plan.")


class UsageRead(ResponseModel):
    """What the family uses of its plan. `enforced` is false where plans limit nothing, as on a laptop."""

    plan: str
    enforced: bool
    meters: list[MeterRead]


class LotRead(ResponseModel):
    """Credits from one source: granted = remaining + used + expired + taken_back."""

    id: UUID
    source: Literal["plan", "payment", "other"]
    granted: int
    remaining: int
    used: int
    expired: int
    taken_back: int = Field(description="Whose money went back.")
    expires_at: datetime | None
    granted_at: datetime


class CreditUseRead(ResponseModel):
    """Credits that were set aside for one piece of work, and what it cost."""

    id: UUID
    state: Literal["held", "settled", "released"]
    amount: int
    used: int
    created_at: datetime
    closed_at: datetime | None


class CreditsRead(Page):
    """What the family can use: lots in the order of their use, and one page of what was used, newest first."""

    available: int
    held: int
    debt: int = Field(description="Used credits whose money went back; while there is a debt, nothing can be used.")
    lots: list[LotRead]
    history: list[CreditUseRead]
