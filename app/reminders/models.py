"""Reminders, what was sent of them, who put them off, and calendar feeds.

A row shows when something is due, and for whom; what people wrote stands sealed in `body`, under the key of the vault
or of the person whose reminder it is.
"""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, Integer, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import SEALED_BY, Base, CreatedAt, Id, KeyId

KINDS: Final = ("expires", "renews", "due", "other")
SOURCES: Final = ("manual", "field", "assistant")
STATES: Final = ("proposed", "active", "done", "dismissed", "ended")


class Reminder(Base):
    """A reminder of a vault, or with `user_id` of one person; `body` holds title, notes and where it comes from.

    `starts_on` is the first day of its rule, `occurs_on` the day that is open now and `occurs_at` its moment (of a
    whole day its midnight in UTC), `done_on` the day that was done last. `leads` are days before; those before
    `armed_at` are past. At `next_at` somebody may have to be told. With `assigned_to` it is for these alone.
    `source_digest` is a keyed one of the field or the passage that it comes from. `ended`: its field or its record is
    not there at present.
    """

    __tablename__ = "reminders"
    __table_args__ = (
        CheckConstraint("(vault_id IS NULL) <> (user_id IS NULL)", name="owner"),
        CheckConstraint("(minute_of_day IS NULL) = (zone IS NULL)", name="time"),
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"source IN {SOURCES}", name="source"),
        CheckConstraint(f"state IN {STATES}", name="state"),
        UniqueConstraint("owner_id", "source_digest"),
        Index("ix_reminders_page", "owner_id", "state", "occurs_at", "id"),
        Index("ix_reminders_next_at", "next_at", postgresql_where=text("state = 'active'")),
        Index(None, "vault_id"),
        Index(None, "user_id"),
        Index(None, "item_id"),
        Index(None, "document_id"),
    )

    id: Mapped[Id]
    vault_id: Mapped[UUID | None] = mapped_column(ForeignKey("vaults.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    owner_id: Mapped[UUID] = mapped_column(Computed("COALESCE(vault_id, user_id)", persisted=True))
    body: Mapped[bytes] = mapped_column(info={SEALED_BY: "owner_id"})
    key_id: Mapped[KeyId]
    kind: Mapped[str]
    source: Mapped[str]
    state: Mapped[str]
    item_id: Mapped[UUID | None]
    document_id: Mapped[UUID | None]
    source_digest: Mapped[bytes | None]
    starts_on: Mapped[date]
    minute_of_day: Mapped[int | None]
    zone: Mapped[str | None]
    rrule: Mapped[str | None]
    leads: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    assigned_to: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    occurs_on: Mapped[date]
    occurs_at: Mapped[datetime]
    done_on: Mapped[date | None]
    done_at: Mapped[datetime | None]
    armed_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    created_by: Mapped[UUID]
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class Sent(Base):
    """A person was told (`sent`), or need not be any more, of an occurrence so many days before; there is one row each.

    Of what was put off, `lead` counts -1, -2, … The token is that of the links in the letter.
    """

    __tablename__ = "reminder_sent"
    __table_args__ = (
        UniqueConstraint("reminder_id", "occurs_at", "lead", "user_id", name="uq_reminder_sent_once"),
        UniqueConstraint("token_digest"),
        Index(None, "user_id"),
        Index(None, "created_at"),
    )

    id: Mapped[Id]
    reminder_id: Mapped[UUID] = mapped_column(ForeignKey("reminders.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    occurs_on: Mapped[date]
    occurs_at: Mapped[datetime]
    lead: Mapped[int]
    sent: Mapped[bool]
    token_digest: Mapped[bytes | None]
    created_at: Mapped[CreatedAt]


class Snooze(Base):
    """A person has put an occurrence off until a moment; `count` is how often."""

    __tablename__ = "reminder_snoozes"
    __table_args__ = (Index(None, "user_id"),)

    reminder_id: Mapped[UUID] = mapped_column(ForeignKey("reminders.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), primary_key=True)
    occurs_on: Mapped[date]
    until: Mapped[datetime]
    count: Mapped[int]


class Feed(Base):
    """A person's calendar feed: whoever has the token reads it, of which a digest is kept."""

    __tablename__ = "reminder_feeds"
    __table_args__ = (
        CheckConstraint("titles IN ('full', 'private')", name="titles"),
        UniqueConstraint("token_digest"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), primary_key=True)
    token_digest: Mapped[bytes]
    titles: Mapped[str]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Standing(Base):
    """When the built-in reminders of a person are due; `password_since`: their password is at most as old."""

    __tablename__ = "reminder_standing"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"), primary_key=True)
    review_at: Mapped[datetime] = mapped_column(index=True)
    password_since: Mapped[datetime]
    password_at: Mapped[datetime] = mapped_column(index=True)
