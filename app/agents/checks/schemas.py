"""Shapes of the life check and the legacy check."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import ResponseModel

Kind = Literal["missing", "incomplete", "unfiled", "expired", "expiring", "contradiction"]
Urgency = Literal["now", "soon", "later"]


class Evidence(ResponseModel):
    """What a document says: `quote` is exactly the characters [start, end) of that page of the version."""

    document_id: UUID
    version_id: UUID
    title: str
    page: int
    start: int
    end: int
    quote: str


class Finding(ResponseModel):
    """Something to look at."""

    kind: Kind
    urgency: Urgency
    text: str = Field(examples=["Astrid's passport ends on 31 May 2031."])
    item_ids: list[UUID]
    document_ids: list[UUID]
    field: str | None = Field(examples=["expires_on"])
    due_on: date | None
    evidence: list[Evidence]


class LifeCheck(ResponseModel):
    """Everything found, the most urgent first."""

    checked_on: date
    records: int = Field(description="So many records were looked at.")
    documents: int = Field(description="So many documents were compared with their records.")
    findings: list[Finding]


class LegacyArea(ResponseModel):
    """One of the things that the people one leaves behind will ask for."""

    name: str = Field(examples=["will"])
    question: str = Field(examples=["Is there a will, and where is the original?"])
    state: Literal["present", "incomplete", "missing"]
    item_ids: list[UUID]
    document_ids: list[UUID] = Field(description="Documents that look like it and are not filed yet.")
    next_step: str = Field(description="Empty if nothing is left to do.")


class LegacyCheck(ResponseModel):
    """What is prepared, in the order in which it will be needed."""

    checked_on: date
    prepared: int = Field(description="Areas that are complete.")
    areas: list[LegacyArea]
