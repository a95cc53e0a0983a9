"""From a password to two keys: one that signs in, one that opens; the server sees only the first."""

import os
import unicodedata
from dataclasses import dataclass, field
from uuid import UUID

from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from app.sealed.box import SECRET_BYTES, derive
from app.sealed.encoding import number, pack, to_number, unpack_exactly
from app.sealed.errors import WeakKdf

# RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes. This is the floor, for every client and for ever.
MEMORY_KIB = 65_536
PASSES = 3
LANES = 4
SALT_BYTES = 16
# What a server may ask for at most, so that it can't exhaust the device.
MOST_MEMORY_KIB = 2_097_152
MOST_PASSES = 16
MOST_LANES = 16


@dataclass(frozen=True, slots=True)
class KdfParameters:
    """Costs and salt of Argon2id 1.3, recorded in the signed state of the account."""

    salt: bytes = field(default_factory=lambda: os.urandom(SALT_BYTES))
    memory_kib: int = MEMORY_KIB
    passes: int = PASSES
    lanes: int = LANES

    def check(self) -> None:
        """Raises `WeakKdf` below the floor or above the ceiling."""
        bounds = (
            MEMORY_KIB <= self.memory_kib <= MOST_MEMORY_KIB,
            PASSES <= self.passes <= MOST_PASSES,
            LANES <= self.lanes <= MOST_LANES,
            len(self.salt) == SALT_BYTES,
        )
        if not all(bounds):
            raise WeakKdf

    def to_bytes(self) -> bytes:
        """As they stand in the account state."""
        return pack(self.salt, number(self.memory_kib), number(self.passes), number(self.lanes))

    @classmethod
    def from_bytes(cls, data: bytes) -> "KdfParameters":
        """Read and checked. Raises `Tampered`, `WeakKdf`."""
        salt, memory_kib, passes, lanes = unpack_exactly(data, 4)
        parameters = cls(salt, to_number(memory_kib), to_number(passes), to_number(lanes))
        parameters.check()
        return parameters


@dataclass(frozen=True, slots=True, repr=False)
class PasswordKeys:
    """`authentication` goes to the server, which stores Argon2id of it; `unwrap` stays."""

    authentication: bytes
    unwrap: bytes


def password_keys(password: str, parameters: KdfParameters, account: UUID) -> PasswordKeys:
    """The two keys of a password for one account. Raises `WeakKdf`."""
    return split_root(password_root(password, parameters), account)


def password_root(password: str, parameters: KdfParameters) -> bytes:
    """Argon2id of the password, which is normalised to NFC (RFC 8265 §4.2). Raises `WeakKdf`."""
    parameters.check()
    return hash_secret_raw(
        unicodedata.normalize("NFC", password).encode(),
        parameters.salt,
        time_cost=parameters.passes,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.lanes,
        hash_len=SECRET_BYTES,
        type=Type.ID,
        version=ARGON2_VERSION,
    )


def split_root(root: bytes, account: UUID) -> PasswordKeys:
    """Two keys of which neither tells anything about the other."""
    return PasswordKeys(
        derive(root, "password authentication", account.bytes), derive(root, "password unwrap", account.bytes)
    )
