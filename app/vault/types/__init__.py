"""Record types: what a passport or a car insurance consists of, as data.

Each JSON file beside this one is a group of types. A type's fields have a name, a label, a type of value, and whether a
complete record has it. Names that a type does not define are custom fields: they take values of every kind. People make
types of their own in a vault, with the same shape (see `app.vault.service.types`).
"""

from functools import cache, cached_property
from importlib.resources import files
from typing import Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from app.core.schemas import ResponseModel

FieldType = Literal[
    "text", "multiline", "secret", "date", "month", "number", "amount", "boolean", "choice", "email", "url", "phone"
]
DateRole = Literal["issued", "valid_from", "expires", "renews", "due", "birthday"]

DATES: Final = ("date", "month")
DEADLINES: Final = ("expires", "renews", "due")
"""The roles of dates by which somebody has to do something."""
CUSTOM: Final = "custom:"
"""Begins the names of types that people made; the rest is the id."""


class RecordField(ResponseModel):
    """A field of a record type. `required`: a record without it is accepted, and says in `missing` that it lacks it."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    name: str = Field(examples=["expires_on"])
    label: str = Field(examples=["Valid until"])
    type: FieldType = Field(description="A secret is a text that is masked, never searched, never told to an agent.")
    required: bool = False
    choices: list[str] = []
    role: DateRole | None = Field(default=None, description="What the date is about, for reminders.")


class RecordType(ResponseModel):
    """A kind of record."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    name: str = Field(examples=["passport"])
    label: str = Field(examples=["Passport"])
    group: str = Field(default="", examples=["identity"])
    icon: str = Field(default="", description="A word for a picture.", examples=["passport"])
    description: str = Field(default="", examples=["Proves who you are and where you belong, for journeys abroad."])
    credential: bool = Field(default=False, description="What opens something: the whole record is closed to agents.")
    fields: list[RecordField]

    @cached_property
    def secret_fields(self) -> list[str]:
        """The names of the fields whose values are secrets."""
        return [field.name for field in self.fields if field.type == "secret"]

    @cached_property
    def required_fields(self) -> list[str]:
        """The names of the fields that a complete record has."""
        return [field.name for field in self.fields if field.required]

    @cached_property
    def dates(self) -> list[tuple[str, DateRole | None]]:
        """The names of dates and months, with their roles."""
        return [(field.name, field.role) for field in self.fields if field.type in DATES]

    @cached_property
    def deadlines(self) -> list[str]:
        """The names of the dates by which somebody has to do something."""
        return [field.name for field in self.fields if field.role in DEADLINES]


@cache
def record_types() -> dict[str, RecordType]:
    """Every built-in record type by name, in the order of the files."""
    adapter = TypeAdapter(list[RecordType])
    found: dict[str, RecordType] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json"):
            group = file.name.removesuffix(".json")
            types = adapter.validate_json(file.read_bytes())
            found |= {each.name: each.model_copy(update={"group": group}) for each in types}
    return found


NAMES: Final = tuple(record_types())
