"""Which part of a log is asked for, as query parameters."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from app.api.pages import Cursor, Limit, cursor_of, parse_cursor
from app.audit.service import Filters

LAST_NUMBER: Final = 2**63 - 1
ACTION: Final = r"^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$"
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # nothing is logged outside of these


def _written_out(value: str) -> str:
    if not TIME.fullmatch(value):
        raise ValueError("must be a time with its offset, as in RFC 3339")
    return value


def _within(at: datetime) -> datetime:
    return min(max(at, FIRST), LAST)


Time = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_within)]


class LogQuery(BaseModel):
    """Entries of a log."""

    model_config = ConfigDict(frozen=True)

    limit: Limit = 20
    cursor: Cursor = None
    action: str | None = Field(default=None, max_length=100, pattern=ACTION, description="Only these acts.")
    since: Time | None = Field(default=None, description="Not before this time.")
    until: Time | None = Field(default=None, description="Before this time.")

    def filters(self) -> Filters:
        """What the service understands; a number that is too large is after the end. Raises `InvalidCursor`."""
        before = parse_cursor(self.cursor)
        number = min(before.int, LAST_NUMBER) if before is not None else None
        return Filters(before=number, **self.model_dump(exclude={"cursor"}))


class VaultLogQuery(LogQuery):
    """Entries of a log in which several people act."""

    actor_id: UUID | None = Field(default=None, description="Only what this person did.")


OwnLogPages = Annotated[LogQuery, Query()]
LogPages = Annotated[VaultLogQuery, Query()]


def numbered_cursor(last: int | None) -> str | None:
    """The cursor that continues before this entry."""
    return cursor_of(UUID(int=last)) if last else None
