"""Shapes of nominees."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.auth.addresses import EmailAddress
from app.core.schemas import Clean, Page, RequestModel, ResponseModel, ShortText

NomineeState = Literal["invited", "accepted", "declined"]
Phone = Annotated[str, StringConstraints(min_length=3, max_length=40, pattern=r"^\+?[0-9][0-9 ()./-]+$")]
Relation = Annotated[str, StringConstraints(max_length=100), Clean]


class NomineeCreate(RequestModel):
    """Somebody who is to get something one day, or whose word is to be asked for. They need no account."""

    name: ShortText = Field(examples=["Grace Hopper"])
    email: EmailAddress = Field(examples=["grace@example.org"])
    phone: Phone | None = Field(default=None, examples=["+47 912 34 567"])
    relation: Relation = Field(default="", examples=["sister"])


class NomineeUpdate(RequestModel):
    """Changes of a nominee; what is left out stays. A new address has to be accepted anew."""

    name: ShortText | None = Field(default=None, examples=["Grace Murray Hopper"])
    email: EmailAddress | None = Field(default=None, examples=["grace@example.net"])
    phone: Phone | None = Field(default=None, examples=["+47 912 34 567"])
    relation: Relation | None = Field(default=None, examples=["sister"])


class NomineeRead(ResponseModel):
    """A nominee; `verified_at` is when they last proved that they read the mail of their address."""

    id: UUID
    name: str = Field(examples=["Grace Hopper"])
    email: str = Field(examples=["grace@example.org"])
    phone: str | None
    relation: str
    state: NomineeState
    invited_at: datetime
    answered_at: datetime | None
    verified_at: datetime | None
    created_at: datetime


class NomineePage(Page):
    """Nominees, newest first."""

    items: list[NomineeRead]
