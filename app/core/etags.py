"""Entity tags (RFC 9110 §8.8.3, §13.1): how they are written and compared."""

import hmac
from functools import lru_cache
from typing import Final

from app.core.crypto import derived_key

DIGEST_BYTES: Final = 16


def etag(revision: int | str) -> str:
    """The entity tag of a revision, or of a digest."""
    return f'"{revision}"'


def etag_of(content: bytes, key: bytes) -> str:
    """The entity tag of an answer: a keyed digest, so that a log that keeps it can't be asked what stood in it."""
    return etag(hmac.digest(_own_key(key), content, "sha256")[:DIGEST_BYTES].hex())


@lru_cache(maxsize=4)
def _own_key(key: bytes) -> bytes:
    return derived_key(key, b"lifevault entity tag")


def matches(header: str, tag: str) -> bool:
    """Whether a list of entity tags, or `*`, names this one; weak tags compare like strong ones."""
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in named or tag in named
