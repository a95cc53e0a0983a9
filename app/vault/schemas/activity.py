"""Shapes of what happened in a vault."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from app.audit.kinds import ActorKind
from app.core.schemas import Page, ResponseModel


class ActivityRead(ResponseModel):
    """One act, and the name of who did it."""

    sequence: int = Field(ge=1, description="The number of the entry in the log.")
    action: str = Field(examples=["vault.item_created"])
    actor_kind: ActorKind = Field(
        description="A person, what acts for one, a nominee of the owner; or the service itself."
    )
    actor_id: UUID | None
    actor_name: str | None = Field(description="Null if they are no member any more.", examples=["Astrid Lindqvist"])
    subject_id: UUID | None = Field(description="What it was done to: an item, a document, a person, …")
    ids: dict[str, Any] = Field(description="What else belongs to it.")
    at: datetime


class ActivityPage(Page):
    """What happened, the last first."""

    items: list[ActivityRead]
