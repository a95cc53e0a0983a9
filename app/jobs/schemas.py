"""Shapes of jobs."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import ResponseModel


class JobRead(ResponseModel):
    """Background work. `progress` goes from 0 to 1; `error_*` say why it failed."""

    id: UUID
    kind: str = Field(examples=["rag.ingest"])
    state: Literal["queued", "running", "succeeded", "failed"]
    step: str = Field(examples=["reading"])
    progress: float = Field(ge=0, le=1)
    progress_done: int
    progress_total: int
    attempts: int
    subject_id: UUID | None
    error_code: str | None = Field(examples=["file-encrypted"])
    error_detail: str | None = Field(examples=["The file is protected by a password."])
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
