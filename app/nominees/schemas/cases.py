"""Shapes of release cases, proofs, reads and drills."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import Page, ResponseModel

CaseState = Literal["suspected", "reminding", "confirming", "waiting", "released", "stopped", "closed"]
Ending = Literal["owner", "owner_seen", "declined", "unconfirmed", "over"]
ReadKind = Literal["overview", "items", "item", "documents", "document", "content", "server_sheet"]


class CaseEventRead(ResponseModel):
    """Something that happened in a case."""

    kind: str = Field(examples=["reminded"])
    nominee_id: UUID | None
    at: datetime


class ProofRead(ResponseModel):
    """A file that proves something in a case."""

    id: UUID
    nominee_id: UUID
    name: str = Field(examples=["certificate.pdf"])
    media_type: str = Field(examples=["application/pdf"])
    size: int
    sha256: str
    created_at: datetime


class AttestationRead(ResponseModel):
    """One nominee's word."""

    nominee_id: UUID
    note: str
    created_at: datetime


class CaseRead(ResponseModel):
    """A release case. At `due_at` it goes on by itself, unless you stop it."""

    id: UUID
    plan_id: UUID
    trigger: Literal["inactive", "asked"]
    asked_by: UUID | None
    state: CaseState
    ending: Ending | None
    opened_at: datetime
    due_at: datetime | None
    reminders: int
    confirmed: bool
    attestations_needed: int
    stages: int = Field(description="How many stages are released.")
    released_at: datetime | None
    ends_at: datetime | None
    events: list[CaseEventRead]
    attestations: list[AttestationRead]
    proofs: list[ProofRead]


class CasePage(Page):
    """Release cases, newest first."""

    items: list[CaseRead]


class ReadRead(ResponseModel):
    """One read by a nominee of what was released."""

    id: UUID
    nominee_id: UUID
    kind: ReadKind
    subject_id: UUID | None
    created_at: datetime


class ReadLogPage(Page):
    """What nominees have read, newest first."""

    items: list[ReadRead]


class DrillAnswer(ResponseModel):
    """Whether somebody answered in a drill."""

    role: Literal["owner", "trusted", "nominee"]
    nominee_id: UUID | None
    mailed_at: datetime | None
    answered_at: datetime | None


class DrillRead(ResponseModel):
    """A drill: the plan with its real people, releasing nothing. At `due_at` it goes on without who is silent."""

    id: UUID
    plan_id: UUID
    step: Literal["owner", "trusted", "nominees", "over"]
    due_at: datetime
    ended_at: datetime | None
    created_at: datetime
    people: list[DrillAnswer]


class DrillPage(Page):
    """Drills, newest first."""

    items: list[DrillRead]
