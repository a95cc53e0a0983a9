"""The encryption of the secret by a passphrase: four Feistel rounds of PBKDF2-HMAC-SHA-256 (SLIP-0039)."""

import hashlib
from collections.abc import Iterable

from app.nominees.shamir.errors import UnsuitableScheme

ROUNDS = 4
ROUND_ITERATIONS = 2_500  # 10,000 in all, doubled by each step of the exponent
SALT_PREFIX = b"shamir"


def encrypt(secret: bytes, passphrase: str, exponent: int, identifier: int, *, extendable: bool) -> bytes:
    """The encrypted secret, as long as the secret. Raises `UnsuitableScheme`."""
    return _rounds(secret, range(ROUNDS), _passphrase(passphrase), exponent, _salt(identifier, extendable=extendable))


def decrypt(encrypted: bytes, passphrase: str, exponent: int, identifier: int, *, extendable: bool) -> bytes:
    """A secret, the right one if the passphrase is. Raises `UnsuitableScheme`."""
    rounds, salt = reversed(range(ROUNDS)), _salt(identifier, extendable=extendable)
    return _rounds(encrypted, rounds, _passphrase(passphrase), exponent, salt)


def _rounds(data: bytes, rounds: Iterable[int], passphrase: bytes, exponent: int, salt: bytes) -> bytes:
    left, right = data[: len(data) // 2], data[len(data) // 2 :]
    for step in rounds:
        key = hashlib.pbkdf2_hmac(
            "sha256", bytes([step]) + passphrase, salt + right, ROUND_ITERATIONS << exponent, len(right)
        )
        left, right = right, bytes(one ^ other for one, other in zip(left, key, strict=True))
    return right + left


def _salt(identifier: int, *, extendable: bool) -> bytes:
    return b"" if extendable else SALT_PREFIX + identifier.to_bytes(2)


def _passphrase(text: str) -> bytes:
    if not all(" " <= letter <= "~" for letter in text):
        raise UnsuitableScheme("a passphrase has printable ASCII characters only")
    return text.encode("ascii")
