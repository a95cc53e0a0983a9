"""Shapes of outgoing webhooks."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from app.core.schemas import Clean, Page, RequestModel, ResponseModel
from app.notifications.webhooks.events import EVENTS


def _known(name: str) -> str:
    if name not in EVENTS:
        raise ValueError("is no event that programs are told of")
    return name


EventName = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": sorted(EVENTS)})]
Url = Annotated[str, StringConstraints(max_length=500, pattern=r"^https?://[!-~]+$")]
Description = Annotated[str, StringConstraints(max_length=200), Clean]
EventNames = Annotated[list[EventName], Field(min_length=1, max_length=len(EVENTS))]


class WebhookCreate(RequestModel):
    """Where to send what."""

    url: Url = Field(examples=["https://example.com/lifevault"])
    description: Description = Field(default="", examples=["Our home server"])
    events: EventNames = Field(examples=[["vault.item_changed", "reminders.due"]])


class WebhookUpdate(RequestModel):
    """Changes; what is left out stays. Switching one on again sends what comes from then on."""

    url: Url | None = Field(default=None, examples=["https://example.com/lifevault"])
    description: Description | None = None
    events: EventNames | None = Field(default=None, examples=[["reminders.due"]])
    state: Literal["active", "disabled"] | None = Field(default=None, examples=["active"])


class WebhookRead(ResponseModel):
    """A webhook without its secrets. `reason`: `paused` by you, `gone` (it answered 410), `failing` for days."""

    id: UUID
    url: str
    description: str
    events: list[str]
    state: Literal["active", "disabled"]
    reason: Literal["paused", "gone", "failing"] | None
    created_at: datetime
    updated_at: datetime


class WebhookCreated(WebhookRead):
    """A new webhook with the secret that signs its messages, shown this once."""

    secret: str = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])


class WebhookList(ResponseModel):
    """Every webhook, oldest first."""

    items: list[WebhookRead]


class WebhookSecret(ResponseModel):
    """The new secret, shown this once; until `old_until` messages are signed by the old one as well."""

    secret: str
    old_until: datetime


class WebhookEventRead(ResponseModel):
    """An event that can be subscribed to."""

    name: str
    description: str


class WebhookEventList(ResponseModel):
    """Every event."""

    items: list[WebhookEventRead]


class WebhookMessageRead(ResponseModel):
    """A message and how far it is."""

    id: UUID
    event: str = Field(examples=["vault.item_changed"])
    payload: dict[str, Any]
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    due_at: datetime | None
    created_at: datetime


class WebhookMessagePage(Page):
    """Messages, newest first."""

    items: list[WebhookMessageRead]


class WebhookAttemptRead(ResponseModel):
    """A try: the status that came back, or why none did."""

    status: int | None
    error: str | None
    milliseconds: int
    created_at: datetime


class WebhookAttemptList(ResponseModel):
    """Every try of a message, oldest first."""

    items: list[WebhookAttemptRead]
