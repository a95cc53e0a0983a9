"""The keys of an installation, sealed by a pass-phrase: a backup without it opens nothing."""

import base64
import os
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
LEAST_PASSPHRASE: Final = 12
ITERATIONS, LANES, KIB = 3, 4, 64 * 1024  # RFC 9106 §4, the second choice
CONTEXT: Final = b"lifevault backup keys 1"
NAMES: Final = ("root_keys", "token_keys", "lookup_key")


class WrongPassphrase(Exception):
    """The pass-phrase does not open the keys, or they were changed."""


def seal_keys(keys: dict[str, str], passphrase: str) -> bytes:
    """The keys as they stand in an archive: JSON with salt, nonce and ciphertext in base64."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    sealed = AESGCM(_derived(passphrase, salt)).encrypt(nonce, orjson.dumps(keys), CONTEXT)
    parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
    encoded = {name: base64.b64encode(value).decode() for name, value in parts.items()}
    return orjson.dumps({"kdf": "argon2id", "iterations": ITERATIONS, "lanes": LANES, "memory_kib": KIB, **encoded})


def open_keys(content: bytes, passphrase: str) -> dict[str, str]:
    """The keys again. Raises `WrongPassphrase`."""
    try:
        given: dict[str, Any] = orjson.loads(content)
        salt, nonce, sealed = (base64.b64decode(given[name]) for name in ("salt", "nonce", "sealed"))
        keys: dict[str, str] = orjson.loads(AESGCM(_derived(passphrase, salt)).decrypt(nonce, sealed, CONTEXT))
    except (InvalidTag, ValueError, KeyError, TypeError):
        raise WrongPassphrase from None
    return keys


def _derived(passphrase: str, salt: bytes) -> bytes:
    return Argon2id(salt=salt, length=32, iterations=ITERATIONS, lanes=LANES, memory_cost=KIB).derive(
        passphrase.encode()
    )
