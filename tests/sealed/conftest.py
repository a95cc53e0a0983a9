"""A small family with a sealed vault, made once; every test plays with a copy of what the server holds."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from app.sealed.account import Account
from app.sealed.client import SealedClient
from app.sealed.files import SMALLEST_CHUNK, FileRef
from app.sealed.members import Role
from app.sealed.pins import Pins
from app.sealed.transport import MemoryTransport
from app.sealed.vault import SealedVault

SCAN = [bytes([number]) * SMALLEST_CHUNK for number in range(3)] + [b"the last page"]
PEOPLE = ("alice", "bob", "carol", "mallory")


@dataclass
class Family:
    """Alice owns the vault, Carol is admin, Bob edits; Mallory is a stranger with an account and a vault of hers."""

    server: MemoryTransport
    accounts: dict[str, Account]
    recovery: dict[str, str]
    seen: dict[str, bytes]
    vault: UUID
    passport: UUID
    will: UUID
    scan: FileRef

    def client(self, name: str, server: MemoryTransport | None = None) -> SealedClient:
        """The person's device, which remembers what it has seen."""
        return SealedClient(server or self.server, self.accounts[name], Pins.from_bytes(self.seen[name]))

    def pins(self, name: str) -> Pins:
        return Pins.from_bytes(self.seen[name])

    def open(self, name: str, server: MemoryTransport | None = None) -> SealedVault:
        """The shared vault in the person's hands."""
        return self.client(name, server).open_vault(self.vault)

    def copy(self) -> "Family":
        return Family(
            MemoryTransport(self.server.blobs),
            self.accounts,
            self.recovery,
            dict(self.seen),
            self.vault,
            self.passport,
            self.will,
            self.scan,
        )


def password(name: str) -> str:
    return f"{name}'s long password"


def introduce(one: SealedClient, other: SealedClient) -> None:
    one.trust(other.id, other.fingerprint)
    other.trust(one.id, one.fingerprint)


@pytest.fixture(scope="session")
def founded() -> Family:
    server = MemoryTransport()
    made = {name: SealedClient.create_account(server, password(name)) for name in PEOPLE}
    clients = {name: client for name, (client, _) in made.items()}
    vault = clients["alice"].create_vault()
    for name, role in {"bob": Role.EDITOR, "carol": Role.ADMIN}.items():
        introduce(clients["alice"], clients[name])
        vault.add_member(clients[name].id, role)
        clients[name].join_vault(vault.id, clients["alice"].id)
    scan = vault.put_file(SCAN, SMALLEST_CHUNK)
    passport = vault.items.put({"title": "Passport", "number": "X1", "scan": scan.to_text()})
    vault.items.put({"title": "Passport", "number": "X2", "scan": scan.to_text()}, passport)
    will = vault.items.put({"title": "Last will", "place": "In the blue folder"})
    clients["mallory"].create_vault().items.put({"title": "Bait"})
    for name in PEOPLE[:3]:
        clients[name].open_vault(vault.id).verify()
    return Family(
        server,
        {name: client.account for name, client in clients.items()},
        {name: text for name, (_, text) in made.items()},
        {name: client.pins.to_bytes() for name, client in clients.items()},
        vault.id,
        passport,
        will,
        scan,
    )


@pytest.fixture
def family(founded: Family) -> Family:
    return founded.copy()


class Spy(MemoryTransport):
    """An honest server that remembers what was sent to sign in."""

    def __init__(self, blobs: dict[str, bytes]) -> None:
        super().__init__(blobs)
        self.tried: list[bytes] = []

    def authenticate(self, account: UUID, key: bytes) -> None:
        self.tried.append(key)
        super().authenticate(account, key)


class Crash(Exception):
    """The power went off."""


class Failing(MemoryTransport):
    """A server that is cut off after so many writes, before or just after the last one took place."""

    def __init__(self, blobs: dict[str, bytes], writes: int, *, answer_lost: bool) -> None:
        super().__init__(blobs)
        self.left, self.answer_lost = writes, answer_lost

    def put(self, changes, expected) -> None:
        self.left -= 1
        if self.left >= 0 or self.answer_lost:
            super().put(changes, expected)
        if self.left < 0:
            raise Crash
