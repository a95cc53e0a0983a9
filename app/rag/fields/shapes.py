"""What is told about a value that stands in a document."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

VERSION: Final = "1"
"""Raised whenever other fields would be found; documents that an earlier one has read are gone through again."""


class FieldKind(StrEnum):
    """What sort of value it is."""

    DATE = "date"
    AMOUNT = "amount"
    PERCENTAGE = "percentage"
    NUMBER = "number"
    IBAN = "iban"
    MRZ = "mrz"
    PHONE = "phone"
    EMAIL = "email"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Field:
    """A value: `text` is exactly the characters [start, end) of the page, `value` what it means.

    `role` is what the value is for its document (`expires`, `policy`, `premium`, `holder`; `other` if nothing tells),
    `label` the words that introduce it. Dates are `2031-05-31` or `2031-05`, amounts and percentages decimal numbers,
    phone numbers digits with a leading + if they are international, identifiers without spaces; a machine-readable
    zone keeps its lines. `checksum` tells whether the check digits fit; None where there are none. `confidence` is an
    estimate, 0 to 1.
    """

    kind: FieldKind
    role: str
    label: str
    value: str
    text: str
    page: int
    start: int
    end: int
    confidence: float
    currency: str | None = None
    checksum: bool | None = None


_NAMES = ("kind", "role", "label", "value", "text", "start", "end", "confidence", "currency", "checksum")


def encode(fields: list[Field]) -> bytes:
    """The fields of one page as bytes."""
    return orjson.dumps([[getattr(field, name) for name in _NAMES] for field in fields])


def decode(page: int, data: bytes) -> list[Field]:
    """What `encode` was given for this page."""
    rows: list[list[Any]] = orjson.loads(data)
    return [_field(page, dict(zip(_NAMES, row, strict=True))) for row in rows]


def _field(page: int, values: dict[str, Any]) -> Field:
    return Field(**{**values, "kind": FieldKind(values["kind"])}, page=page)
