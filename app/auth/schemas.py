"""Shapes of accounts, sign-in and sessions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from app.auth.addresses import EmailAddress
from app.auth.principal import EVERY_SCOPE, SCOPES
from app.core.schemas import Clean, Page, RequestModel, ResponseModel, ShortText, Whole
from app.core.security import LONGEST_PASSWORD

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"  # noqa: S105
TOKEN = "X3cDk0Yxq0m6bq0v9mB2Wm1k3kz1cF4hV8nY7sT5uRw"  # noqa: S105

Password = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PASSWORD), Clean]
LoginName = Annotated[str, StringConstraints(min_length=1, max_length=320), Clean]
Token = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]

Otp = Annotated[str, StringConstraints(max_length=40), Clean]

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


class MailAccepted(ResponseModel):
    """The same for every address: whether there is an account, and a link for it, shows in its mailbox alone."""

    detail: str = Field(examples=["If there is an account that it fits, an e-mail is on its way."])


class SignInRequest(RequestModel):
    """Sign-in as JSON."""

    email: LoginName = Field(examples=[EMAIL])
    password: Password = Field(examples=[PASSWORD])
    scope: Scope = ""
    otp: Otp | None = Field(
        default=None, description="A code of the app or a recovery code, for accounts with a second factor."
    )


class TokenForm(RequestModel):
    """Sign-in as the form of OAuth 2 (RFC 6749 §4.3.2)."""

    grant_type: Literal["password"] = "password"
    username: LoginName = Field(description="The e-mail address.", examples=[EMAIL])
    password: Password = Field(examples=[PASSWORD])
    scope: Scope = ""
    otp: Otp | None = Field(
        default=None, description="A code of the app or a recovery code, for accounts with a second factor."
    )
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
    deletion_at: datetime | None = Field(description="Set if the account waits for its deletion and can be restored.")


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
    deletion_at: datetime | None = Field(description="Until then the account can be restored; null if it stays.")
    created_at: datetime


class AccountDeletion(ResponseModel):
    """When the account is destroyed."""

    deletion_at: datetime


class SessionUpdate(RequestModel):
    """A name of your own for a device; null takes it away."""

    name: ShortText | None = Field(examples=["Kitchen tablet"])


class SessionRead(ResponseModel):
    """A sign-in on a device; `name` is your own for it, `last_seen_at` is kept to the hour."""

    id: UUID
    name: str | None = Field(examples=["Kitchen tablet"])
    device: str = Field(examples=["Firefox on Linux"])
    address: str = Field(examples=["203.0.113.7"])
    current: bool
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class SessionPage(Page):
    """Sessions, newest first."""

    items: list[SessionRead]


def _known_scopes(names: list[str]) -> list[str]:
    if not set(names) <= SCOPES.keys() or len(set(names)) != len(names):
        raise ValueError("must be different scopes that exist")
    return names


ScopeList = Annotated[
    list[str],
    AfterValidator(_known_scopes),
    Field(min_length=1, examples=[["vault:read"]]),
    WithJsonSchema(
        {"type": "array", "items": {"type": "string", "enum": list(SCOPES)}, "minItems": 1, "uniqueItems": True}
    ),
]


class ApiKeyCreate(RequestModel):
    """A key for a program, with no more scopes than your own."""

    name: ShortText = Field(examples=["Backup script"])
    scopes: ScopeList = Field(examples=[["vault:read"]])
    expires_in_days: Whole = Field(default=365, ge=0, le=3_650, description="0 for a key that does not expire.")


class ApiKeyRead(ResponseModel):
    """A key; `prefix` is how it begins, `last_used_at` is kept to the minute."""

    id: UUID
    name: str = Field(examples=["Backup script"])
    prefix: str = Field(examples=["lv_8fKq2LmZ0a"])
    scopes: list[str] = Field(examples=[["vault:read"]])
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyCreated(ApiKeyRead):
    """A new key; `key` is shown this once and can't be had again."""

    key: str = Field(examples=["lv_8fKq2LmZ0a_…"])


class ApiKeyPage(Page):
    """API keys, newest first."""

    items: list[ApiKeyRead]


class IdentityCreate(RequestModel):
    """A valid token of a foreign issuer, whose owner is to be let in as you."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=8_192, pattern=r"^[A-Za-z0-9._-]+$")] = Field(
        examples=["eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.c2ln"]
    )


class IdentityRead(ResponseModel):
    """A linked sign-in."""

    id: UUID
    issuer: str = Field(examples=["https://accounts.example.com"])
    subject: str
    created_at: datetime


class IdentityPage(Page):
    """Linked sign-ins, newest first."""

    items: list[IdentityRead]
