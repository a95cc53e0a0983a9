"""Tables of people, their sessions, and the links they are sent.

Nothing here shows who somebody is: the address is a keyed digest, name and address stand sealed under the person's own
data key, tokens are kept as digests. `key_id` is read out of the sealed cell and refers to the data key it needs.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import SEALED_BY, Base, CreatedAt, Id, KeyId

UserId = Annotated[UUID, mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), index=True)]
SealedBody = Annotated[bytes, mapped_column(info={SEALED_BY: "user_id"})]
LINK_KINDS = ("verify", "reset")
CHALLENGE_KINDS = ("second_factor", "passkey", "register", "step_up")


def key_of(column: str) -> str:
    """The data key of a sealed cell (version || key id || …), as an expression of PostgreSQL."""
    return f"encode(\"substring\"({column}, 2, 16), 'hex'::text)::uuid"


class User(Base):
    """A person. `claim_hash` is the password of somebody who registered the same address again, see `accounts`.

    `password_hash` is empty for people who come by a foreign issuer. At `deletion_at` the account is destroyed, as
    other packages were told at `deletion_announced_at`.
    """

    __tablename__ = "auth_users"
    __table_args__ = (
        Index(None, "claimed_at", postgresql_where=text("claimed_at IS NOT NULL")),
        Index("ix_auth_users_unconfirmed", "created_at", postgresql_where=text("email_verified_at IS NULL")),
    )

    id: Mapped[Id]
    email_digest: Mapped[bytes] = mapped_column(unique=True)
    profile: Mapped[bytes] = mapped_column(info={SEALED_BY: "id"})
    key_id: Mapped[UUID] = mapped_column(
        Computed(key_of("profile"), persisted=True), ForeignKey("data_keys.id"), index=True
    )
    password_hash: Mapped[str | None]
    claim_hash: Mapped[str | None]
    claimed_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    deletion_at: Mapped[datetime | None] = mapped_column(index=True)
    deletion_announced_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_at: Mapped[CreatedAt]


class UserSession(Base):
    """One sign-in on one device; `device` holds its name and address. Without `scope` it may do everything.

    At `authenticated_at` the person last proved who they are. `device_digest` is a keyed one of the device's name.
    """

    __tablename__ = "auth_sessions"
    __table_args__ = (Index(None, "ended_at", postgresql_where=text("ended_at IS NOT NULL")),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    scope: Mapped[str | None]
    device: Mapped[bytes] = mapped_column(info={SEALED_BY: "user_id"})
    key_id: Mapped[UUID] = mapped_column(
        Computed(key_of("device"), persisted=True), ForeignKey("data_keys.id"), index=True
    )
    address_digest: Mapped[bytes]
    device_digest: Mapped[bytes | None]
    authenticated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class RefreshToken(Base):
    """A refresh token, usable once; `parent_id` is the one that it replaced."""

    __tablename__ = "auth_refresh_tokens"
    __table_args__ = (Index(None, "used_at", postgresql_where=text("used_at IS NOT NULL")),)

    id: Mapped[Id]
    session_id: Mapped[UUID] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UserId]
    parent_id: Mapped[UUID | None] = mapped_column(index=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Link(Base):
    """A link sent by e-mail, usable once; the row goes when it is used."""

    __tablename__ = "auth_links"
    __table_args__ = (
        CheckConstraint(f"kind IN {LINK_KINDS}", name="kind"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    kind: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class ApiKey(Base):
    """A key for programs: `prefix` is shown, of the whole only a digest is kept; `body` holds its name."""

    __tablename__ = "auth_api_keys"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    prefix: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[bytes]
    scope: Mapped[str]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Totp(Base):
    """The authenticator app of a person; `body` holds its secret, `last_step` is the last code that was used."""

    __tablename__ = "auth_totp"
    __table_args__ = (UniqueConstraint("user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class RecoveryCode(Base):
    """A code that stands in for a second factor, once; a keyed digest of it."""

    __tablename__ = "auth_recovery_codes"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    digest: Mapped[bytes] = mapped_column(unique=True)
    used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Passkey(Base):
    """A WebAuthn credential; `body` holds its name, id, public key and transports."""

    __tablename__ = "auth_passkeys"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    credential_digest: Mapped[bytes] = mapped_column(unique=True)
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Challenge(Base):
    """A question that one answer is accepted to; `user_id` and `session_id` say whose answer, if it is known."""

    __tablename__ = "auth_challenges"
    __table_args__ = (
        CheckConstraint(f"kind IN {CHALLENGE_KINDS}", name="kind"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    scope: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class Identity(Base):
    """An account at a foreign issuer; `digest` is a keyed one of issuer and subject, `body` holds both."""

    __tablename__ = "auth_identities"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    digest: Mapped[bytes] = mapped_column(unique=True)
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    created_at: Mapped[CreatedAt]
