"""Shapes of what is on its way into vaults or out of them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import orjson
from pydantic import Field, field_validator

from app.core.schemas import Page, RequestModel, ResponseModel, ShortText
from app.vault.schemas.items import Tags, TypeName


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


class Passphrase(RequestModel):
    """Who knows it opens the file."""

    passphrase: str = Field(min_length=10, max_length=1_000, examples=["seven green kettles on the shelf"])


class Recipient(RequestModel):
    """Who has the secret key of this public key opens the file."""

    recipient: str = Field(
        pattern=r"^age1[02-9ac-hj-np-z]{58}$",
        description="A public key of age (X25519).",
        examples=["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
    )


class ExportCreate(RequestModel):
    """What to take along, and how the file is protected on its way.

    `lifevault` is a ZIP that opens without us, with everything; encrypted, it is a file of age (age-encryption.org).
    `bitwarden` is the JSON of that program, without files; a passphrase makes it one of its protected exports.
    """

    vault_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="All vaults that you can read, if left out.", examples=[None]
    )
    format: Literal["lifevault", "bitwarden"] = "lifevault"
    protection: Passphrase | Recipient | None = Field(
        default=None, description="Without it everybody who gets hold of the file can read it."
    )


class ExportRead(ResponseModel):
    """An export; `ready` as soon as it can be downloaded, until it expires."""

    id: UUID
    format: Literal["lifevault", "bitwarden"]
    vault_ids: list[UUID]
    job_id: UUID = Field(description="The job that writes it; see /v1/jobs/{job_id}.")
    ready: bool
    name: str | None = Field(examples=["lifevault-export-2026-11-29.zip"])
    size: int | None = Field(description="Bytes.")
    sha256: str | None
    expires_at: datetime
    created_at: datetime
    finished_at: datetime | None


class ExportPage(Page):
    """Exports, newest first."""

    items: list[ExportRead]


ImportFormat = Literal["bitwarden_json", "bitwarden_zip", "onepux", "csv", "lifevault"]


class ImportCreate(RequestModel):
    """The text parts of the form that an export of another program is sent with."""

    vault_id: UUID
    format: Literal["auto"] | ImportFormat = Field(default="auto", description="Told from the file, if left out.")
    password: str | None = Field(
        default=None, min_length=1, max_length=1_000, description="Of an export that is protected by one."
    )
    mapping: Annotated[dict[str, str], Field(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="Of a CSV that is not known, as JSON: our fields (title, notes, tags, username, …) by columns.",
    )
    record_type: TypeName = Field(default="login", description="What the lines of a CSV become.")

    @field_validator("mapping", mode="before")
    @classmethod
    def _loaded(cls, value: object) -> object:
        try:
            return orjson.loads(value) if isinstance(value, str) else value
        except orjson.JSONDecodeError:
            raise ValueError("must be JSON") from None


class ImportRead(ResponseModel):
    """An import, and how many of its entries came to what; they are listed at …/entries."""

    id: UUID
    vault_id: UUID
    name: str = Field(description="The name of the file.", examples=["bitwarden_export.json"])
    format: ImportFormat | None = Field(description="Known as soon as the file is read.")
    job_id: UUID = Field(description="The job that does it; see /v1/jobs/{job_id}.")
    total: int | None = Field(description="Entries of the file.")
    imported: int
    duplicate: int = Field(description="The vault had them already.")
    refused: int
    created_at: datetime
    finished_at: datetime | None = Field(description="When the file was destroyed, and nothing more will come of it.")


class ImportPage(Page):
    """Imports, newest first."""

    items: list[ImportRead]


class ImportEntryRead(ResponseModel):
    """What became of one entry."""

    id: UUID
    ordinal: int = Field(description="Its place in the file, from 0.")
    outcome: Literal["imported", "duplicate", "refused"]
    title: str
    reason: str | None = Field(description="Why it was refused, as a stable word.", examples=["too-long-or-invalid"])
    detail: str = Field(description="In words: what was refused or left out.")
    item_id: UUID | None
    document_id: UUID | None


class ImportEntryPage(Page):
    """Entries of an import in the order of the file."""

    items: list[ImportEntryRead]
