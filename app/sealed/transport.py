"""How the client reaches a server: named opaque blobs, replaced together or not at all."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from app.sealed.encoding import digest
from app.sealed.errors import Conflict, Missing, WrongPassword
from app.sealed.names import verifier_names


class Transport(Protocol):
    """A server, trusted with keeping bytes and with nothing else."""

    def authenticate(self, account: UUID, key: bytes) -> None:
        """Sign in by the authentication key of the password or of the recovery key. Raises `WrongPassword`."""

    def get(self, name: str) -> bytes:
        """One blob. Raises `Missing`."""

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so, in any order."""

    def put(self, changes: Mapping[str, bytes | None], expected: Mapping[str, bytes | None]) -> None:
        """Write (or with None delete) all blobs at once, if each expected one still has this SHA-256 (None: absent).

        Raises `Conflict`, and then nothing has changed.
        """


class MemoryTransport:
    """An honest server in memory."""

    def __init__(self, blobs: Mapping[str, bytes] | None = None) -> None:
        self.blobs = dict(blobs or {})

    def authenticate(self, account: UUID, key: bytes) -> None:
        """Compare with what was enrolled; a real server keeps Argon2id of it. Raises `WrongPassword`."""
        enrolled = (self.blobs.get(name, b"") for name in verifier_names(account))
        if not any(hmac.compare_digest(each, key) for each in enrolled):
            raise WrongPassword

    def get(self, name: str) -> bytes:
        """One blob. Raises `Missing`."""
        if name not in self.blobs:
            raise Missing
        return self.blobs[name]

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so."""
        return [name for name in self.blobs if name.startswith(prefix)]

    def put(self, changes: Mapping[str, bytes | None], expected: Mapping[str, bytes | None]) -> None:
        """All or nothing. Raises `Conflict`."""
        for name, wanted in expected.items():
            present = self.blobs.get(name)
            if (None if present is None else digest(present)) != wanted:
                raise Conflict
        for name, blob in changes.items():
            if blob is None:
                self.blobs.pop(name, None)
            else:
                self.blobs[name] = blob
