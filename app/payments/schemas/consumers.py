"""Consumers of a marketplace and its statements; for operators."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from app.core.schemas import RequestModel, ResponseModel, Whole

Month = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
Cents = Annotated[Whole, Field(ge=0, le=10**12)]


class ConsumerMonthRead(ResponseModel):
    """What one consumer used in a month; `credits` are those that the marketplace was told of."""

    family_id: UUID
    month: str
    requests: int
    credits: int


class ConsumerMonthList(ResponseModel):
    """Every consumer of a month, the busiest first."""

    items: list[ConsumerMonthRead]


class StatementWrite(RequestModel):
    """One line of a marketplace's monthly statement. The fee is part of the gross."""

    month: Month = Field(examples=["2026-11"])
    line: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = Field(examples=["pro-subscriptions"])
    currency: Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")] = Field(examples=["usd"])
    gross_cents: Cents = Field(examples=[120_000])
    fee_cents: Cents = Field(examples=[24_000])


class StatementPosted(ResponseModel):
    """Where the line stands in the books; `is_new` false if it stood there before."""

    reference: str
    is_new: bool
