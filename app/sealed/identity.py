"""The key pairs of a person: Ed25519 (RFC 8032) signs, X25519 (RFC 7748) receives."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.sealed.box import SUITE_BYTES, check_suite, derive
from app.sealed.encoding import digest, pack, to_id, unpack_exactly
from app.sealed.errors import Tampered
from app.sealed.spelling import words

KEY_BYTES = 32
FINGERPRINT_BYTES = 16


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """What others know of a person."""

    account: UUID
    signing: bytes
    exchange: bytes

    @property
    def fingerprint(self) -> str:
        """Eight words (128 bits) that two people compare over another channel."""
        return words(digest(pack(SUITE_BYTES, b"fingerprint", self.to_bytes()))[:FINGERPRINT_BYTES])

    def verify(self, purpose: str, body: bytes, signature: bytes) -> None:
        """Raises `Tampered` unless this person signed the body for this purpose."""
        try:
            Ed25519PublicKey.from_public_bytes(self.signing).verify(signature, _signed(purpose, body))
        except (InvalidSignature, ValueError):
            raise Tampered from None

    def to_bytes(self) -> bytes:
        """As it stands in states and lists of members."""
        return pack(self.account.bytes, self.signing, self.exchange)

    @classmethod
    def from_bytes(cls, data: bytes) -> "PublicIdentity":
        """Raises `Tampered`."""
        account, signing, exchange = unpack_exactly(data, 3)
        if len(signing) != KEY_BYTES or len(exchange) != KEY_BYTES:
            raise Tampered
        return cls(to_id(account), signing, exchange)


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """The private halves, held by the person's own client only."""

    account: UUID
    signing: Ed25519PrivateKey
    exchange: X25519PrivateKey

    @classmethod
    def new(cls, account: UUID) -> "Identity":
        """Fresh random key pairs."""
        return cls(account, Ed25519PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def from_secret(cls, account: UUID, secret: bytes) -> "Identity":
        """The key pairs that belong to one secret of 32 bytes, for keys that are kept as words on paper."""
        signing, exchange = (derive(secret, f"{part} of words", account.bytes) for part in ("signing", "exchange"))
        return cls(
            account, Ed25519PrivateKey.from_private_bytes(signing), X25519PrivateKey.from_private_bytes(exchange)
        )

    @property
    def public(self) -> PublicIdentity:
        """What others may know."""
        return PublicIdentity(
            self.account, self.signing.public_key().public_bytes_raw(), self.exchange.public_key().public_bytes_raw()
        )

    def sign(self, purpose: str, body: bytes) -> bytes:
        """64 bytes; a signature for one purpose is worthless for another."""
        return self.signing.sign(_signed(purpose, body))

    def envelope(self, purpose: str, body: bytes) -> bytes:
        """version ‖ suite ‖ body and signature, length-prefixed."""
        return SUITE_BYTES + pack(body, self.sign(purpose, body))

    def to_bytes(self) -> bytes:
        """The private keys, to be sealed at once."""
        return pack(self.account.bytes, self.signing.private_bytes_raw(), self.exchange.private_bytes_raw())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Identity":
        """Raises `Tampered`."""
        account, signing, exchange = unpack_exactly(data, 3)
        if len(signing) != KEY_BYTES or len(exchange) != KEY_BYTES:
            raise Tampered
        return cls(
            to_id(account), Ed25519PrivateKey.from_private_bytes(signing), X25519PrivateKey.from_private_bytes(exchange)
        )


class KeyHolder(Protocol):
    """Whoever can open a vault: an account, or the keys of a legacy plan."""

    @property
    def id(self) -> UUID:
        """The id under which the lists of members know the holder."""

    @property
    def identity(self) -> Identity:
        """The present keys."""

    def identities(self) -> tuple[Identity, ...]:
        """The present keys, then those that are being given up."""


def read_envelope(blob: bytes) -> tuple[bytes, bytes]:
    """Body and signature, not yet verified. Raises `UnsupportedSuite`, `Tampered`."""
    check_suite(blob)
    body, signature = unpack_exactly(blob[len(SUITE_BYTES) :], 2)
    return body, signature


def _signed(purpose: str, body: bytes) -> bytes:
    return pack(SUITE_BYTES, purpose.encode(), body)
