"""Shapes of proposals to file a document."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool

from app.core.schemas import LongText, Page, RequestModel, ResponseModel, ShortText
from app.vault.schemas.items import EXAMPLE, Fields, Tags, TypeName

State = Literal["open", "accepted", "dismissed"]


class Place(ResponseModel):
    """Where something stands: `quote` is exactly the characters [start, end) of that page of the version."""

    page: int
    start: int
    end: int
    quote: str


class ProposedField(ResponseModel):
    """A field of the record."""

    name: str = Field(examples=["expires_on"])
    value: Any = Field(examples=["2031-05-31"])
    confidence: float = Field(description="An estimate, 0 to 1.")
    place: Place


class ProposedReminder(ResponseModel):
    """A day to be reminded of."""

    kind: Literal["expires", "renews", "due"]
    due_on: date
    label: str = Field(description="The words that introduce the date.", examples=["Date of expiry"])
    field: str | None = Field(description="The field of the record that holds the date.", examples=["expires_on"])
    place: Place


class Proposal(ResponseModel):
    """What is proposed; `type` is null where the type of the document is not known."""

    type: str | None = Field(examples=["passport"])
    chance: float = Field(description="That the best type is the right one, 0 to 1.")
    others: list[str] = Field(description="Other types that it may be, the likeliest first.")
    title: str = Field(examples=["Passport, Astrid Lindqvist"])
    fields: list[ProposedField]
    reminders: list[ProposedReminder]


class IntakeRead(Proposal):
    """A proposal. `item_id` is the record that was made; while it is open, the one that it would change."""

    id: UUID
    vault_id: UUID
    document_id: UUID
    version_id: UUID
    state: State
    item_id: UUID | None
    created_at: datetime
    decided_at: datetime | None


class IntakePage(Page):
    """Proposals, newest first."""

    items: list[IntakeRead]


class IntakeAccept(RequestModel):
    """What shall be different from the proposal; the rest is as proposed. `fields` replace all proposed ones."""

    type: TypeName | None = Field(default=None, examples=["passport"])
    title: ShortText | None = Field(default=None, examples=["Astrid's passport"])
    fields: Fields | None = Field(default=None, examples=[EXAMPLE])
    notes: LongText = ""
    tags: Tags = []
    reminders: StrictBool = Field(default=True, description="Set the proposed reminders, too.")
