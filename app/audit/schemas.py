"""Shapes of the log."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from app.audit.kinds import ActorKind
from app.core.schemas import Page, ResponseModel

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["5d41" * 16])]


class EntryRead(ResponseModel):
    """One act. `hash` is the SHA-256 of the entry and of the hash before it, see `GET /v1/audit/keys`."""

    sequence: int = Field(ge=1)
    action: str = Field(examples=["vault.item_created"])
    actor_kind: ActorKind = Field(
        description="Who did it: a person, what acts for one, a nominee of the owner; or the service itself."
    )
    actor_id: UUID | None = Field(description="The person.")
    subject_id: UUID | None = Field(description="What it was done to.")
    ids: dict[str, Any] = Field(description="What else belongs to it: ids, numbers, words of the service.")
    at: datetime = Field(description="By the clock of the database.")
    key_version: int
    hash: Hash


class EntryPage(Page):
    """Entries, the last one first."""

    items: list[EntryRead]


class HeadRead(ResponseModel):
    """The end of a log, signed. Keep it: a log that does not contain it any more was cut or changed."""

    chain_id: UUID = Field(description="The vault, or the account.")
    sequence: int = Field(ge=0, description="How many entries there are.")
    hash: Hash = Field(description="The hash of the last one.")
    signature: str = Field(description="Ed25519, base64.", examples=["pQ" * 43 + "=="])
    key_version: int
    key: str = Field(description="The public key, base64; one of `GET /v1/audit/keys`.", examples=["Ha" * 21 + "s="])


class KeyRead(ResponseModel):
    """A public key that heads are signed with."""

    version: int
    algorithm: Literal["Ed25519"]
    key: str = Field(description="32 bytes, base64.", examples=["Ha" * 21 + "s="])


class KeyList(ResponseModel):
    """The keys, the newest first."""

    items: list[KeyRead]
