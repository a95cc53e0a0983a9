"""Shapes of the search of items."""

import re
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from app.core.schemas import Clean, RequestModel, ResponseModel, Whole
from app.vault.schemas.items import ItemRead, Tags, TypeName
from app.vault.types import DateRole

MOST_VAULTS = 100
MOST_TYPES = 100
RANKED_CURSOR = r"^[A-Za-z0-9_-]{24}$"  # a rank of 16 bits and an id of 128, in base64url

A_UUID = "01a1fbe8-3eef-7d27-809c-9cfaba724faa"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _only_a_day(value: Any) -> Any:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a date like 2031-05-31")
    return value


Day = Annotated[date, BeforeValidator(_only_a_day)]
Query = Annotated[str, StringConstraints(max_length=200), Clean]
RankedCursor = Annotated[str, StringConstraints(pattern=RANKED_CURSOR)]


class DatesWithin(RequestModel):
    """Dates of records: one of them lies within these days, both included."""

    from_on: Day | None = Field(default=None, examples=["2027-01-01"])
    to_on: Day | None = Field(default=None, examples=["2027-03-31"])
    role: DateRole | None = Field(default=None, description="Only dates of this role.", examples=["expires"])


class ItemSearch(RequestModel):
    """What to look for: every word must be found, by its beginning at least. Without words the filters alone count."""

    query: Query = Field(default="", examples=["passport astrid"])
    vault_ids: list[UUID] | None = Field(default=None, max_length=MOST_VAULTS, examples=[[A_UUID]])
    types: list[TypeName] | None = Field(default=None, max_length=MOST_TYPES, examples=[["passport", "visa"]])
    tags: Tags = Field(default=[], description="Records that have all of these.")
    dates: DatesWithin | None = None
    changed_from: Day | None = Field(default=None, description="Changed on this day (UTC) or later.")
    favourite: bool = Field(default=False, description="Only your favourites.")
    trashed: bool = Field(default=False, description="What is in the trash instead.")
    limit: Whole = Field(default=20, ge=1, le=100)
    cursor: RankedCursor | None = Field(default=None, examples=[None], description="`next_cursor` of the page before.")


class Match(ResponseModel):
    """Where a word was found; `name` is that of a field or a tag."""

    part: Literal["title", "type", "tag", "field", "notes"]
    name: str | None = Field(examples=["full_name"])


class ItemHit(ResponseModel):
    """A record that was found. The score is from 0 to 1000; equal ones come newest first."""

    item: ItemRead
    score: int = Field(examples=[800])
    matches: list[Match]


class ItemHits(ResponseModel):
    """The best first; `next_cursor` is null on the last page, `total` counts all that were found."""

    hits: list[ItemHit]
    total: int
    next_cursor: str | None
