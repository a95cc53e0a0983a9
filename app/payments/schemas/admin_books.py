"""Events of the provider that wait, and what reconciliation found; for operators."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.core.schemas import RequestModel, ResponseModel


class WaitingEvent(ResponseModel):
    """An event that is not handled; `dead_at` is when it was given up."""

    id: UUID
    provider: str
    event_id: str
    type: str
    object_id: str
    attempts: int
    last_error: str | None
    next_try_at: datetime
    dead_at: datetime | None
    received_at: datetime


class WaitingEvents(ResponseModel):
    """The oldest events that wait."""

    items: list[WaitingEvent]


class ReconciliationStart(RequestModel):
    """How deep to compare: `light` since the last run, `deep` from the beginning."""

    depth: Literal["light", "deep"] = "light"


class DifferenceFound(ResponseModel):
    """Something that is not as the provider has it; null where one side has nothing."""

    kind: str
    reference: str
    field: str
    ours: str | None
    theirs: str | None


class ReconciliationStarted(ResponseModel):
    """A comparison that was queued: `/v1/jobs/{job_id}` tells how far it is, and its result has the id `id`."""

    id: UUID
    job_id: UUID


class ReconciliationRead(ResponseModel):
    """What one comparison saw and did. `open_differences` are those it left; `reached_to` is the provider's time."""

    id: UUID
    provider: str
    depth: Literal["light", "deep"]
    compared: int
    events_added: int
    healed: int
    open_differences: int
    reached_to: datetime
    finished_at: datetime


class Reconciliations(ResponseModel):
    """The newest comparisons."""

    items: list[ReconciliationRead]


class OpenDifference(DifferenceFound):
    """A difference that is still open."""

    id: UUID
    provider: str
    created_at: datetime


class OpenDifferences(ResponseModel):
    """The oldest differences that are open."""

    items: list[OpenDifference]
