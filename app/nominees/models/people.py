"""Tables of nominees, and of how they are known to be who they are."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, CreatedAt, Id, KeyId, UpdatedAt
from app.nominees.models.columns import NomineeId, SealedBody, UserId

NOMINEE_STATES = ("invited", "accepted", "declined")
LINK_KINDS = ("invitation", "sign_in", "stop", "confirm", "drill")


class Nominee(Base):
    """A person with or without an account; `body` holds name, e-mail, phone and relation.

    `verified_at` is when they last proved that they read the mail of their address.
    """

    __tablename__ = "nominees"
    __table_args__ = (
        CheckConstraint(f"state IN {NOMINEE_STATES}", name="state"),
        UniqueConstraint("user_id", "email_digest"),
        Index(None, "email_digest"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    email_digest: Mapped[bytes]
    body: Mapped[SealedBody]
    key_id: Mapped[KeyId]
    state: Mapped[str] = mapped_column(server_default=text("'invited'"))
    invited_at: Mapped[CreatedAt]
    answered_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Link(Base):
    """A link that was mailed, known by its digest; `subject_id` is the case or the answer to a drill it is about."""

    __tablename__ = "nominee_links"
    __table_args__ = (
        CheckConstraint(f"kind IN {LINK_KINDS}", name="kind"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UserId]
    kind: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    nominee_id: Mapped[UUID | None] = mapped_column(ForeignKey("nominees.id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[UUID | None]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Code(Base):
    """A code that was mailed to a nominee who came by a link; a keyed digest, right once, wrong a few times."""

    __tablename__ = "nominee_codes"
    __table_args__ = (UniqueConstraint("nominee_id"), Index(None, "expires_at"))

    id: Mapped[Id]
    user_id: Mapped[UserId]
    nominee_id: Mapped[UUID] = mapped_column(ForeignKey("nominees.id", ondelete="CASCADE"))
    link_id: Mapped[UUID] = mapped_column(ForeignKey("nominee_links.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


class NomineeSession(Base):
    """A nominee who signed in by link and code, until `expires_at`; the token is known by its digest."""

    __tablename__ = "nominee_sessions"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[Id]
    user_id: Mapped[UserId]
    nominee_id: Mapped[NomineeId]
    digest: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
