"""Shapes of what changed between two versions of an item."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import RequestModel, ResponseModel
from app.vault.schemas.items import FieldName

Part = Literal["title", "notes", "field", "tag"]
Change = Literal["added", "removed", "changed"]


class ChangeRead(ResponseModel):
    """One difference. `before` is null for what was added, `after` for what was removed."""

    part: Part
    name: str | None = Field(description="The field or the tag.", examples=["expires_on"])
    change: Change
    before: Any = Field(examples=["2031-05-31"])
    after: Any = Field(examples=["2041-05-31"])
    secret: bool = Field(description="Whether the values are to be masked.")


class ItemDiff(ResponseModel):
    """What changed from one revision of an item to another: title, notes, fields and tags, in this order."""

    item_id: UUID
    from_revision: int
    to_revision: int
    changes: list[ChangeRead]


class RestoreField(RequestModel):
    """One field of an earlier version; a field that it did not have is taken away."""

    part: Literal["field"] = Field(examples=["field"])
    name: FieldName = Field(examples=["number"])


class RestoreText(RequestModel):
    """Title, notes or tags of an earlier version."""

    part: Literal["title", "notes", "tags"] = Field(examples=["notes"])


RestorePart = Annotated[RestoreField | RestoreText, Field(discriminator="part")]
