"""Tables of people, their sessions, and the links they are sent.

Nothing here shows who somebody is: the address is a keyed digest, name and address stand sealed under the person's own
data key, tokens are kept as digests. `key_id` is read out of the sealed cell and refers to the data key it needs.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import SEALED_BY, Base, CreatedAt, Id

UserId = Annotated[UUID, mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), index=True)]
LINK_KINDS = ("verify", "reset")


def key_of(column: str) -> str:
    """The data key of a sealed cell (version || key id || …), as an expression of PostgreSQL."""
    return f"encode(\"substring\"({column}, 2, 16), 'hex'::text)::uuid"


class User(Base):
    """A person. `claim_hash` is the password of somebody who registered the same address again, see `accounts`."""

    __tablename__ = "auth_users"

    id: Mapped[Id]
    email_digest: Mapped[bytes] = mapped_column(unique=True)
    profile: Mapped[bytes] = mapped_column(info={SEALED_BY: "id"})
    key_id: Mapped[UUID] = mapped_column(
        Computed(key_of("profile"), persisted=True), ForeignKey("data_keys.id"), index=True
    )
    password_hash: Mapped[str]
    claim_hash: Mapped[str | None]
    claimed_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_at: Mapped[CreatedAt]


class UserSession(Base):
    """One sign-in on one device; `device` holds its name and address. Without `scope` it may do everything."""

    __tablename__ = "auth_sessions"

    id: Mapped[Id]
    user_id: Mapped[UserId]
    scope: Mapped[str | None]
    device: Mapped[bytes] = mapped_column(info={SEALED_BY: "user_id"})
    key_id: Mapped[UUID] = mapped_column(
        Computed(key_of("device"), persisted=True), ForeignKey("data_keys.id"), index=True
    )
    address_digest: Mapped[bytes]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class RefreshToken(Base):
    """A refresh token, usable once; `parent_id` is the one that it replaced."""

    __tablename__ = "auth_refresh_tokens"

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
