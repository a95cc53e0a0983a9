"""Shapes of items and their versions."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StringConstraints
from typing_extensions import TypedDict

from app.core.schemas import Clean, LongText, Page, RequestModel, ResponseModel, ShortText
from app.vault.types import CUSTOM, NAMES

MOST_FIELDS = 100
MOST_TAGS = 50
LARGEST_NUMBER = 1_000_000_000_000_000


CUSTOM_NAME = rf"^{CUSTOM}[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$"
TYPE_NAMES = [{"enum": list(NAMES)}, {"pattern": CUSTOM_NAME}]


def _known_type(name: str) -> str:
    if name not in NAMES and not re.fullmatch(CUSTOM_NAME, name):
        raise ValueError("must be a record type, see /v1/vault/types")
    return name


TypeName = Annotated[
    str, AfterValidator(_known_type), Field(examples=["passport"], json_schema_extra={"anyOf": TYPE_NAMES})
]
FieldName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), Clean]
FieldText = Annotated[str, StringConstraints(max_length=20_000), Clean]
Integer = Annotated[StrictInt, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Real = Annotated[StrictFloat, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, allow_inf_nan=False)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), Clean]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS, examples=[["travel", "Astrid"]])]


class Amount(TypedDict):
    """Money: a decimal number as text, and an ISO 4217 currency."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    amount: Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$")]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def _say_names(schema: dict[str, Any]) -> None:
    """Limit names by `propertyNames`: programs that generate clients lose the values under `patternProperties`."""
    ((pattern, values),) = schema.pop("patternProperties").items()
    schema["propertyNames"]["pattern"] = pattern
    schema["additionalProperties"] = values


FieldValue = FieldText | StrictBool | Integer | Real | Amount
EXAMPLE = {"number": "K01234567", "full_name": "Astrid Lindqvist", "expires_on": "2031-05-31"}
Fields = Annotated[
    dict[FieldName, FieldValue], Field(max_length=MOST_FIELDS, examples=[EXAMPLE], json_schema_extra=_say_names)
]

FieldChanges = Annotated[
    dict[FieldName, FieldValue | None],
    Field(max_length=MOST_FIELDS, examples=[{"expires_on": "2041-05-31"}], json_schema_extra=_say_names),
]


class ItemCreate(RequestModel):
    """A new record. Names in `fields` that the type does not define are custom fields with a value of any kind."""

    vault_id: UUID = Field(examples=["01a1fbe8-3eef-7d27-809c-9cfaba724faa"])
    type: TypeName
    title: ShortText = Field(examples=["Astrid's passport"])
    fields: Fields = {}
    notes: LongText = Field(default="", examples=["In the drawer of the desk"])
    tags: Tags = []


class ItemUpdate(RequestModel):
    """Changes of a record; what is left out stays. `tags` are replaced as a whole.

    `fields` are merged (RFC 7396): a value sets the field, null removes it, fields that are not named stay.
    """

    title: ShortText | None = Field(default=None, examples=["Astrid's new passport"])
    fields: FieldChanges = {}
    notes: LongText | None = None
    tags: Tags | None = None


class ItemRead(ResponseModel):
    """A record."""

    id: UUID
    vault_id: UUID
    type: str = Field(examples=["passport"])
    title: str = Field(examples=["Astrid's passport"])
    fields: dict[str, Any] = Field(examples=[EXAMPLE])
    notes: str
    tags: list[str]
    missing: list[str] = Field(description="Fields that a complete record of this type has and this one lacks.")
    secret_fields: list[str] = Field(description="Fields whose values are to be masked.", examples=[[]])
    credential: bool = Field(description="Whether it opens something: then it is closed to agents.")
    favourite: bool = Field(description="Whether it is one of your favourites.")
    revision: int = Field(description="Counts changes; the ETag is made of it.")
    created_at: datetime
    updated_at: datetime
    trashed_at: datetime | None


class ItemPage(Page):
    """Records, newest first."""

    items: list[ItemRead]


class ItemVersionRead(ResponseModel):
    """What a record was before a change."""

    item_id: UUID
    revision: int
    title: str
    fields: dict[str, Any]
    notes: str
    tags: list[str]
    written_by: UUID
    written_at: datetime


class ItemVersionPage(Page):
    """Superseded versions, newest first."""

    items: list[ItemVersionRead]
