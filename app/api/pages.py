"""Keyset pages: opaque cursors over ids that sort by time, or over moments and ids."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from pydantic import WithJsonSchema

from app.core.errors import BadRequest

CURSOR = re.compile(r"^[A-Za-z0-9_-]{21}[AQgw]$", re.ASCII)  # 128 bits in base64url

Limit = Annotated[int, Query(ge=1, le=100, description="Most entries in one page.")]
CursorText = Annotated[str, WithJsonSchema({"type": "string", "pattern": CURSOR.pattern})]
Cursor = Annotated[CursorText | None, Query(description="`next_cursor` of the page before.")]

PLACE: Final = re.compile(r"^[A-Za-z0-9_-]{32}$", re.ASCII)  # 64 bits of microseconds, and 128 of an id
PlaceText = Annotated[str, WithJsonSchema({"type": "string", "pattern": PLACE.pattern})]
PlaceCursor = Annotated[PlaceText | None, Query(description="`next_cursor` of the page before.")]
BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
LONGEST: Final = datetime(9999, 12, 31, tzinfo=UTC) - BEGINNING


class InvalidCursor(BadRequest):
    """Not a cursor of ours."""

    title = "The cursor is not valid"


def cursor_of(row_id: UUID) -> str:
    """The cursor that continues after this row."""
    return base64.urlsafe_b64encode(row_id.bytes).decode().rstrip("=")


def parse_cursor(cursor: str | None) -> UUID | None:
    """The row that a page continues after. Raises `InvalidCursor`."""
    if cursor is None:
        return None
    if not CURSOR.fullmatch(cursor):
        raise InvalidCursor
    return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))


def cursor_of_place(moment: datetime, row_id: UUID) -> str:
    """The cursor that continues after this row of a list that is in the order of moments."""
    microseconds = (moment - BEGINNING) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(microseconds.to_bytes(8) + row_id.bytes).decode()


def parse_place(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The moment and the row that a page continues after. Raises `InvalidCursor`."""
    if cursor is None:
        return None
    if not PLACE.fullmatch(cursor):
        raise InvalidCursor
    raw = base64.urlsafe_b64decode(cursor)
    microseconds = min(int.from_bytes(raw[:8]), LONGEST // timedelta(microseconds=1))
    return BEGINNING + timedelta(microseconds=microseconds), UUID(bytes=raw[8:])
