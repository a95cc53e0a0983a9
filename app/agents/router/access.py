"""Who may use agents, and pages of their lists."""

from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from fastapi import Security

from app.api.deps import get_principal
from app.api.pages import cursor_of
from app.auth.principal import Principal

Runner = Annotated[Principal, Security(get_principal, scopes=["agents:run"])]


class Row(Protocol):
    """Something with an id that sorts by time."""

    @property
    def id(self) -> UUID:
        """Its id."""


T = TypeVar("T", bound=Row)


def page_of(rows: Sequence[T], limit: int) -> tuple[list[T], str | None]:
    """The rows to show, of which one more than `limit` was asked for, and the cursor of the next page."""
    shown = list(rows[:limit])
    return shown, cursor_of(shown[-1].id) if len(rows) > limit else None
