"""Shapes of exports."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import Page, RequestModel, ResponseModel


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
    What is in sealed vaults stays sealed in it, for `lifevault sealed open` and your password.
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
