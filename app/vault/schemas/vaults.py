"""Shapes of vaults, members and invitations."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.auth.addresses import EmailAddress
from app.core.schemas import Page, RequestModel, ResponseModel, ShortText

Kind = Literal["personal", "family"]
Tier = Literal["assisted", "sealed"]
Role = Literal["owner", "admin", "editor", "viewer"]
GrantedRole = Literal["admin", "editor", "viewer"]


class VaultCreate(RequestModel):
    """A new vault."""

    name: ShortText = Field(examples=["Family papers"])
    kind: Kind = Field(default="personal", description="A family vault can be shared.", examples=["family"])
    tier: Tier = Field(
        default="assisted",
        description="assisted: the server can open it for its members, search and answers. sealed: made by clients, "
        "at /v1/vault/sealed/vaults.",
        examples=["assisted"],
    )


class VaultUpdate(RequestModel):
    """Changes of a vault; what is left out stays."""

    name: ShortText | None = Field(default=None, examples=["Papers of the Lindqvists"])
    kind: Kind | None = Field(default=None, examples=["family"])


class VaultRead(ResponseModel):
    """A vault as one of its members sees it."""

    id: UUID
    name: str = Field(description="Empty for a sealed vault: only its items can say it.", examples=["Family papers"])
    kind: Kind
    tier: Tier
    role: Role = Field(description="Your role.")
    revision: int
    created_at: datetime
    updated_at: datetime
    trashed_at: datetime | None


class VaultPage(Page):
    """Vaults, newest first."""

    items: list[VaultRead]


class MemberUpdate(RequestModel):
    """A member's new role. The owner's is not given: it is offered, and accepted."""

    role: GrantedRole = Field(examples=["editor"])


class MemberRead(ResponseModel):
    """A member of a vault."""

    user_id: UUID
    name: str = Field(examples=["Astrid Lindqvist"])
    email: str = Field(examples=["astrid@example.org"])
    role: Role
    joined_at: datetime


class MemberList(ResponseModel):
    """All members, the first to join first."""

    items: list[MemberRead]


class InvitationCreate(RequestModel):
    """Whom to invite, and as what."""

    email: EmailAddress = Field(examples=["astrid@example.org"])
    role: GrantedRole = Field(default="viewer", examples=["editor"])


class InvitationRead(ResponseModel):
    """An open invitation."""

    id: UUID
    vault_id: UUID
    email: str = Field(examples=["astrid@example.org"])
    role: GrantedRole
    invited_by: UUID
    expires_at: datetime
    created_at: datetime


class InvitationList(ResponseModel):
    """The open invitations of a vault, the oldest first."""

    items: list[InvitationRead]


class InvitationAccept(RequestModel):
    """The token that came by e-mail."""

    token: str = Field(min_length=1, max_length=128, examples=["kT3fX0bM2vJq9rWc8nYp5sLd7hGa1zEu4iOw6xRt0AQ"])


class JobStarted(ResponseModel):
    """Work that goes on in the background; see /v1/jobs/{job_id}."""

    job_id: UUID
