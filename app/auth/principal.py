"""Who is asking."""

from dataclasses import dataclass
from uuid import UUID

from app.db.session import Actor

SCOPES = {
    "profile": "Read and change your account",
    "vault:read": "Read your vaults",
    "vault:write": "Change your vaults",
    "rag:ask": "Ask questions about your documents",
    "agents:run": "Use agents",
    "legacy:read": "Read what you have arranged for your family",
    "legacy:write": "Arrange what your family gets one day",
    "payments:read": "Read your plan, usage and receipts",
    "payments:write": "Change your plan and seats",
}
EVERY_SCOPE = " ".join(SCOPES)
RELEASED = "legacy:released"  # a nominee's only scope, which no token of a person or a program has


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, or a client acting for one with fewer scopes; every permission is decided from this.

    Only a person in a session of their own has a `session_id`; a program has the `api_key_id` of its key. A nominee
    is no account: their `user_id` is that of the nominee, so that everything made for accounts finds nothing for it.
    """

    user_id: UUID
    scopes: frozenset[str]
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    identity_id: UUID | None = None
    nominee_id: UUID | None = None

    @property
    def actor(self) -> Actor:
        """Whom row-level security sees."""
        return Actor.nominee(self.nominee_id) if self.nominee_id else Actor.user(self.user_id)
