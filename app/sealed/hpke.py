"""RFC 9180 single-shot sealing with a chosen ephemeral key, for the published vectors: real wraps use the library's."""

import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

# RFC 9180 §7: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002
KEM_SUITE = b"KEM\x00\x20"
HPKE_SUITE = b"HPKE\x00\x20\x00\x01\x00\x02"
BASE_MODE = b"\x00"


def seal_with_ephemeral(ephemeral: X25519PrivateKey, recipient: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Encapsulated key ‖ ciphertext ‖ tag, in base mode without associated data."""
    enc = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    prk = _extract(KEM_SUITE, b"", b"eae_prk", shared)
    key, nonce = _schedule(_expand(KEM_SUITE, prk, b"shared_secret", enc + recipient, 32), info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")


def _schedule(shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 §5.1, without a pre-shared key."""
    psk_id_hash, info_hash = (
        _extract(HPKE_SUITE, b"", label, value) for label, value in ((b"psk_id_hash", b""), (b"info_hash", info))
    )
    context = BASE_MODE + psk_id_hash + info_hash
    secret = _extract(HPKE_SUITE, shared, b"secret", b"")
    return _expand(HPKE_SUITE, secret, b"key", context, 32), _expand(HPKE_SUITE, secret, b"base_nonce", context, 12)


def _extract(suite: bytes, salt: bytes, label: bytes, value: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + value, "sha256")


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, length.to_bytes(2) + b"HPKE-v1" + suite + label + info).derive(prk)
