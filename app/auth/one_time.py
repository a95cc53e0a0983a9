"""One-time passwords by the clock (TOTP, RFC 6238), as authenticator apps make them: pure arithmetic, no storage."""

import base64
import hashlib
import hmac
import os
import struct
from typing import Final
from urllib.parse import quote

SECRET_BYTES: Final = 20  # RFC 4226 §4: 160 bits
DIGITS: Final = 6
STEP_SECONDS: Final = 30  # RFC 6238 §5.2
DRIFT_STEPS: Final = 1
ISSUER: Final = "LifeVault"


def new_secret() -> bytes:
    """A random secret."""
    return os.urandom(SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """The code of a time step: HOTP with SHA-1, the one algorithm that every app knows (RFC 4226 §5.3)."""
    digest = hmac.digest(secret, struct.pack(">Q", step), hashlib.sha1)
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, after: int | None, now: float) -> int | None:
    """The time step of a code, of those later than `after` and no further than one from now; None for a wrong code."""
    present = int(now) // STEP_SECONDS
    steps = range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
    matching = [step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), code.encode())]
    return next((step for step in matching if after is None or step > after), None)


def base32(secret: bytes) -> str:
    """A secret as people type it."""
    return base64.b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, account: str) -> str:
    """What authenticator apps read from a QR code (`otpauth://`, the Key URI Format)."""
    label = quote(f"{ISSUER}:{account}", safe="")
    return (
        f"otpauth://totp/{label}?secret={base32(secret)}&issuer={ISSUER}"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )


def qr_svg(text: str) -> str:
    """A QR code as SVG."""
    import segno  # noqa: PLC0415 (not needed to start)

    return str(segno.make(text, error="m").svg_inline(scale=4))
