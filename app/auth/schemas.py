"""Shapes of accounts, sign-in and sessions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.auth.addresses import EmailAddress
from app.auth.principal import EVERY_SCOPE, SCOPES
from app.core.schemas import Clean, Page, RequestModel, ResponseModel, ShortText
from app.core.security import LONGEST_PASSWORD

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"  # noqa: S105
TOKEN = "X3cDk0Yxq0m6bq0v9mB2Wm1k3kz1cF4hV8nY7sT5uRw"  # noqa: S105

Password = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PASSWORD), Clean]
LoginName = Annotated[str, StringConstraints(min_length=1, max_length=320), Clean]
Token = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]

Scope = Annotated[
    str,
    Field(
        max_length=1_000,
        description="Separated by spaces; all if empty.",
        examples=[""],
        json_schema_extra={"pattern": f"^ *(({'|'.join(SCOPES)})( +|$))*$"},
    ),
]


class RegisterRequest(RequestModel):
    """A new account."""

    email: EmailAddress = Field(examples=[EMAIL])
    password: Password = Field(examples=[PASSWORD])
    name: ShortText = Field(examples=["Ada Lovelace"])


class Registered(ResponseModel):
    """The same for an address that has an account already: its owner is told by e-mail, nobody else."""

    id: UUID
    email: str
    name: str


class SignInRequest(RequestModel):
    """Sign-in as JSON."""

    email: LoginName = Field(examples=[EMAIL])
    password: Password = Field(examples=[PASSWORD])
    scope: Scope = ""


class TokenForm(RequestModel):
    """Sign-in as the form of OAuth 2 (RFC 6749 §4.3.2)."""

    grant_type: Literal["password"] = "password"
    username: LoginName = Field(description="The e-mail address.", examples=[EMAIL])
    password: Password = Field(examples=[PASSWORD])
    scope: Scope = ""
    client_id: str | None = Field(default=None, max_length=200, description="Not used.")
    client_secret: str | None = Field(default=None, max_length=200, description="Not used.")


class RefreshRequest(RequestModel):
    """A refresh token, which is used up by this."""

    refresh_token: Token = Field(examples=[TOKEN])


class TokenPair(ResponseModel):
    """Tokens of a session; `expires_in` is the life of the access token in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(examples=[900])
    scope: str = Field(examples=[EVERY_SCOPE])


class EmailRequest(RequestModel):
    """An e-mail address; what it is answered never depends on whether it has an account."""

    email: EmailAddress = Field(examples=[EMAIL])


class VerifyRequest(RequestModel):
    """The token of the link that was sent."""

    token: Token = Field(examples=[TOKEN])


class ResetRequest(RequestModel):
    """The token of the link that was sent, and the new password."""

    token: Token = Field(examples=[TOKEN])
    password: Password = Field(examples=[PASSWORD])


class PasswordChange(RequestModel):
    """The old and the new password."""

    current_password: Password = Field(examples=[PASSWORD])
    new_password: Password = Field(examples=["staple and nine clouds"])


class MeUpdate(RequestModel):
    """What can be changed of an account."""

    name: ShortText = Field(examples=["Ada King"])


class MeRead(ResponseModel):
    """Your account."""

    id: UUID
    email: str = Field(examples=[EMAIL])
    name: str = Field(examples=["Ada Lovelace"])
    email_verified: bool
    created_at: datetime


class SessionRead(ResponseModel):
    """A sign-in on a device; `last_seen_at` is kept to the hour."""

    id: UUID
    device: str = Field(examples=["Firefox on Linux"])
    address: str = Field(examples=["203.0.113.7"])
    current: bool
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class SessionPage(Page):
    """Sessions, newest first."""

    items: list[SessionRead]
