"""Shapes of links between records and documents."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from app.core.schemas import Clean, Page, RequestModel, ResponseModel
from app.vault.relations import BY_NAME

A_UUID = "01a1fbe8-3eef-7d27-809c-9cfaba724faa"
ANOTHER_UUID = "01a1fbe8-3eef-7d27-809c-9cfaba724fab"


def _known_relation(name: str) -> str:
    if name not in BY_NAME:
        raise ValueError("must be a relation, see /v1/vault/relations")
    return name


RelationName = Annotated[str, AfterValidator(_known_relation), Field(json_schema_extra={"enum": list(BY_NAME)})]
Label = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), Clean]


class ItemRef(RequestModel):
    """A record, for example a contact."""

    item_id: UUID = Field(examples=[A_UUID])


class DocumentRef(RequestModel):
    """A document."""

    document_id: UUID = Field(examples=[A_UUID])


ThingRef = ItemRef | DocumentRef
LINK: Final[dict[str, Any]] = {
    "source": {"item_id": A_UUID},
    "target": {"item_id": ANOTHER_UUID},
    "relation": "insures",
}


class LinkCreate(RequestModel):
    """`source` is in this relation to `target`: an insurance `insures` a car, a contact is `parent_of` a contact."""

    model_config = ConfigDict(json_schema_extra={"examples": [LINK]})

    source: ThingRef
    target: ThingRef
    relation: RelationName = Field(default="related", examples=["insures"])
    label: Label = Field(default="", description="In words of your own.", examples=["since the move"])


class LinkEnd(ResponseModel):
    """A record or a document at one end of a link; `type` is null for documents."""

    kind: Literal["item", "document"]
    id: UUID
    vault_id: UUID
    type: str | None = Field(examples=["vehicle"])
    title: str = Field(examples=["The old Volvo"])


class LinkRead(ResponseModel):
    """A link as it is from `source`: where links are listed, that is whose links they are."""

    id: UUID
    source: LinkEnd
    relation: str = Field(examples=["insures"])
    target: LinkEnd
    label: str
    vault_id: UUID = Field(description="The vault that it belongs to: whoever may write there may take it away.")
    written_by: UUID
    created_at: datetime


class LinkPage(Page):
    """Links, newest first."""

    items: list[LinkRead]


class RelationRead(ResponseModel):
    """A relation, and what it is called from the other end."""

    name: str = Field(examples=["insures"])
    inverse: str = Field(examples=["insured_by"])
    label: str = Field(examples=["insures"])


class RelationList(ResponseModel):
    """Every relation, by either of its names."""

    items: list[RelationRead]
