"""Keyset pages: opaque cursors over ids that sort by time."""

import base64
import binascii
from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.core.errors import BadRequest

Limit = Annotated[int, Query(ge=1, le=100, description="Most entries in one page.")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")]


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
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise InvalidCursor from None
