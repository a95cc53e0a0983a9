"""Nominees who are signed in, as everything that they may do knows them."""

from dataclasses import dataclass
from uuid import UUID

from app.auth.principal import Principal
from app.db.session import Actor


@dataclass(frozen=True, slots=True)
class Guest:
    """A nominee who is signed in, and whose nominee they are."""

    principal: Principal
    session_id: UUID
    nominee_id: UUID
    owner_id: UUID

    @property
    def owner(self) -> Actor:
        """Whose rows are read and written once the policy has decided."""
        return Actor.user(self.owner_id)
