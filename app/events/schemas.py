"""The shape of events."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.schemas import ResponseModel


class EventRead(ResponseModel):
    """Something has changed: what it is, which, and how. Nothing that anybody wrote is in it."""

    kind: str = Field(description="As in the feed of changes, or job, notification, run.", examples=["item"])
    change: str = Field(
        description="As in the feed of changes; of jobs and runs their state.", examples=["updated", "succeeded"]
    )
    vault_id: UUID | None = Field(description="Null for what is yours alone.")
    subject_id: UUID = Field(description="The vault, person, item, document, reminder, job, …")
    revision: int | None = Field(description="Of what counts its revisions.")
    percent: int | None = Field(description="Of a job: how much is done.")
    at: datetime
