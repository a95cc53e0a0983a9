"""Shapes of record types."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from app.core.schemas import Clean, Page, RequestModel, ShortText
from app.vault.schemas.items import MOST_FIELDS, FieldName
from app.vault.types import DateRole, FieldType, RecordType

MOST_CHOICES = 100

Icon = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,40}$")]
Description = Annotated[str, StringConstraints(max_length=500), Clean]
Choices = Annotated[list[ShortText], Field(max_length=MOST_CHOICES)]
EXAMPLE = {"name": "range", "label": "Range in metres", "type": "number"}


class FieldDefinition(RequestModel):
    """A field of a type. `choices` belong to the type `choice`, a `role` to dates and months."""

    name: FieldName = Field(examples=["range"])
    label: ShortText = Field(examples=["Range in metres"])
    type: FieldType = Field(examples=["number"])
    required: bool = Field(default=False, description="Whether a complete record has it.")
    choices: Choices = []
    role: DateRole | None = Field(default=None, description="What the date is about.", examples=[None])


Definitions = Annotated[list[FieldDefinition], Field(max_length=MOST_FIELDS, examples=[[EXAMPLE]])]


class TypeCreate(RequestModel):
    """A record type for a vault; the names of its fields differ."""

    vault_id: UUID = Field(examples=["01a1fbe8-3eef-7d27-809c-9cfaba724faa"])
    label: ShortText = Field(examples=["Drone"])
    icon: Icon = Field(default="", examples=["drone"])
    description: Description = Field(default="", examples=["What flies, and where it is registered."])
    credential: bool = Field(default=False, description="Whether its records are closed to agents.")
    fields: Definitions


class TypeUpdate(RequestModel):
    """Changes of a type; what is left out stays, `fields` are replaced as a whole."""

    label: ShortText | None = Field(default=None, examples=["Drone or model plane"])
    icon: Icon | None = None
    description: Description | None = None
    credential: bool | None = None
    fields: Definitions | None = None


class RecordTypeRead(RecordType):
    """A record type; one that people made has an `id`, and records name it by its `name`."""

    id: UUID | None
    vault_id: UUID | None
    revision: int | None = Field(description="Counts changes; the ETag is made of it.")


class RecordTypePage(Page):
    """The built-in types on the first page, then those that people made, newest first."""

    items: list[RecordTypeRead]
