"""Shapes of legacy keys and their sheets."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from app.core.schemas import Clean, RequestModel, ResponseModel, Whole

MOST_HOLDERS = 16  # members of a group, SLIP-0039
WORDS = "academic acid acrobat …"

Holders = Annotated[
    list[UUID], Field(min_length=1, max_length=MOST_HOLDERS, examples=[["01a1fbe8-3eef-7d27-809c-9cfaba724faa"]])
]


class LegacyKeyCreate(RequestModel):
    """Who gets a sheet, and how many of these sheets open together with your own or with the server's part."""

    nominee_ids: Holders
    nominees_needed: Whole = Field(default=1, ge=1, le=MOST_HOLDERS, examples=[2])
    fingerprint: Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z -]*$")] = Field(
        default="", description="The words of your own keys, to be printed on the sheets, if you have sealed vaults."
    )


class LegacyKeyRegister(RequestModel):
    """A legacy key whose sheets your own device has printed: only its public half and the server's part are sent."""

    id: UUID = Field(
        description="The set that stands on the sheets.", examples=["01a1fbe8-3eef-7d27-809c-9cfaba724fac"]
    )
    public_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{123}=$")] = Field(
        description="Base64 of the public identity, as app.sealed writes it.", examples=["A" * 123 + "="]
    )
    server_sheet: Annotated[str, StringConstraints(min_length=1, max_length=2_000), Clean] = Field(examples=[WORDS])
    nominee_ids: Holders
    nominees_needed: Whole = Field(default=1, ge=1, le=MOST_HOLDERS, examples=[2])


class LegacyKeyRead(ResponseModel):
    """A legacy key. Sealed vaults and exports are made readable for `public_key`; its secret is on paper only."""

    id: UUID
    public_key: str = Field(description="Base64 of the public identity, as app.sealed writes it.")
    recipient: str = Field(description="The same for exports, as an age recipient.", examples=["age1…"])
    nominees_needed: int
    nominee_ids: list[UUID]
    made_on: date
    created_at: datetime


class LegacyKeyList(ResponseModel):
    """Legacy keys, newest first; the first is the present one."""

    items: list[LegacyKeyRead]


class ServerSheet(ResponseModel):
    """The server's part of a legacy key, as words."""

    legacy_key_id: UUID
    words: str = Field(examples=[WORDS])


class ServerSheetList(ResponseModel):
    """The server's parts, those of the newest keys first."""

    items: list[ServerSheet]
