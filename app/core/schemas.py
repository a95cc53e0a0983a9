"""Base shapes of requests and answers."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def _no_control_characters(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters or unpaired surrogates")
    return text


Clean = AfterValidator(_no_control_characters)
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Clean]
LongText = Annotated[str, StringConstraints(max_length=100_000), Clean]


class RequestModel(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResponseModel(BaseModel):
    """An answer: no defaults, so that every field is always there."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Page(ResponseModel):
    """One page of a list; `next_cursor` is null on the last one."""

    next_cursor: str | None
