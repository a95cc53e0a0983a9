"""Shapes of changes of many items at once."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import RequestModel, ResponseModel
from app.vault.schemas.items import MOST_TAGS, Tag

MOST_IDS = 5_000
A_UUID = "01a1fbe8-3eef-7d27-809c-9cfaba724faa"

ItemIds = Annotated[list[UUID], Field(min_length=1, max_length=MOST_IDS, examples=[[A_UUID]])]
SomeTags = Annotated[list[Tag], Field(min_length=1, max_length=MOST_TAGS, examples=[["travel"]])]


class BulkTrash(RequestModel):
    """Put into the trash, take out of it, or destroy what is in it."""

    action: Literal["trash", "restore", "purge"] = Field(examples=["trash"])
    item_ids: ItemIds


class BulkTag(RequestModel):
    """Add tags, or take them away; records that have them, or have them not, stay as they are."""

    action: Literal["tag", "untag"] = Field(examples=["tag"])
    item_ids: ItemIds
    tags: SomeTags


class BulkMove(RequestModel):
    """Move into another vault, with history, links and shares."""

    action: Literal["move"] = Field(examples=["move"])
    item_ids: ItemIds
    vault_id: UUID = Field(description="Where to.", examples=[A_UUID])


BulkChange = Annotated[BulkTrash | BulkTag | BulkMove, Field(discriminator="action")]


class MoveTo(RequestModel):
    """The vault that something is moved to."""

    vault_id: UUID = Field(examples=[A_UUID])


class BulkResult(ResponseModel):
    """What was changed, and what was as wanted already, both in the order of the request."""

    changed: list[UUID]
    unchanged: list[UUID]
