"""Which part of a log is asked for, as query parameters."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.api.pages import Cursor, InvalidCursor, Limit, cursor_of, parse_cursor
from app.audit.service import Filters

LAST_NUMBER: int = 2**63 - 1
ACTION = r"^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$"


class LogQuery(BaseModel):
    """Entries of a log."""

    model_config = ConfigDict(frozen=True)

    limit: Limit = 20
    cursor: Cursor = None
    action: str | None = Field(default=None, max_length=100, pattern=ACTION, description="Only these acts.")
    since: AwareDatetime | None = Field(default=None, description="Not before this time.")
    until: AwareDatetime | None = Field(default=None, description="Before this time.")

    def filters(self) -> Filters:
        """What the service understands. Raises `InvalidCursor`."""
        before = parse_cursor(self.cursor)
        if before is not None and not 0 < before.int <= LAST_NUMBER:
            raise InvalidCursor
        return Filters(before=before.int if before is not None else None, **self.model_dump(exclude={"cursor"}))


class VaultLogQuery(LogQuery):
    """Entries of a log in which several people act."""

    actor_id: UUID | None = Field(default=None, description="Only what this person did.")


OwnLogPages = Annotated[LogQuery, Query()]
LogPages = Annotated[VaultLogQuery, Query()]


def numbered_cursor(last: int | None) -> str | None:
    """The cursor that continues before this entry."""
    return cursor_of(UUID(int=last)) if last else None
