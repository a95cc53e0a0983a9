"""Keyset pages: opaque cursors over ids that sort by time."""

import base64
import re
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import WithJsonSchema

from app.core.errors import BadRequest

CURSOR = re.compile(r"^[A-Za-z0-9_-]{21}[AQgw]$", re.ASCII)  # 128 bits in base64url

Limit = Annotated[int, Query(ge=1, le=100, description="Most entries in one page.")]
CursorText = Annotated[str, WithJsonSchema({"type": "string", "pattern": CURSOR.pattern})]
Cursor = Annotated[CursorText | None, Query(description="`next_cursor` of the page before.")]


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
