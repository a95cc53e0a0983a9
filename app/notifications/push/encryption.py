"""Push messages that the browser alone can read: RFC 8291 (keys) over RFC 8188 (`aes128gcm`).

Written out, as pywebpush brings aiohttp, requests and twenty packages in all for these few steps.
"""

import os
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SALT_BYTES: Final = 16
RECORD_BYTES: Final = 4_096  # RFC 8291 §4: a push service takes no more
HEADER_BYTES: Final = SALT_BYTES + 4 + 1 + 65
LAST_RECORD: Final = b"\x02"
STEP: Final = 512  # lengths are rounded up to it, so that they say less
MOST_BYTES: Final = RECORD_BYTES - HEADER_BYTES - 16 - len(LAST_RECORD)


def encrypt(
    text: bytes,
    browser_key: bytes,
    auth_secret: bytes,
    *,
    sender: EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
    padded: bool = True,
) -> bytes:
    """The body of a push message. `sender` and `salt` are made anew each time, unless a test vector gives them.

    Raises `ValueError` for a key that is no point on the curve, or a text longer than `MOST_BYTES`.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"a push message holds {MOST_BYTES} bytes at most")
    sender, salt = sender or generate_private_key(SECP256R1()), salt or os.urandom(SALT_BYTES)
    shared = sender.exchange(ECDH(), browser_point(browser_key))
    ours = encoded_point(sender.public_key())
    secret = _derive(shared, auth_secret, b"WebPush: info\0" + browser_key + ours, 32)
    key = _derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(secret, salt, b"Content-Encoding: nonce\0", 12)
    padding = bytes(min(-(len(text) + 1) % STEP, MOST_BYTES - len(text))) if padded else b""
    sealed = AESGCM(key).encrypt(nonce, text + LAST_RECORD + padding, None)
    return salt + RECORD_BYTES.to_bytes(4) + bytes([len(ours)]) + ours + sealed


def browser_point(key: bytes) -> EllipticCurvePublicKey:
    """A browser's public key. Raises `ValueError` for what is no point on the curve."""
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)


def encoded_point(key: EllipticCurvePublicKey) -> bytes:
    """A public key in 65 bytes (X9.62, uncompressed)."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
