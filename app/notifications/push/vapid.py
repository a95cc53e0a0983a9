"""Who sends push messages: a key of this installation, by which push services know it (VAPID, RFC 8292).

The key is derived from the lookup key, which stays the same for as long as the data does: a new one would silence every
browser that has subscribed.
"""

import base64
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.auth.parts import per_runtime
from app.db.runtime import Runtime
from app.notifications.errors import PushUnavailable
from app.notifications.push.encryption import encoded_point

LIFE: Final = timedelta(hours=12)  # RFC 8292 §2: 24 hours at most
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256, NIST SP 800-186
WIDE_BYTES: Final = 40  # NIST SP 800-56A §5.6.1.2.1: 64 bits more than the order, so that no scalar is likelier


def make_key(lookup_key: bytes) -> EllipticCurvePrivateKey:
    """The signing key of an installation. Raises `PushUnavailable` if there is no lookup key."""
    if not lookup_key:
        raise PushUnavailable
    wide = HKDF(SHA256(), WIDE_BYTES, None, b"lifevault web push").derive(lookup_key)
    return derive_private_key(int.from_bytes(wide) % (ORDER - 1) + 1, SECP256R1())


@per_runtime
def signing_key(runtime: Runtime) -> EllipticCurvePrivateKey:
    """The key of this installation. Raises `PushUnavailable`."""
    return make_key(runtime.settings.lookup_key_bytes)


def public_key() -> str:
    """What browsers subscribe with, in base64url. Raises `PushUnavailable`."""
    return unpadded(encoded_point(signing_key().public_key()))


def authorization(endpoint: str, now: datetime, mail_from: str) -> str:
    """The header for one push service, good for some hours. Raises `PushUnavailable`."""
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + LIFE).timestamp()),
        "sub": f"mailto:{parseaddr(mail_from)[1]}",
    }
    signed = f"{_segment({'typ': 'JWT', 'alg': 'ES256'})}.{_segment(claims)}"
    r, s = decode_dss_signature(signing_key().sign(signed.encode(), ECDSA(SHA256())))
    return f"vapid t={signed}.{unpadded(r.to_bytes(32) + s.to_bytes(32))}, k={public_key()}"


def _segment(content: dict[str, Any]) -> str:
    return unpadded(orjson.dumps(content))


def unpadded(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_unpadded(text: str) -> bytes:
    """The bytes of base64url without padding. Raises `binascii.Error`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
