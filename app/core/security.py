"""Passwords (argon2id) and access tokens (JWT), each behind one strict door."""

import asyncio
import base64
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from os import cpu_count
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import orjson
from prometheus_client import Counter

from app.core.clock import new_id
from app.core.errors import Unauthorized, Unavailable

if TYPE_CHECKING:
    from passlib.context import CryptContext

T = TypeVar("T")

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
LONGEST_PASSWORD = 4_096
MOST_PENDING = 128
# The hash of a random password that nobody kept, with the parameters above: what unknown accounts are checked against.
NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$VQqB0LoXAuDc+79XypmTUg$p1Npz+NznEawjA8tbBp6fZvDIXiG96Bj8sWnTgEXYKk"

ALGORITHM = "HS256"
TOKEN_TYPE = "access"  # noqa: S105
LONGEST_TOKEN = 2_048
LONGEST_HEADER = 256
SKEW_SECONDS = 5
SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
HEADER_FIELDS = {"alg", "typ", "kid"}
CLAIMS = {"iss", "aud", "sub", "sid", "scope", "iat", "exp", "jti", "typ"}
REQUIRED = {f"require_{claim}": True for claim in ("aud", "iat", "exp", "iss", "sub", "jti")}

hashings = Counter("lifevault_password_hashings_total", "Runs of argon2id, for sign-in, registration and changes.")


class InvalidToken(Unauthorized):
    """An access token that is malformed, forged, expired, or meant for something else."""

    title = "The access token is not valid"


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password was right; `new_hash` replaces a hash made with older parameters."""

    matches: bool
    new_hash: str | None


@cache
def _context() -> "CryptContext":
    from passlib.context import CryptContext  # noqa: PLC0415 (takes a while to import)

    return CryptContext(
        ["argon2"],
        argon2__type="ID",
        argon2__memory_cost=MEMORY_KIB,
        argon2__time_cost=PASSES,
        argon2__parallelism=LANES,
    )


class _Hasher:
    """A few threads for argon2id: its memory is bounded by their number, its queue by `MOST_PENDING`."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max(2, cpu_count() or 1), thread_name_prefix="argon2")
        self._pending = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`. Raises `Unavailable` when too many wait already."""
        if self._pending >= MOST_PENDING:
            raise Unavailable("Too many people are signing in just now", headers={"Retry-After": "2"})
        self._pending += 1
        try:
            hashings.inc()
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._pending -= 1


_hasher = _Hasher()


async def hash_password(password: str) -> str:
    """The argon2id hash of a password of at most `LONGEST_PASSWORD` characters. Raises `Unavailable`."""
    return await _hasher.run(lambda: str(_context().hash(_normalised(password))))


async def check_password(password: str, password_hash: str | None) -> PasswordCheck:
    """Compare a password with a hash; without one the same work is done, and it never matches. Raises `Unavailable`."""

    def check() -> PasswordCheck:
        matches, new_hash = _context().verify_and_update(_normalised(password), password_hash or NOBODYS_HASH)
        return PasswordCheck(matches and password_hash is not None, new_hash)

    return await _hasher.run(check)


def _normalised(password: str) -> str:
    return unicodedata.normalize("NFC", password)  # RFC 8265 §4.2: the same characters, however a keyboard sends them


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says; times are seconds since 1970."""

    user_id: UUID
    session_id: UUID
    scope: str
    issued_at: int
    expires_at: int


class AccessTokens:
    """Signs and verifies access tokens; the first key signs, every key verifies."""

    def __init__(self, keys: Mapping[str, bytes], issuer: str, audience: str, seconds: int) -> None:
        self._keys = dict(keys)
        self._issuer = issuer
        self._audience = audience
        self.seconds = seconds

    def sign(self, user_id: UUID, session_id: UUID, scope: str) -> str:
        """A token that is valid for `seconds` from now."""
        from jose import jwt  # noqa: PLC0415 (takes a while to import)

        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "sid": str(session_id),
            "scope": scope,
            "iat": now,
            "exp": now + self.seconds,
            "jti": str(new_id()),
            "typ": TOKEN_TYPE,
        }
        key_id, key = next(iter(self._keys.items()))
        return str(jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id}))

    def verify(self, token: str) -> Claims:
        """What a token of ours says. Raises `InvalidToken` for everything else."""
        from jose import jwt  # noqa: PLC0415

        key = self._key_of(token)
        try:
            claims = jwt.decode(
                token, key, algorithms=[ALGORITHM], audience=self._audience, issuer=self._issuer, options=REQUIRED
            )
        except Exception:  # python-jose lets RecursionError, OverflowError and others out, not only its own
            raise InvalidToken from None
        return self._checked(claims)

    def _key_of(self, token: str) -> bytes:
        """The key that a token names, once its shape is beyond doubt: python-jose accepts far more than we make."""
        segments = token.split(".")
        if len(token) > LONGEST_TOKEN or len(segments) != 3:
            raise InvalidToken
        header, _, _ = map(decoded_segment, segments)
        try:
            fields = orjson.loads(header) if len(header) <= LONGEST_HEADER else None
        except orjson.JSONDecodeError:
            raise InvalidToken from None
        if not isinstance(fields, dict) or fields.keys() != HEADER_FIELDS:
            raise InvalidToken
        key = self._keys.get(fields["kid"]) if isinstance(fields["kid"], str) else None
        if key is None or fields["alg"] != ALGORITHM or fields["typ"] != "JWT":
            raise InvalidToken
        return key

    def _checked(self, claims: Mapping[str, Any]) -> Claims:
        now = time.time()
        if claims.keys() - {"nbf"} != CLAIMS or claims["typ"] != TOKEN_TYPE or claims["aud"] != self._audience:
            raise InvalidToken
        issued_at, expires_at = whole_seconds(claims["iat"]), whole_seconds(claims["exp"])
        not_before = whole_seconds(claims.get("nbf", issued_at))
        if max(issued_at, not_before) > now + SKEW_SECONDS:
            raise InvalidToken("The token is not valid yet")
        if not now < expires_at <= now + self.seconds + SKEW_SECONDS:
            raise InvalidToken("The token has expired")
        _uuid(claims["jti"])
        if not isinstance(claims["scope"], str):
            raise InvalidToken
        return Claims(_uuid(claims["sub"]), _uuid(claims["sid"]), claims["scope"], issued_at, expires_at)


def decoded_segment(segment: str) -> bytes:
    """The bytes of a base64url segment in its only canonical spelling (RFC 4648 §3.5). Raises `InvalidToken`."""
    if not SEGMENT.fullmatch(segment) or len(segment) % 4 == 1:
        raise InvalidToken
    decoded = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != segment.encode():
        raise InvalidToken
    return decoded


def whole_seconds(value: object) -> int:
    """A time of a claim. Raises `InvalidToken` for what is no whole number of seconds."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidToken
    return value


def _uuid(value: object) -> UUID:
    try:
        parsed = UUID(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != value:
        raise InvalidToken
    return parsed
