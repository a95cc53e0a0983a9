"""Sealed vaults after their owner: keys kept as words on paper, which read every epoch that began before or will begin.

The keys of a legacy plan stand on the list of members like a viewer. So each new epoch is wrapped to them too, and
printed sheets stay valid however often keys rotate; taking the plan off the list ends it, as for any member.
"""

from dataclasses import dataclass
from uuid import UUID

from app.sealed.identity import Identity
from app.sealed.keyring import join_lists, open_keyring
from app.sealed.pins import Pins
from app.sealed.transport import Transport
from app.sealed.vault import SealedVault


@dataclass(frozen=True, slots=True, repr=False)
class LegacyKeys:
    """The keys of one plan; its owner makes them, prints the secret in shares and forgets it."""

    identity: Identity

    @property
    def id(self) -> UUID:
        """The plan."""
        return self.identity.account

    def identities(self) -> tuple[Identity, ...]:
        """The only keys."""
        return (self.identity,)


def legacy_keys(plan: UUID, secret: bytes) -> LegacyKeys:
    """The keys of a plan from the 32 bytes that its sheets give."""
    return LegacyKeys(Identity.from_secret(plan, secret))


def open_as_nominee(transport: Transport, keys: LegacyKeys, vault: UUID, owner_words: str) -> SealedVault:
    """A vault for reading. `owner_words` is the owner's fingerprint as printed on the sheet.

    Raises `KeyNotVerified` if the owner of these words let nobody in, and what `SealedVault` raises.
    """
    lists = join_lists(transport, keys, vault, owner_words)
    pins = Pins(vaults={vault: open_keyring(transport, keys, vault, lists).pin()})
    return SealedVault(transport, keys, pins, vault)
