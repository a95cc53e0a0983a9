"""Shapes of documents and their versions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.schemas import NumberOnly, Page, RequestModel, ResponseModel, ShortText
from app.vault.schemas.items import Tags

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class DocumentCreate(RequestModel):
    """The text parts of an upload."""

    vault_id: UUID
    title: ShortText | None = Field(
        default=None, description="The file name without its ending if left out.", examples=["Car insurance 2026"]
    )
    tags: Tags = []


class DocumentUpdate(RequestModel):
    """Changes of a document; what is left out stays."""

    title: ShortText | None = Field(default=None, examples=["Car insurance 2026"])
    tags: Tags | None = None


class DocumentAccepted(ResponseModel):
    """A file that is stored; `job_id` reads it in the background (see /v1/jobs/{job_id})."""

    id: UUID
    vault_id: UUID
    version_id: UUID
    number: int = Field(description="Counts the versions of the document.")
    job_id: UUID
    title: str = Field(examples=["Car insurance 2026"])
    name: str = Field(description="The name of the file.", examples=["policy.pdf"])
    size: int = Field(description="Bytes.")
    media_type: str = Field(description="Told from the content, not from the name.", examples=["application/pdf"])
    sha256: str = Field(examples=[SHA256])
    duplicate_of: UUID | None = Field(description="An older document of this vault with the same content.")


class DocumentRead(ResponseModel):
    """A document and its current version."""

    id: UUID
    vault_id: UUID
    title: str = Field(examples=["Car insurance 2026"])
    tags: list[str]
    revision: int = Field(description="Counts changes of title, tags and file; the ETag is made of it.")
    created_at: datetime
    updated_at: datetime
    trashed_at: datetime | None
    version_id: UUID
    number: int = Field(description="Counts the versions of the document.")
    name: str = Field(description="The name of the file.", examples=["policy.pdf"])
    size: int = Field(description="Bytes.")
    media_type: str = Field(examples=["application/pdf"])
    sha256: str = Field(examples=[SHA256])
    job_id: UUID = Field(description="The job that reads the current version; see /v1/jobs/{job_id}.")


class DocumentPage(Page):
    """Documents, newest first."""

    items: list[DocumentRead]


class DocumentVersionRead(ResponseModel):
    """One file of a document."""

    id: UUID
    number: int
    name: str
    size: int
    media_type: str
    sha256: str
    job_id: UUID
    written_by: UUID
    created_at: datetime


class DocumentVersionPage(Page):
    """Versions of a document, newest first."""

    items: list[DocumentVersionRead]


class VersionCreate(RequestModel):
    """The text parts of the upload of a new version: there are none."""


class PruneRule(RequestModel):
    """Which versions stay: the newest ones, and those that are not old yet."""

    keep: Annotated[int, Field(ge=1, le=10_000, description="As many of the newest versions stay."), NumberOnly] = 1
    older_than_days: Annotated[int, Field(ge=1, le=36_500), NumberOnly] | None = Field(
        default=None, description="Only versions that are older than this are deleted."
    )


class VersionsPruned(ResponseModel):
    """Which versions were deleted."""

    deleted: list[int] = Field(description="The numbers of the versions.")
