"""Which part of a list is asked for, as query parameters."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from app.api.pages import Cursor, Limit, cursor_of, parse_cursor
from app.vault.schemas.items import TypeName
from app.vault.service import Filters


class PageQuery(BaseModel):
    """Pages follow each other by cursors, so that new entries don't shift them."""

    model_config = ConfigDict(frozen=True)

    limit: Limit = 20
    cursor: Cursor = None

    def filters(self) -> Filters:
        """What the service understands. Raises `InvalidCursor`."""
        wanted = {name: value for name, value in self if name != "cursor"}
        return Filters(before=parse_cursor(self.cursor), **wanted)


class VaultQuery(PageQuery):
    """Vaults, or those in the trash."""

    trashed: bool = Field(default=False, description="What is in the trash instead.")


class DocumentQuery(VaultQuery):
    """What lies in one vault, or in all."""

    vault_id: UUID | None = Field(default=None, description="Only what is in this vault.")
    tag: str | None = Field(default=None, min_length=1, max_length=64, description="Only what has this tag.")


class ItemQuery(DocumentQuery):
    """Items of one type, or of all."""

    type: TypeName | None = Field(default=None, description="Only records of this type.")
    favourite: bool = Field(default=False, description="Only your favourites.")


class VaultPageQuery(PageQuery):
    """Of one vault, or of all."""

    vault_id: UUID | None = Field(default=None, description="Only those of this vault.")


Pages = Annotated[PageQuery, Query()]
PagesOfVault = Annotated[VaultPageQuery, Query()]
VaultFilters = Annotated[VaultQuery, Query()]
DocumentFilters = Annotated[DocumentQuery, Query()]
ItemFilters = Annotated[ItemQuery, Query()]


def next_cursor(last: UUID | None) -> str | None:
    """The cursor that continues after this row."""
    return cursor_of(last) if last else None
