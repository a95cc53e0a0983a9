"""Shapes of shares: links for people outside, to one record or one file."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.core.schemas import Clean, Page, RequestModel, ResponseModel, Whole
from app.vault.schemas.links import A_UUID, ItemRef
from app.vault.types import FieldType

TOKEN = "kT3fX0bM2vJq9rWc8nYp5sLd7hGa1zEu4iOw6xRt0AQ"  # noqa: S105
MOST_HOURS = 366 * 24
MOST_VIEWS = 1_000

ShareToken = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
NewPassword = Annotated[str, StringConstraints(min_length=8, max_length=200), Clean]
GivenPassword = Annotated[str, StringConstraints(max_length=200), Clean]
Name = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True), Clean]


class VersionRef(RequestModel):
    """A file: the present version of a document, or an earlier one. Later versions are not shared."""

    document_id: UUID = Field(examples=[A_UUID])
    version: Whole | None = Field(default=None, ge=1, le=2**31 - 1, description="The number of an earlier version.")


class ShareCreate(RequestModel):
    """What to share, for how long, and what it takes to open it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": {"item_id": A_UUID}, "hours": 48}]})

    subject: ItemRef | VersionRef
    name: Name = Field(default="", description="For you alone.", examples=["For the notary"])
    hours: Whole = Field(default=7 * 24, ge=1, le=MOST_HOURS, description="Until it expires.")
    max_views: Whole | None = Field(default=None, ge=1, le=MOST_VIEWS, description="How often it opens.", examples=[3])
    password: NewPassword | None = Field(default=None, examples=["horse battery staple"])
    secrets: bool = Field(default=True, description="Whether a record is shared with the values of its secret fields.")


State = Literal["open", "suspended", "used_up", "expired", "revoked"]


class ShareSubject(ResponseModel):
    """What is shared; `version` is that of a document."""

    kind: Literal["item", "document"]
    id: UUID
    version: int | None
    title: str = Field(examples=["Car insurance 2026"])


class ShareRead(ResponseModel):
    """A share. It is suspended while what it is about is in the trash, or who made it may not share it."""

    id: UUID
    vault_id: UUID
    user_id: UUID = Field(description="Who made it.")
    subject: ShareSubject
    name: str
    state: State
    has_password: bool
    secrets: bool
    max_views: int | None
    views: int
    expires_at: datetime
    revoked_at: datetime | None
    viewed_at: datetime | None
    created_at: datetime


class ShareCreated(ShareRead):
    """A new share with its token, which is shown this once."""

    token: str = Field(examples=[TOKEN])
    url: str = Field(
        description="A page for people. The token stands behind the #, which browsers don't send.",
        examples=[f"https://vault.example/v1/vault/shared#{TOKEN}"],
    )


class SharePage(Page):
    """Shares, newest first."""

    items: list[ShareRead]


class ShareViewRead(ResponseModel):
    """One time that a share was opened, or refused for a wrong password."""

    id: UUID
    outcome: Literal["opened", "refused"]
    device: str = Field(examples=["Firefox on Windows"])
    viewed_at: datetime


class ShareViewPage(Page):
    """What happened to a share, newest first."""

    items: list[ShareViewRead]


class ShareOpen(RequestModel):
    """The token of a share, and its password if it has one."""

    token: ShareToken = Field(examples=[TOKEN])
    password: GivenPassword = Field(default="", examples=["horse battery staple"])


class ShareTicket(RequestModel):
    """The ticket that came with a shared file."""

    ticket: ShareToken = Field(examples=[TOKEN])


class SharedField(ResponseModel):
    """A field of a shared record."""

    name: str = Field(examples=["number"])
    label: str = Field(examples=["Passport number"])
    type: FieldType
    value: Any = Field(examples=["K01234567"])


class SharedItem(ResponseModel):
    """A record as it is shown to people outside."""

    type: str = Field(examples=["passport"])
    label: str = Field(examples=["Passport"])
    title: str = Field(examples=["Astrid's passport"])
    fields: list[SharedField]
    notes: str


class SharedFile(ResponseModel):
    """A file that can be fetched with the ticket, also repeatedly, until then or until the share is over."""

    title: str = Field(examples=["Car insurance 2026"])
    name: str = Field(examples=["policy.pdf"])
    size: int = Field(description="Bytes.")
    media_type: str = Field(examples=["application/pdf"])
    sha256: str
    ticket: str = Field(examples=[TOKEN])
    ticket_expires_at: datetime


class SharedRead(ResponseModel):
    """What is shared: a record or a file."""

    shared_by: str = Field(examples=["Ada Lovelace"])
    expires_at: datetime
    views_left: int | None
    item: SharedItem | None
    file: SharedFile | None
