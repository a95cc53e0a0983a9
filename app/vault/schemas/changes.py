"""Shapes of the feed of changes."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import ResponseModel
from app.vault.schemas.documents import DocumentRead
from app.vault.schemas.items import ItemRead
from app.vault.schemas.links import LinkRead
from app.vault.schemas.types import RecordTypeRead
from app.vault.schemas.vaults import MemberRead, VaultRead

Change = Literal["created", "updated", "trashed", "restored", "purged", "granted", "changed", "removed"]


class ChangeRead(ResponseModel):
    """The last that happened to one thing."""

    kind: str = Field(description="vault, member, access, item, document, type, link, reminder, …", examples=["item"])
    change: Change
    vault_id: UUID = Field(description="Your own id for what is yours alone, such as a reminder without a vault.")
    subject_id: UUID = Field(description="The vault, person, item, document, reminder, …")
    revision: int | None = Field(description="Of what counts its revisions: yours is up to date if it is the same.")
    at: datetime
    content: ItemRead | DocumentRead | VaultRead | MemberRead | RecordTypeRead | LinkRead | None = Field(
        description="What can be read now, if you asked for it; null for what is gone or in the trash."
    )


class ChangePage(ResponseModel):
    """Changes, in the order of the transactions that made them."""

    items: list[ChangeRead]
    until: str = Field(description="The cursor to ask again with.", examples=["AZt3mP2QeJ6Y8tN0c5uVxA"])
    has_more: bool = Field(description="Whether there is more at once.")
    reset: bool = Field(description="Your cursor was too old, or of another time: this answer begins anew.")
