"""Opaque tokens for due days: the server can nudge on the day without knowing which day it was told of, or why."""

import hmac
from datetime import date, timedelta
from uuid import UUID

from app.sealed.box import derive
from app.sealed.encoding import number


def day_key(vault: UUID, epoch: int, secret: bytes) -> bytes:
    """The key of a vault's tokens in one epoch; all members can make it, and nobody else."""
    return derive(secret, "due day", vault.bytes, number(epoch))


def due_token(key: bytes, day: date) -> bytes:
    """HMAC-SHA-256 of the day in ISO 8601."""
    return hmac.digest(key, day.isoformat().encode(), "sha256")


def due_window(key: bytes, first: date, days: int) -> list[bytes]:
    """The tokens of the coming days, which a client leaves with the server one window at a time."""
    return [due_token(key, first + timedelta(days=ahead)) for ahead in range(days)]
