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
    "payments:read": "Read your plan, usage and receipts",
    "payments:write": "Change your plan and seats",
}
EVERY_SCOPE = " ".join(SCOPES)


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, or a client acting for one with fewer scopes; every permission is decided from this.

    Only a person in a session of their own has a `session_id`; a program has the `api_key_id` of its key.
    """

    user_id: UUID
    scopes: frozenset[str]
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    identity_id: UUID | None = None

    @property
    def actor(self) -> Actor:
        """Whom row-level security sees."""
        return Actor.user(self.user_id)
