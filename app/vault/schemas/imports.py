"""Shapes of imports."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, field_validator

from app.core.schemas import Page, RequestModel, ResponseModel
from app.vault.types import NAMES


def _built_in(name: str) -> str:
    if name not in NAMES:
        raise ValueError("must be a built-in record type, see /v1/vault/types")
    return name


BuiltInName = Annotated[str, AfterValidator(_built_in), Field(json_schema_extra={"enum": list(NAMES)})]
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
    record_type: BuiltInName = Field(default="login", description="What the lines of a CSV become.")

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
