"""Base shapes of requests and answers."""

import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

from app.core.plain import written

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_CLEAN = r"[^\x00-\x08\x0b\x0c\x0e-\x1f]*"
CLEAN_PATTERN = f"^{_CLEAN}$"
FILLED_PATTERN = rf"^{_CLEAN}[^\s\x00-\x1f]{_CLEAN}$"


def _no_control_characters(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters or unpaired surrogates")
    return text


class _Clean:
    """A text without control characters; its JSON Schema says so, and that a text which is stripped is not blank."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_no_control_characters, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        text: dict[str, Any] = dict(schema.get("schema", {}))  # the constraints that stand before `Clean`
        stripped = text.get("strip_whitespace") and text.get("min_length")
        return {"pattern": FILLED_PATTERN if stripped else CLEAN_PATTERN, **handler(schema)}


Clean = _Clean()
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Clean]
LongText = Annotated[str, StringConstraints(max_length=100_000), Clean]


def _not_text(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


NumberOnly = BeforeValidator(_not_text)  # stands after the bounds of a number: those that follow it are not documented
Whole = Annotated[int, NumberOnly]  # an integer of JSON: 10 and 10.0, but not "10" and not true


class RequestModel(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ResponseModel(BaseModel):
    """An answer: no defaults, so that every field is always there."""

    model_config = ConfigDict(from_attributes=True, frozen=True, defer_build=True)

    def to_json(self) -> bytes:
        """The answer as JSON in UTF-8, by the names of the contract."""
        content = written(self)
        return self.__pydantic_serializer__.to_json(self, by_alias=True) if content is None else content


class Page(ResponseModel):
    """One page of a list; `next_cursor` is null on the last one."""

    next_cursor: str | None
