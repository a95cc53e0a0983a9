"""Any `threshold` of `count` parts give the secret, fewer give nothing.

SLIP-0039 shares a digest of the secret along with it, so that forged parts are found; its 32 bits are an HMAC under a
random key that is shared too, so they tell nothing either (as long as HMAC-SHA-256 holds; all else is unconditional).
"""

import hmac
import os
from collections.abc import Mapping

from app.nominees.shamir.errors import InconsistentShares, UnsuitableScheme
from app.nominees.shamir.gf256 import interpolate

MOST_PARTS = 16
DIGEST_BYTES = 4
SECRET_INDEX = 255
DIGEST_INDEX = 254


def split_bytes(secret: bytes, threshold: int, count: int) -> list[bytes]:
    """The parts with indices 0 to `count` - 1. Raises `UnsuitableScheme`."""
    if not 1 <= threshold <= count <= MOST_PARTS:
        raise UnsuitableScheme("a threshold is at least one and at most the number of parts, which is at most 16")
    if threshold == 1:
        return [secret] * count
    random = [os.urandom(len(secret)) for _ in range(threshold - 2)]
    points = dict(enumerate(random))
    points |= {DIGEST_INDEX: _digest_share(secret, os.urandom(len(secret) - DIGEST_BYTES)), SECRET_INDEX: secret}
    return [*random, *(interpolate(points, index) for index in range(threshold - 2, count))]


def join_bytes(parts: Mapping[int, bytes], threshold: int) -> bytes:
    """The secret from at least `threshold` parts; those beyond must agree. Raises `InconsistentShares`."""
    used = dict(list(parts.items())[:threshold])
    if any(interpolate(used, index) != value for index, value in parts.items()):
        raise InconsistentShares
    if threshold == 1:
        return next(iter(used.values()))
    secret, digest = interpolate(used, SECRET_INDEX), interpolate(used, DIGEST_INDEX)
    if not hmac.compare_digest(_digest_share(secret, digest[DIGEST_BYTES:]), digest):
        raise InconsistentShares
    return secret


def _digest_share(secret: bytes, random: bytes) -> bytes:
    return hmac.digest(random, secret, "sha256")[:DIGEST_BYTES] + random
