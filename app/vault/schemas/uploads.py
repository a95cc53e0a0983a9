"""Shapes of uploads in parts."""

from datetime import datetime
from uuid import UUID

from pydantic import Field, field_validator

from app.core.schemas import RequestModel, ResponseModel, ShortText
from app.vault.schemas.items import Tags


class UploadMetadata(RequestModel):
    """What `Upload-Metadata` says of a file. Other keys, such as those that clients send by themselves, are kept."""

    model_config = {"extra": "ignore", "frozen": True}

    vault_id: UUID | None = None
    document_id: UUID | None = Field(default=None, description="The document that gets a new version.")
    filename: str | None = None
    title: ShortText | None = None
    tags: Tags = []

    @field_validator("tags", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [tag for tag in value.split(",") if tag.strip()] if isinstance(value, str) else value


class UploadRead(ResponseModel):
    """A file that arrives in parts; it is a version of a document as soon as the last byte is there."""

    id: UUID
    vault_id: UUID
    name: str = Field(description="The name of the file.", examples=["policy.pdf"])
    length: int = Field(description="Bytes of the whole file.")
    offset: int = Field(description="Bytes that have arrived and are kept.")
    metadata: str = Field(description="`Upload-Metadata` as it was sent.")
    document_id: UUID | None = Field(description="The document, when all bytes are there.")
    version_id: UUID | None
    job_id: UUID | None = Field(description="The job that reads the new version; see /v1/jobs/{job_id}.")
    expires_at: datetime = Field(description="What is not finished by then is deleted; each part puts it off.")
    created_at: datetime
