"""Record types: what a passport or a car insurance consists of, as data.

Each JSON file beside this one is a group of types. A type's fields have a name, a label, a type of value, and whether a
complete record has it. Names that a type does not define are custom fields: they take values of every kind.
"""

from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from app.core.schemas import ResponseModel

FieldType = Literal[
    "text", "multiline", "secret", "date", "month", "number", "amount", "boolean", "choice", "email", "url", "phone"
]


class RecordField(ResponseModel):
    """A field of a record type. `required`: a record without it is accepted, and says in `missing` that it lacks it."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    name: str = Field(examples=["expires_on"])
    label: str = Field(examples=["Valid until"])
    type: FieldType
    required: bool = False
    choices: list[str] = []


class RecordType(ResponseModel):
    """A kind of record."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    name: str = Field(examples=["passport"])
    label: str = Field(examples=["Passport"])
    group: str = Field(default="", examples=["identity"])
    fields: list[RecordField]


@cache
def record_types() -> dict[str, RecordType]:
    """Every record type by name, in the order of the files."""
    adapter = TypeAdapter(list[RecordType])
    found: dict[str, RecordType] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json"):
            group = file.name.removesuffix(".json")
            types = adapter.validate_json(file.read_bytes())
            found |= {each.name: each.model_copy(update={"group": group}) for each in types}
    return found


NAMES: Final = tuple(record_types())
