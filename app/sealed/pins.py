"""What a client has seen and will not go behind: its own state, compared people, lists of members, revisions."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.sealed.errors import Tampered
from app.sealed.identity import PublicIdentity


@dataclass(frozen=True, slots=True)
class Seen:
    """A counter and the digest of what stood there."""

    counter: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class VaultPin:
    """Which vault it is (its first list) and the last list seen."""

    first: bytes
    latest: Seen


@dataclass(slots=True)
class Pins:
    """Kept on the device, and sealed on the server for the owner's next device."""

    identity: PublicIdentity | None = None
    state: Seen | None = None
    contacts: dict[UUID, PublicIdentity] = field(default_factory=dict)
    vaults: dict[UUID, VaultPin] = field(default_factory=dict)
    items: dict[UUID, dict[UUID, Seen]] = field(default_factory=dict)

    def item(self, vault: UUID, item: UUID) -> Seen | None:
        """The last revision seen of an item."""
        return self.items.get(vault, {}).get(item)

    def see_item(self, vault: UUID, item: UUID, seen: Seen) -> None:
        """Remember a revision unless a later one is known."""
        known = self.items.setdefault(vault, {})
        if item not in known or known[item].counter < seen.counter:
            known[item] = seen

    def merge(self, other: "Pins") -> None:
        """Take over what the other pins know better of people, vaults and items."""
        self.contacts = other.contacts | self.contacts
        for vault, pin in other.vaults.items():
            if vault not in self.vaults or self.vaults[vault].latest.counter < pin.latest.counter:
                self.vaults[vault] = pin
        for vault, items in other.items.items():
            for item, seen in items.items():
                self.see_item(vault, item, seen)

    def to_bytes(self) -> bytes:
        """JSON, to be sealed or kept where nobody else reads."""
        return json.dumps(
            {
                "identity": self.identity and self.identity.to_bytes().hex(),
                "state": self.state and _seen(self.state),
                "contacts": [each.to_bytes().hex() for each in self.contacts.values()],
                "vaults": {str(key): [pin.first.hex(), _seen(pin.latest)] for key, pin in self.vaults.items()},
                "items": {
                    str(vault): {str(key): _seen(seen) for key, seen in items.items()}
                    for vault, items in self.items.items()
                },
            }
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Pins":
        """Raises `Tampered`."""
        try:
            return _read(json.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Tampered from None


def _seen(seen: Seen) -> list[int | str]:
    return [seen.counter, seen.digest.hex()]


def _to_seen(pair: list[Any]) -> Seen:
    return Seen(int(pair[0]), bytes.fromhex(pair[1]))


def _read(data: dict[str, Any]) -> Pins:
    contacts = [PublicIdentity.from_bytes(bytes.fromhex(each)) for each in data["contacts"]]
    return Pins(
        identity=PublicIdentity.from_bytes(bytes.fromhex(data["identity"])) if data["identity"] else None,
        state=_to_seen(data["state"]) if data["state"] else None,
        contacts={each.account: each for each in contacts},
        vaults={
            UUID(key): VaultPin(bytes.fromhex(first), _to_seen(latest))
            for key, (first, latest) in data["vaults"].items()
        },
        items={
            UUID(vault): {UUID(key): _to_seen(seen) for key, seen in items.items()}
            for vault, items in data["items"].items()
        },
    )
